# SPDX-License-Identifier: BSD-2-Clause
"""The laboratory by concern: state (files), netns (namespaces, taps), guest (command lines),
keeper (the process that owns a lab), client (class Lab). tools/lab.py is its command line."""
