/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the boot loader to C. Entered in 32-bit protected mode without paging, EAX the loader's
 * magic number, EBX the address of what it knows (Multiboot 1 section 3.2, Multiboot 2 section 3.3).
 * Leaves in long mode, the first 4 GiB mapped to themselves (page.c refines that), SSE on, the
 * stack canary set, and calls boot_main(magic, info). Fails, with one line on COM1, on a processor
 * without long mode or without no-execute pages.
 */
        .set    MB1_MAGIC, 0x1badb002
        .set    MB1_FLAGS, 3                    /* modules on pages; a memory map */
        .set    MB2_MAGIC, 0xe85250d6

        .section .multiboot, "a"
        .align  8
mb1:    .long   MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)
        .align  8
mb2:    .long   MB2_MAGIC, 0, mb2_end - mb2, -(MB2_MAGIC + 0 + (mb2_end - mb2))
        .word   6, 0                            /* modules on pages */
        .long   8
        .word   0, 0                            /* end of tags */
        .long   8
mb2_end:

        .set    CR0_ON, 0x80010003              /* PG, WP, MP, PE */
        .set    CR0_OFF, 0x0000000c             /* TS, EM */
        .set    CR4_ON, 0x00000620              /* OSXMMEXCPT, OSFXSR, PAE */
        .set    EFER, 0xc0000080
        .set    EFER_ON, 0x00000900             /* NXE, LME */
        .set    FS_BASE, 0xc0000100
        .set    PAGE_BIG, 0x83                  /* present, writable, 2 MiB */

        .section .text.start, "ax"
        .code32
        .globl  start
start:  cli
        cld
        mov     $stack_top, %esp
        push    %eax
        push    %ebx

        mov     $0x80000000, %eax
        cpuid
        cmp     $0x80000001, %eax
        jb      refuse
        mov     $0x80000001, %eax
        cpuid
        and     $0x20100000, %edx               /* LM, NX */
        cmp     $0x20100000, %edx
        jne     refuse

        /* 2048 big pages in four tables, which lie behind each other */
        mov     $page_big, %edi
        mov     $PAGE_BIG, %eax
        mov     $2048, %ecx
1:      mov     %eax, (%edi)
        movl    $0, 4(%edi)
        add     $0x200000, %eax
        add     $8, %edi
        loop    1b
        mov     $page_directories, %edi
        mov     $page_big + 3, %eax
        mov     $4, %ecx
2:      mov     %eax, (%edi)
        add     $0x1000, %eax
        add     $8, %edi
        loop    2b
        movl    $page_directories + 3, page_root

        mov     $page_root, %eax
        mov     %eax, %cr3
        mov     %cr4, %eax
        or      $CR4_ON, %eax
        mov     %eax, %cr4
        mov     $EFER, %ecx
        rdmsr
        or      $EFER_ON, %eax
        wrmsr
        mov     %cr0, %eax
        and     $~CR0_OFF, %eax
        or      $CR0_ON, %eax
        mov     %eax, %cr0
        pop     %esi
        pop     %edi
        lgdt    gdt_pointer
        ljmp    $8, $start64

        /* COM1 as the firmware left it: all that can be done here. */
refuse: mov     $refusal, %esi
1:      lodsb
        test    %al, %al
        jz      3f
        mov     %al, %ah
        mov     $0x10000, %ecx
        mov     $0x3fd, %dx
2:      inb     %dx, %al
        test    $0x20, %al
        loopz   2b
        mov     $0x3f8, %dx
        mov     %ah, %al
        outb    %al, %dx
        jmp     1b
3:      mov     $0xf4, %dx                      /* isa-debug-exit: EXIT_BOOT */
        mov     $1, %eax
        outl    %eax, %dx
4:      hlt
        jmp     4b

        .code64
start64:
        mov     $16, %eax
        mov     %eax, %ss
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %fs
        mov     %eax, %gs
        mov     $stack_top, %rsp
        mov     %edi, %r12d
        mov     %esi, %r13d

        /* The canary is at %fs:0x28 (the ABI). It must not change while C runs, so it is made
         * here, before any C: the time stamp, spread by a multiplication, and RDRAND if there. The
         * byte that strings end with stays zero. */
        mov     $FS_BASE, %ecx
        mov     $thread_block, %eax
        xor     %edx, %edx
        wrmsr
        mov     $1, %eax
        cpuid
        xor     %ebx, %ebx
        bt      $30, %ecx
        jnc     5f
        rdrand  %rbx
5:      rdtsc
        shl     $32, %rdx
        or      %rdx, %rax
        mov     $0x9e3779b97f4a7c15, %rcx
        imul    %rcx, %rax
        xor     %rbx, %rax
        shl     $8, %rax
        mov     %rax, thread_block + 0x28

        mov     %r12d, %edi
        mov     %r13d, %esi
        xor     %ebp, %ebp
        call    boot_main
6:      hlt
        jmp     6b

        .section .rodata.start, "a"
refusal:
        .asciz  "towpath: this processor has no long mode or no no-execute pages\r\n"

        /* Only to get into long mode; trap.c has the one that stays. */
        .align  8
gdt:    .quad   0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
        .word   . - gdt - 1
        .long   gdt

        .section .bss.start, "aw", @nobits
        .align  4096
        .globl  page_root, page_directories, page_big
page_root:
        .skip   4096
page_directories:
        .skip   4096
page_big:
        .skip   4 * 4096
        /* The stack, and below it a page that page.c takes away. */
        .globl  stack_guard, stack_top
stack_guard:
        .skip   4096
        .skip   65536
stack_top:
        .globl  thread_block
        .align  64
thread_block:
        .skip   64

        .section .note.GNU-stack, "", @progbits
