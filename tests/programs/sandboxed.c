/* sandboxed MODE [ARGUMENT]: what programs do around seccomp that leads a recorder astray,
 * which must not die of it, nor think that it has to. It uses the heap and says how things
 * went. `sandboxed done` is what it executes. close, dup2 and prctl are its own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#ifdef OWN_CALLS
int close(int fd)
{
    return (int)syscall(SYS_close, fd);
}

int dup3(int old, int new, int flags)
{
    return (int)syscall(SYS_dup3, old, new, flags);
}

int dup2(int old, int new)
{
#ifdef SYS_dup2
    return (int)syscall(SYS_dup2, old, new);
#else
    return dup3(old, new, 0);
#endif
}

int close_range(unsigned first, unsigned last, int flags)
{
    return (int)syscall(SYS_close_range, first, last, flags);
}

int prctl(int option, ...)
{
    va_list more;
    long value[4];

    va_start(more, option);
    for (int i = 0; i < 4; i++)
        value[i] = va_arg(more, long);
    va_end(more);
    return (int)syscall(SYS_prctl, option, value[0], value[1], value[2], value[3]);
}
#endif

static void use_heap(void)
{
    for (size_t i = 0; i < 1000; i++)
        free(malloc(i));
}

static void *use_heap_in_thread(void *unused)
{
    use_heap();
    return unused;
}

static void use_all(void)
{
    pthread_t id;

    use_heap();
    if (pthread_create(&id, NULL, use_heap_in_thread, NULL) == 0)
        pthread_join(id, NULL);
}

static int forbid(int call, unsigned action)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof filter / sizeof *filter, filter };

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

static void execute(char *self)
{
    fflush(stdout);
    execv(self, (char *[]){ self, "done", NULL });
    _exit(9);
}

static void say_status(pid_t pid)
{
    int status = 0;

    waitpid(pid, &status, 0);
    printf("child: status %#x\n", (unsigned)status);
}

static void own_calls(void)
{
    int fd = dup(0);

    printf("dup2 %d, dup3 %d\n", dup2(fd, fd + 1) == fd + 1, dup3(fd, fd + 2, O_CLOEXEC) == fd + 2);
    printf("close %d %d, close_range %d\n", close(fd), close(fd + 1), close_range((unsigned)fd + 2, (unsigned)fd + 2, 0));
    printf("prctl %d\n", prctl(PR_GET_DUMPABLE, 0L, 0L, 0L, 0L));
    for (fd = 3; fd < 3000; fd++)
        close(fd);
    printf("close_range %d\n", close_range(3, ~0u, 0));
}

/* A call that is no cancellation point ends with the thread alive. */
static int survived;
static void *closes(void *unused)
{
    pthread_cancel(pthread_self());
    syscall(SYS_close, 4000);
    survived = 1;
    return unused;
}

static void cancelled(void)
{
    pthread_t id;

    if (pthread_create(&id, NULL, closes, NULL) == 0)
        pthread_join(id, NULL);
    printf("survived: %d\n", survived);
}

static void probe(void)
{
    printf("%d", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0));
    printf(" %d\n", errno);
    printf("%ld", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, NULL));
    printf(" %d\n", errno);
    printf("%ld", syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL)); /* which is refused */
    printf(" %d\n", errno);
    use_all();
}

#if defined(__x86_64__)
/* Forks after each so many instructions of malloc; the child goes on with the rest of it. */
static volatile int at, count, deaths;
static volatile bool is_child, returns;
static void on_trap(int number)
{
    int status = 0;

    (void)number;
    if (is_child || count++ != at)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        is_child = true;
        if (!returns)
            _exit(0);
        return;
    }
    waitpid(pid, &status, 0);
    deaths += status != 0;
}

static void fork_amid(bool child_returns)
{
    void *volatile block;

    returns = child_returns;
    signal(SIGTRAP, on_trap);
    forbid(SYS_madvise, SECCOMP_RET_KILL_PROCESS);
    for (at = 0; at < 1200; at += 9) {
        count = 0;
        __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
        block = malloc(55);
        __asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "memory", "cc");
        if (is_child) {
            use_heap();
            _exit(block ? 0 : 1);
        }
    }
    free(block);
    printf("survived, as did all but %d children\n", deaths);
}
#else
static void fork_amid(bool child_returns)
{
    (void)child_returns;
    printf("survived\n");
}
#endif

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
#define IS(name) (strcmp(mode, name) == 0)

    use_heap();
    if (IS("done")) {
        printf("done\n");
    } else if (IS("own_calls")) {
        own_calls();
    } else if (IS("cancelled")) {
        cancelled();
    } else if (IS("probe")) {
        probe();
    } else if (IS("raw_exec")) { /* ours is there, but not wanted */
        pid_t pid = fork();
        if (pid == 0) {
            syscall(SYS_execve, argv[0], (char *[]){ argv[0], "many_variables", NULL }, environ);
            _exit(9);
        }
        say_status(pid);
    } else if (IS("vfork")) {
        pid_t pid = vfork();
        if (pid == 0) {
            forbid(argc > 2 ? SYS_getpid : SYS_flock, SECCOMP_RET_KILL_PROCESS);
            execv("/no/such/program", argv);
            execv(argv[0], (char *[]){ argv[0], "done", NULL });
            _exit(9);
        }
        say_status(pid);
        if ((pid = vfork()) == 0) { /* the parent, and its next child, are as free as before */
            execv(argv[0], (char *[]){ argv[0], "done", NULL });
            _exit(9);
        }
        say_status(pid);
        use_heap();
    } else if (IS("vfork_ends")) { /* what a child that may not ask for its pid can still call */
        pid_t pid = vfork();
        if (pid == 0) {
            forbid(SYS_getpid, SECCOMP_RET_KILL_PROCESS);
            close(960);
            dup2(1, 961);
            _exit(7);
        }
        say_status(pid);
        use_heap();
    } else if (IS("second_filter")) {
        forbid(SYS_gettid, SECCOMP_RET_ERRNO | EPERM);
        forbid(SYS_flock, SECCOMP_RET_KILL_PROCESS);
        execute(argv[0]);
    } else if (IS("many_variables")) {
        for (int i = 0; i < 150; i++) {
            char name[32];
            snprintf(name, sizeof name, "VARIABLE%d", i);
            setenv(name, "x", 1);
        }
        forbid(SYS_flock, SECCOMP_RET_KILL_PROCESS);
        execute(argv[0]);
    } else if (IS("fork_amid")) {
        fork_amid(argc > 2);
    } else if (IS("forbid")) {
        forbid(atoi(argv[2]), SECCOMP_RET_KILL_PROCESS);
        use_heap();
        pid_t pid = fork();
        if (pid == 0) {
            execlp("true", "true", (char *)NULL);
            _exit(9);
        }
        say_status(pid);
    } else {
        return 99;
    }
    return 3;
}
