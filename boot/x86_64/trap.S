/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the processor enters: 32 exceptions and 16 interrupt lines, each on a stack of its own
 * (trap.c), so the red zone below the interrupted stack pointer stays whole and compilers may use
 * it. An exception saves every register for the report and does not return. An interrupt saves
 * what a C function may change, the SSE registers included.
 */
        .text
        .altmacro

        /* Exceptions with these numbers push an error code; the others get a zero. */
        .macro  exception n
        .align  16
        .if     (\n == 8) || (\n == 10) || (\n == 11) || (\n == 12) || (\n == 13) || (\n == 14) || (\n == 17) || (\n == 21) || (\n == 29) || (\n == 30)
        .else
        push    $0
        .endif
        push    $\n
        jmp     exception_common
        .endm

        .align  16
        .globl  exception_entries
exception_entries:
        .set    i, 0
        .rept   32
        exception %i
        .set    i, i + 1
        .endr

exception_common:
        cld
        push    %r15
        push    %r14
        push    %r13
        push    %r12
        push    %r11
        push    %r10
        push    %r9
        push    %r8
        push    %rdi
        push    %rsi
        push    %rbp
        push    %rbx
        push    %rdx
        push    %rcx
        push    %rax
        mov     %rsp, %rdi
        and     $-16, %rsp
        call    report_trap
        hlt

        .macro  interrupt n
        .align  16
        push    $\n
        jmp     interrupt_common
        .endm

        .align  16
        .globl  interrupt_entries
interrupt_entries:
        .set    i, 0
        .rept   16
        interrupt %i
        .set    i, i + 1
        .endr

        /* RIP CS RFLAGS RSP SS and the line are on the stack, which the processor had aligned. */
interrupt_common:
        push    %rax
        push    %rcx
        push    %rdx
        push    %rsi
        push    %rdi
        push    %r8
        push    %r9
        push    %r10
        push    %r11
        mov     72(%rsp), %edi
        mov     %rsp, %rax
        sub     $528, %rsp
        and     $-16, %rsp
        mov     %rax, 512(%rsp)
        fxsave64 (%rsp)
        cld
        call    pic_interrupt
        fxrstor64 (%rsp)
        mov     512(%rsp), %rsp
        pop     %r11
        pop     %r10
        pop     %r9
        pop     %r8
        pop     %rdi
        pop     %rsi
        pop     %rdx
        pop     %rcx
        pop     %rax
        add     $8, %rsp
        iretq

        .section .note.GNU-stack, "", @progbits
