/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls of llhttp, and what its parser calls (llhttp.c). */
#define LLHTTP_STRICT_MODE 1
#include <api.c>
#include <http.c>
