/* Everything that a program can see of how it was started; printed, to be the
 * same traced and untraced. LD_PRELOAD and MALLOSCOPE_* are left out. */
#include "truth.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fenv.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>

extern char **environ;

static void signals(void)
{
    sigset_t mask;
    stack_t other_stack = { 0 };

    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int number = 1; number <= 64; number++) {
        struct sigaction action = { 0 };
        /* libc hides 32 and 33; the kernel does not. */
        struct { void *handler; unsigned long flags; void *restorer; uint64_t mask; } raw = { 0 };
        syscall(SYS_rt_sigaction, number, NULL, &raw, 8);
        int error = sigaction(number, NULL, &action);
        say("signal %d: handler %p, flags %#lx, mask %#lx, blocked %d, sigaction %d\n", number, raw.handler, raw.flags,
            (unsigned long)raw.mask, sigismember(&mask, number), error);
    }
    sigaltstack(NULL, &other_stack);
    say("sigaltstack: %p, flags %#x\n", other_stack.ss_sp, other_stack.ss_flags);
    sigpending(&mask);
    for (int number = 1; number <= 64; number++)
        if (sigismember(&mask, number) == 1)
            say("pending: %d\n", number);
}

static void limits(void)
{
    for (int which = 0; which < RLIM_NLIMITS; which++) {
        struct rlimit limit = { 0 };
        getrlimit(which, &limit);
        say("limit %d: %#lx, %#lx\n", which, (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
    }
}

static void attributes(void)
{
    static const int options[] = { PR_GET_DUMPABLE, PR_GET_KEEPCAPS, PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP,
                                   PR_GET_SECUREBITS, PR_GET_TIMERSLACK, PR_GET_TIMING };
    int value = 0;
    char name[17] = "";

    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        say("prctl %d: %d\n", options[i], prctl(options[i], 0, 0, 0, 0));
    prctl(PR_GET_PDEATHSIG, &value);
    say("signal at the parent's death: %d\n", value);
    prctl(PR_GET_CHILD_SUBREAPER, &value);
    say("subreaper: %d\n", value);
    prctl(PR_GET_NAME, name);
    say("name: %s\n", name);
    say("personality: %#x\n", personality(0xffffffff));
    mode_t mask = umask(0);
    umask(mask);
    say("umask: %o, priority: %d, scheduler: %d\n", mask, getpriority(PRIO_PROCESS, 0), sched_getscheduler(0));
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    sched_getaffinity(0, sizeof cpus, &cpus);
    say("processors: %d\n", CPU_COUNT(&cpus));
    say("user %d %d, group %d %d\n", getuid(), geteuid(), getgid(), getegid());
    say("process group %d, session %d, terminal's group %d\n", getpgrp(), getsid(0), tcgetpgrp(0));
    say("rounding: %d, exceptions: %#x, locale: %s\n", fegetround(), fetestexcept(FE_ALL_EXCEPT),
        setlocale(LC_ALL, NULL));
    for (int which = 0; which < 3; which++) {
        struct itimerval timer = { { 0, 0 }, { 0, 0 } };
        getitimer(which, &timer);
        say("timer %d: %ld.%06ld\n", which, (long)timer.it_value.tv_sec, (long)timer.it_value.tv_usec);
    }
}

static void files(void)
{
    char directory[4096] = "?";

    if (!getcwd(directory, sizeof directory))
        say("no working directory\n");
    say("working directory: %.900s\n", directory);
    for (int fd = 0; fd < own_descriptors(); fd++) {
        struct stat st;
        if (fstat(fd, &st) == 0)
            say("descriptor %d: mode %o, size %ld, flags %#x and %#x, position %ld, terminal %d\n", fd, st.st_mode,
                S_ISREG(st.st_mode) && fd > 3 ? (long)st.st_size : 0, fcntl(fd, F_GETFD), fcntl(fd, F_GETFL),
                fd > 3 ? (long)lseek(fd, 0, SEEK_CUR) : 0, isatty(fd));
    }
}

int main(int argc, char **argv)
{
    int error = errno;
    const char *loader_error = dlerror();

    say("errno: %d\n", error);
    say("dlerror: %s\n", loader_error ? loader_error : "none");
    say("stdio: %d %d\n", ferror(stdout), feof(stdin));
    for (int i = 0; i < argc; i++)
        say("argument %d: %.900s\n", i, argv[i]);
    for (char **entry = environ; *entry; entry++)
        if (strncmp(*entry, "LD_PRELOAD=", 11) != 0 && strncmp(*entry, "MALLOSCOPE_", 11) != 0)
            say("environment: %.900s\n", *entry);
    say("called as %s, %s\n", program_invocation_name, program_invocation_short_name);
    signals();
    limits();
    attributes();
    files();
    /* That it can be traced at all: the heap is used. */
    t_free(t_malloc(1));
    return 0;
}
