/* through_rbx(call): calls call(), and only its register rbx tells its frame meanwhile, as other registers do in the
 * middle of some prologues: an unwinder that follows rsp and rbp alone cannot find its caller. x86-64; C and C++. */
#ifndef MALLOSCOPE_TESTS_THROUGH_RBX_H
#define MALLOSCOPE_TESTS_THROUGH_RBX_H

#ifdef __cplusplus
extern "C"
#endif
void through_rbx(void (*call)(void));

__asm__(".text\n"
        ".type through_rbx, @function\n"
        "through_rbx:\n"
        ".cfi_startproc\n"
        "push %rbx\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset %rbx, -16\n"
        "lea 16(%rsp), %rbx\n"
        ".cfi_def_cfa %rbx, 0\n"
        "call *%rdi\n"
        ".cfi_def_cfa %rsp, 16\n"
        "pop %rbx\n"
        ".cfi_def_cfa_offset 8\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size through_rbx, .-through_rbx\n");

#endif
