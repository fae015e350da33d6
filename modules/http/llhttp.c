/* SPDX-License-Identifier: BSD-2-Clause */
/* llhttp's parser, in its strict mode, from where Debian puts its sources. */
#define LLHTTP_STRICT_MODE 1
#include <llhttp.c>
