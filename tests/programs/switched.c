/* switched: allocates on a stack that it has switched to by hand, as some languages'
 * runtimes do. Behind that stack nothing can be read.
 *
 *   2001  the function that switched is found by the frame pointer: on its own stack
 *   2002  its unwind tables say that its frame is on the new stack, which is wrong
 *   2004  the same, but there is a return address of 0 where the tables say
 *   2005  the same again, but there is one of code
 *
 * And with code that no tables describe, whose frame pointer leads behind the stack:
 *   2003 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define NOINLINE __attribute__((noinline))

static NOINLINE void take(int size)
{
    void *volatile block = malloc((size_t)size);
    free(block);
}

typedef void taker(int);

#if defined(__x86_64__)
/* By tables: CFA = rbp + 16. */
void switch_by_frame_pointer(char *top, taker *function, int size);
__asm__(".text\n.globl switch_by_frame_pointer\n.type switch_by_frame_pointer,@function\nswitch_by_frame_pointer:\n"
        ".cfi_startproc\npush %rbp\n.cfi_def_cfa_offset 16\n.cfi_offset %rbp,-16\nmov %rsp,%rbp\n"
        ".cfi_def_cfa_register %rbp\nmov %rdi,%rsp\nmov %edx,%edi\ncall *%rsi\nmov %rbp,%rsp\npop %rbp\n"
        ".cfi_def_cfa %rsp,8\nret\n.cfi_endproc\n.size switch_by_frame_pointer,.-switch_by_frame_pointer\n");
/* By tables: CFA = rsp + 16, though rsp is another. */
void switch_unsaid(char *top, taker *function, int size);
__asm__(".text\n.globl switch_unsaid\n.type switch_unsaid,@function\nswitch_unsaid:\n"
        ".cfi_startproc\npush %rbx\n.cfi_def_cfa_offset 16\n.cfi_offset %rbx,-16\nmov %rsp,%rbx\nmov %rdi,%rsp\n"
        "mov %edx,%edi\ncall *%rsi\nmov %rbx,%rsp\npop %rbx\n.cfi_def_cfa_offset 8\nret\n.cfi_endproc\n"
        ".size switch_unsaid,.-switch_unsaid\n");

static const uint8_t without_tables[] = { 0x55, 0x48, 0x89, 0xfd, 0x48, 0x89, 0xf0, 0x89, 0xd7, 0xff, 0xd0,
                                          0x5d, 0xc3 };
#endif

int main(void)
{
#if defined(__x86_64__)
    enum { BYTES = 65536 };
    char *memory = mmap(NULL, 3 * BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *stack = memory + BYTES, *top = stack + BYTES;
    mprotect(stack, BYTES, PROT_READ | PROT_WRITE);

    char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(code, without_tables, sizeof without_tables);
    mprotect(code, 4096, PROT_READ | PROT_EXEC);
    union { void *data; void (*code)(char *fp, taker *function, int size); } made = { code };

    for (int i = 0; i < 10; i++) {
        switch_by_frame_pointer(top, take, 2001);
        switch_unsaid(top, take, 2002);
        made.code(top + 64, take, 2003);
        made.code((char *)(uintptr_t)-16, take, 2003);
        uint64_t *word = (uint64_t *)(top - 64) + 1;
        memset(top - 64, 0, 64);
        switch_unsaid(top - 64, take, 2004);
        *word = (uint64_t)take + 1;
        switch_unsaid(top - 64, take, 2005);
        *word = 0;
        switch_unsaid(top - 64, take, 2004);
    }
#endif
    return 0;
}
