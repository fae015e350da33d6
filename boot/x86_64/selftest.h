/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BOOT_X86_64_SELFTEST_H
#define BOOT_X86_64_SELFTEST_H

/* Takes the word trap=WHAT out of the boot words and does that forbidden thing. */
void selftest(char *words);

#endif
