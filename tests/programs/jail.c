/* jail ACTION NUMBER,... PROGRAM [ARGUMENT...]: executes a program under a filter that allows
 * the system calls with these numbers, and execve; others kill the process (kill) or are
 * refused (refuse). It asks the kernel itself, without the C library, so that nobody in
 * here sees it. */
#include "bare_call.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NUMBERS_MAX 400

int main(int argc, char **argv)
{
    static struct sock_filter filter[2 * NUMBERS_MAX + 4];
    struct sock_fprog program = { 0, filter };
    size_t count = 0;

    if (argc < 4)
        return 99;
    filter[count++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    filter[count++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 0, 1);
    filter[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    for (const char *at = argv[2]; *at && count < 2 * NUMBERS_MAX; at += strcspn(at, ","), at += *at == ',') {
        filter[count++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)atoi(at), 0, 1);
        filter[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    filter[count++] = (struct sock_filter)BPF_STMT(
        BPF_RET | BPF_K, strcmp(argv[1], "refuse") == 0 ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_KILL_PROCESS);
    program.len = (unsigned short)count;
    if (bare_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0) != 0 ||
        bare_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program) != 0)
        return 98;
    bare_call(SYS_execve, (long)argv[3], (long)(argv + 3), (long)environ);
    return 97;
}
