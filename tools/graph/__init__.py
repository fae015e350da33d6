# SPDX-License-Identifier: BSD-2-Clause
"""The graph compiler, by concern: text, values, modules, graphfile, check, emit, draw."""
