/* Functions of arm_stacks with frames that unwind tables do not tell, or not easily. */

/* No tables, only frame records: one as the compiler makes them, with the record
 * at the frame's bottom, and one as most JITs do, with the record at its top. */
__attribute__((noinline)) int without_tables(int (*function)(int), int argument)
{
    volatile char block[300];

    block[argument % 300] = 1;
    return function(argument) + block[argument % 300];
}

__asm__(".text\n"
        ".p2align 2\n"
        ".globl without_tables_as_by_jit\n"
        ".type without_tables_as_by_jit, %function\n"
        "without_tables_as_by_jit:\n"
        "stp x29, x30, [sp, #-16]!\n"
        "mov x29, sp\n"
        "sub sp, sp, #96\n"
        "mov x2, x0\n"
        "mov w0, w1\n"
        "blr x2\n"
        "mov sp, x29\n"
        "ldp x29, x30, [sp], #16\n"
        "ret\n"
        /* A frame that is found by a register that is none of sp and x29. */
        ".globl by_other_register\n"
        ".type by_other_register, %function\n"
        "by_other_register:\n"
        ".cfi_startproc\n"
        "stp x29, x30, [sp, #-32]!\n"
        "str x19, [sp, #16]\n"
        "mov x19, sp\n"
        ".cfi_def_cfa x19, 32\n"
        ".cfi_offset x29, -32\n"
        ".cfi_offset x30, -24\n"
        ".cfi_offset x19, -16\n"
        "mov x2, x0\n"
        "mov w0, w1\n"
        "blr x2\n"
        "ldr x19, [sp, #16]\n"
        "ldp x29, x30, [sp], #32\n"
        "ret\n"
        ".cfi_endproc\n"
        /* A frame pointer that is none. */
        ".globl with_wild_frame_pointer\n"
        ".type with_wild_frame_pointer, %function\n"
        "with_wild_frame_pointer:\n"
        ".cfi_startproc\n"
        "stp x29, x30, [sp, #-16]!\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset x29, -16\n"
        ".cfi_offset x30, -8\n"
        "mov x29, #-8\n"
        "mov x2, x0\n"
        "mov w0, w1\n"
        "blr x2\n"
        "ldp x29, x30, [sp], #16\n"
        "ret\n"
        ".cfi_endproc\n");
