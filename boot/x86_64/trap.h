/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BOOT_X86_64_TRAP_H
#define BOOT_X86_64_TRAP_H
/* What trap.S leaves on the stack for report_trap. */
#include <stdint.h>

struct trap_frame {
    uint64_t rax, rcx, rdx, rbx, rbp, rsi, rdi;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t vector, error; /* error: 0 where the processor gives none */
    uint64_t rip, cs, rflags, rsp, ss;
};

#endif
