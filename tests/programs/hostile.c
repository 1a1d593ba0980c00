/* hostile MODE [DIRECTORY]: a program that takes away from itself, in the middle of its
 * run, what a recorder inside it needs: descriptors, paths, rights, room, system calls,
 * the clock. It uses the heap before and after, so much that buffers are written out,
 * and says what became of its own files and signals. */
#define TRUTH_BUFFERED
#include "truth.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

static const char *directory = "/tmp";
static size_t rounds = 7000; /* of use_heap: more than a chunk */
static atomic_bool enough;

static void use_heap(void)
{
    void *blocks[16] = { NULL };

    for (size_t i = 0; i < rounds; i++) {
        void **block = &blocks[i * 5 % 16];
        t_free(*block);
        *block = t_malloc(i % 777);
    }
    for (size_t i = 0; i < 16; i++)
        t_free(blocks[i]);
    truth_flush();
}

static void *use_heap_in_thread(void *tid)
{
    truth_tid = tid ? *(pid_t *)tid : 0;
    use_heap();
    return NULL;
}

static size_t stack_bytes; /* of threads; 0: as usual */

static void thread(void)
{
    pthread_attr_t attributes;
    pthread_t id;

    pthread_attr_init(&attributes);
    if (stack_bytes)
        pthread_attr_setstacksize(&attributes, stack_bytes);
    if (pthread_create(&id, &attributes, use_heap_in_thread, NULL) != 0)
        say("no thread\n");
    else
        pthread_join(id, NULL);
}

/* A child that uses the heap before anything else, and a thread in it. */
static void child(void)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        use_heap();
        thread();
        _exit(5);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    say("child: %s, status %#x\n", pid < 0 ? "none" : "ended", status);
}

static void use_all(void)
{
    use_heap();
    thread();
    child();
    use_heap();
}

static int own_file(void)
{
    char path[1024];

    snprintf(path, sizeof path, "%s/own", directory);
    return open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
}

static void limit(int resource, rlim_t value)
{
    struct rlimit limits = { value, value };

    if (setrlimit(resource, &limits) != 0)
        say("cannot limit\n");
}

/* --- descriptors --- */
static void close_by_loop(void)
{
    int closed = 0, others = 0;

    errno = 0;
    for (int fd = 4; fd < 2000; fd++)
        if (close(fd) == 0)
            closed++;
        else
            others += errno != EBADF;
    say("closed %d, other errors %d\n", closed, others);
}

static void close_by_syscall(void)
{
    int closed = 0;

    for (int fd = 4; fd < 2000; fd++)
        closed += syscall(SYS_close, fd) == 0;
    say("closed %d\n", closed);
}

/* As a program without the C library does. */
static void bare_close(int fd)
{
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_close), "D"(fd) : "rcx", "r11", "memory");
#else
    register long x8 __asm__("x8") = SYS_close, x0 __asm__("x0") = fd;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8) : "memory");
#endif
}

static void daemonize(void)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        setsid();
        if (chdir("/") != 0 || fork() != 0)
            _exit(0);
        closefrom(4);
        int null = open("/dev/null", O_RDWR);
        for (int fd = 0; fd < 3; fd++)
            dup2(null, fd);
        use_all();
        truth("end-of-daemon", NULL, NO_SIZE, 0);
        truth_flush();
        _exit(0);
    }
    waitpid(pid, &status, 0);
}

static void *use_heap_always(void *unused)
{
    (void)unused;
    while (!enough) {
        use_heap();
        usleep(30000); /* so that the log stays small */
    }
    return NULL;
}

/* Whose descriptor is moved out of one of these ranges has to come to the other. */
#define CHASED 84
static int chase(int round)
{
    return round % 2 ? 1024 - CHASED : 1024 - 2 * CHASED;
}

/* Its own file goes over every number, again and again, while threads have their
 * events written. */
static void dup2_over_all(void)
{
    pthread_t threads[3];
    struct stat own, st;
    int fd = own_file();
    unsigned failures = 0, foreign = 0;

    limit(RLIMIT_NOFILE, 1024);
    if (write(fd, "precious", 8) != 8)
        say("cannot write\n");
    fstat(fd, &own);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, use_heap_always, NULL);
    for (int i = 0; i < 15; i++) {
        const int from = chase(i), end = from + CHASED;
        for (int to = from; to < end; to++)
            failures += (i % 3 ? dup2(fd, to) : dup3(fd, to, O_CLOEXEC)) != to;
        for (int to = from; to < end; to++)
            foreign += fstat(to, &st) != 0 || st.st_ino != own.st_ino;
        close_range((unsigned)from, (unsigned)end - 1, 0);
    }
    enough = true;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    fstat(fd, &st);
    say("%u calls failed, %u descriptors are another file; mine has %ld bytes\n", failures, foreign, (long)st.st_size);
}

static int own_fd;
static volatile sig_atomic_t dup2_calls;

static void dup2_in_handler(int number)
{
    int saved_errno = errno;

    (void)number;
    for (int i = 0; i < 40; i++)
        dup2(own_fd, chase(dup2_calls / CHASED) + dup2_calls % CHASED), dup2_calls++;
    errno = saved_errno;
}

/* The same in a signal handler, which may interrupt the thread anywhere in the recorder. */
static void dup2_by_signals(void)
{
    struct sigaction action = { .sa_handler = dup2_in_handler, .sa_flags = SA_RESTART };
    const struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
    struct timespec begin, end;
    struct stat st;

    own_fd = own_file();
    limit(RLIMIT_NOFILE, 1024);
    if (write(own_fd, "precious", 8) != 8)
        say("cannot write\n");
    sigaction(SIGALRM, &action, NULL);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 8; i++) {
        use_heap();
        close_range(1024 - 2 * CHASED, 1023, 0);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    fstat(own_fd, &st);
    say("mine has %ld bytes; handlers %s; %s\n", (long)st.st_size, dup2_calls ? "ran" : "did not run",
        end.tv_sec - begin.tv_sec < 20 ? "in time" : "slow");
}

/* --- rights and paths --- */
static void become_nobody(void)
{
    if (setgid(65534) != 0 || setuid(65534) != 0)
        say("cannot be nobody\n");
}

static void into_chroot(void)
{
    if (chroot(directory) != 0 || chdir("/") != 0)
        say("cannot chroot\n");
}

/* --- limits --- */
static rlim_t address_space(void)
{
    unsigned long pages = 0;
    char text[64] = "";
    int fd = open("/proc/self/statm", O_RDONLY);

    if (read(fd, text, sizeof text - 1) > 0)
        pages = strtoul(text, NULL, 10);
    close(fd);
    return pages * 4096;
}

/* --- signals --- */
static void on_signal(int number)
{
    say("signal %d\n", number);
}

static void catch_all(void)
{
    static char small[2048 + 4096];
    stack_t stack = { .ss_sp = small, .ss_size = sizeof small };
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESETHAND };

    sigaltstack(&stack, NULL);
    for (int number = 1; number < 65; number++)
        if (number != SIGCHLD)
            sigaction(number, &action, NULL);
}

static void report_pending(void)
{
    sigset_t pending;
    char text[66] = "";

    sigpending(&pending);
    for (int number = 1; number < 65; number++)
        text[number - 1] = sigismember(&pending, number) == 1 ? '1' : '0';
    say("pending %s\n", text);
}

static void block_all(void)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
}

/* Writes beyond the limit of files itself: that signal and error are its own. */
static void write_too_much(void)
{
    char zeros[4096] = "";
    int fd = own_file();
    long written = 0, got;

    while ((got = write(fd, zeros, sizeof zeros)) > 0)
        written += got;
    say("wrote %ld bytes, error %d\n", written, errno);
}

/* --- seccomp --- */
#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#else
#define MACHINE AUDIT_ARCH_AARCH64
#endif
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ALLOW(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define FORBID(name, how) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, how)

/* Kills for anything but what this program itself and libc's threads use. */
static struct sock_filter strict_filter[] = {
    LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    LOAD(nr), ALLOW(write), ALLOW(exit), ALLOW(exit_group), ALLOW(rt_sigreturn), ALLOW(futex), ALLOW(clone), ALLOW(clone3),
    ALLOW(brk), ALLOW(munmap), ALLOW(mprotect), ALLOW(set_robust_list), ALLOW(rseq), ALLOW(set_tid_address),
    ALLOW(mmap), ALLOW(madvise), ALLOW(rt_sigprocmask), ALLOW(rt_sigaction), ALLOW(wait4),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};
/* Forbids little of what the recorder uses, and kills for none of it: as a container does. */
static struct sock_filter mild_filter[] = {
    LOAD(nr), FORBID(mount, SECCOMP_RET_ERRNO | 1), FORBID(ptrace, SECCOMP_RET_KILL_PROCESS),
    FORBID(reboot, SECCOMP_RET_ERRNO | 1), FORBID(fchmod, SECCOMP_RET_ERRNO | 1),
    /* No files are made any more: an argument says so. */
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 4), LOAD(args[2]), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
/* Under it a program can be started; it refuses much of what the recorder does then. */
static struct sock_filter refusing_filter[] = {
    LOAD(nr), FORBID(fallocate, SECCOMP_RET_ERRNO | EPERM), FORBID(flock, SECCOMP_RET_ERRNO | EPERM),
    FORBID(fchmod, SECCOMP_RET_ERRNO | EPERM), FORBID(getcwd, SECCOMP_RET_ERRNO | EPERM), FORBID(ioctl, SECCOMP_RET_ERRNO | EPERM),
    FORBID(prlimit64, SECCOMP_RET_ERRNO | EPERM), FORBID(getppid, SECCOMP_RET_ERRNO | EPERM),
    FORBID(tgkill, SECCOMP_RET_ERRNO | EPERM), FORBID(rt_sigpending, SECCOMP_RET_ERRNO | EPERM),
    FORBID(rt_sigtimedwait, SECCOMP_RET_ERRNO | EPERM), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
/* What a program that expects no such call of itself answers to it. */
/* Under it a program can be started; the recorder would be killed. */
static struct sock_filter killing_filter[] = {
    LOAD(nr), FORBID(fallocate, SECCOMP_RET_KILL_PROCESS), FORBID(flock, SECCOMP_RET_KILL_PROCESS),
    FORBID(fchmod, SECCOMP_RET_KILL_PROCESS), FORBID(getcwd, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
static struct sock_filter trapping_filter[] = {
    LOAD(nr), FORBID(fallocate, SECCOMP_RET_TRAP), FORBID(prlimit64, SECCOMP_RET_TRAP), FORBID(gettid, SECCOMP_RET_TRAP),
    FORBID(newfstatat, SECCOMP_RET_TRAP), FORBID(fstat, SECCOMP_RET_TRAP), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

#define INSTALL(filter, flags, by_prctl) install(filter, sizeof filter / sizeof *filter, flags, by_prctl)
static void install(struct sock_filter *filter, size_t count, unsigned flags, bool by_prctl)
{
    struct sock_fprog program = { (unsigned short)count, filter };

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    long got = by_prctl ? prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)
                        : syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    if (got != 0)
        say("no filter: %d\n", errno);
}

static void know_ids(void)
{
    truth_pid = (pid_t)syscall(SYS_getpid);
    truth_tid = (pid_t)syscall(SYS_gettid);
}

/* So that the heap need not grow when that is forbidden. */
static void make_room_in_heap(void)
{
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    t_free(t_malloc(4 << 20));
}

static atomic_int ready, go;

static void *uses_heap_all_the_time(void *unused)
{
    (void)unused;
    truth_tid = (pid_t)syscall(SYS_gettid);
    atomic_fetch_add(&ready, 1);
    while (!go)
        use_heap();
    use_heap();
    return NULL;
}

static void filtered(bool by_prctl, bool forks)
{
    make_room_in_heap();
    know_ids();
    INSTALL(strict_filter, 0, by_prctl);
    use_heap();
    if (forks) {
        pid_t pid = fork(); /* the filter's wait4 and clone let that pass */
        if (pid == 0) {
            truth_fd = -1; /* what it does cannot be recorded, but counted */
            use_heap();
            _exit(0);
        }
        int status = 0;
        waitpid(pid, &status, 0);
        say("child: status %#x\n", status);
    }
    use_heap();
}

/* Its id is the kernel's answer to clone, which pthread_create does not tell: it is
 * found where libc keeps it. */
static void know_own_id(void)
{
    clockid_t clock;

    pthread_getcpuclockid(pthread_self(), &clock);
    truth_tid = (pid_t)(~(unsigned)clock >> 3 & 0x1fffffff);
}

static void *uses_heap_a_little(void *unused)
{
    (void)unused;
    know_own_id();
    for (size_t i = 0; i < 3; i++)
        t_free(t_malloc(i));
    truth_flush();
    return NULL;
}

static void *makes_threads(void *unused)
{
    pthread_t ids[4];

    (void)unused;
    know_own_id();
    for (int i = 0; i < 10 || !go; i++) {
        if (i == 5)
            atomic_fetch_add(&ready, 1);
        for (int k = 0; k < 4; k++)
            pthread_create(&ids[k], NULL, uses_heap_a_little, NULL);
        for (int k = 0; k < 4; k++)
            pthread_join(ids[k], NULL);
    }
    return NULL;
}

/* The filter comes while threads are just beginning to record. */
static void filter_starting_threads(void)
{
    pthread_t threads[2];

    make_room_in_heap();
    know_ids();
    pthread_create(&threads[0], NULL, makes_threads, NULL);
    pthread_create(&threads[1], NULL, makes_threads, NULL);
    while (ready < 2)
        usleep(100);
    INSTALL(strict_filter, SECCOMP_FILTER_FLAG_TSYNC, false);
    go = 1;
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    truth_flush();
}

static void in_children(void (*what)(void))
{
    for (int i = 0; i < 20; i++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0) {
            what();
            _exit(0);
        }
        waitpid(pid, &status, 0);
        if (status)
            say("child: status %#x\n", status);
    }
}

/* All threads get the filter while they record; one is made later. */
static void filtered_threads(void)
{
    pthread_t threads[3];

    make_room_in_heap();
    know_ids();
    pthread_create(&threads[0], NULL, uses_heap_all_the_time, NULL);
    pthread_create(&threads[1], NULL, uses_heap_all_the_time, NULL);
    while (ready < 2)
        usleep(100);
    INSTALL(strict_filter, SECCOMP_FILTER_FLAG_TSYNC, false);
    use_heap();
    go = 1;
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

static void *uses_heap_as_told(void *unused)
{
    (void)unused;
    know_own_id();
    use_heap();
    return NULL;
}

static void thread_after_filter(void)
{
    pthread_t id;

    make_room_in_heap();
    know_ids();
    INSTALL(strict_filter, 0, false);
    use_heap();
    for (int i = 0; i < 2; i++) {
        if (pthread_create(&id, NULL, uses_heap_as_told, NULL) != 0)
            say("no thread\n");
        else
            pthread_join(id, NULL);
    }
    use_heap();
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
#define IS(name) (strcmp(mode, name) == 0)

    directory = argc > 2 ? argv[2] : directory;
    use_heap();
    if (IS("closefrom")) {
        closefrom(4);
        use_all();
    } else if (IS("close_range")) {
        say("close_range %d, %d\n", close_range(4, ~0u, 0), close_range(4, 5000, CLOSE_RANGE_CLOEXEC));
        say("close_range %ld\n", syscall(SYS_close_range, 4, ~0u, 0));
        use_all();
    } else if (IS("bare_close")) {
        for (int fd = 4; fd < 2000; fd++)
            bare_close(fd);
        use_all();
    } else if (IS("unshare")) {
        say("close_range %d\n", close_range(4, ~0u, CLOSE_RANGE_UNSHARE));
        use_all();
    } else if (IS("loop")) {
        close_by_loop();
        use_all();
        close_by_syscall();
        use_all();
    } else if (IS("daemon")) {
        daemonize();
    } else if (IS("dup2")) {
        dup2_over_all();
        use_all();
    } else if (IS("dup2_signals")) {
        dup2_by_signals();
        use_all();
    } else if (IS("chroot")) {
        closefrom(4);
        into_chroot();
        use_all();
    } else if (IS("setuid")) {
        close_range(4, ~0u, 0);
        become_nobody();
        use_all();
    } else if (IS("chroot_setuid")) {
        into_chroot();
        become_nobody();
        closefrom(4);
        use_all();
    } else if (IS("grandchildren")) { /* of a guest, after the owner has ended */
        become_nobody();
        if (fork() == 0) {
            int null = open("/dev/null", O_RDWR);
            for (int fd = 0; fd < 3; fd++)
                dup2(null, fd);
            usleep(200000);
            use_heap();
            usleep(200000);
            child();
            use_heap();
            truth("end-of-daemon", NULL, NO_SIZE, 0);
            truth_flush();
            _exit(0);
        }
    } else if (IS("umask")) {
        umask(0777);
        use_all();
    } else if (IS("nofile")) {
        limit(RLIMIT_NOFILE, 4);
        use_all();
    } else if (IS("fsize")) {
        limit(RLIMIT_FSIZE, 300000);
        use_all();
        signal(SIGXFSZ, on_signal);
        write_too_much();
    } else if (IS("fsize0")) {
        limit(RLIMIT_FSIZE, 0);
        use_all();
    } else if (IS("fsize_blocked")) {
        block_all();
        limit(RLIMIT_FSIZE, 70000);
        use_all();
        report_pending();
        write_too_much();
        use_all();
        report_pending();
    } else if (IS("as")) {
        limit(RLIMIT_AS, address_space() + (9 << 20)); /* room for a thread's stack, hardly for more */
        use_all();
    } else if (IS("as_threads")) { /* room for a thread, but not for its recording */
        stack_bytes = 65536;
        limit(RLIMIT_AS, address_space() + (230 << 10));
        use_all();
    } else if (IS("data")) {
        limit(RLIMIT_DATA, 1 << 20);
        use_all();
    } else if (IS("stack")) {
        limit(RLIMIT_STACK, 64 << 10);
        use_all();
    } else if (IS("mlockall")) {
        say("mlockall %d\n", mlockall(MCL_CURRENT | MCL_FUTURE));
        use_all();
    } else if (IS("handlers")) {
        catch_all();
        closefrom(4);
        use_all();
    } else if (IS("blocked")) {
        block_all();
        use_all();
        report_pending();
    } else if (IS("dumpable")) {
        prctl(PR_SET_DUMPABLE, 0);
        use_all();
    } else if (IS("mdwe")) {
        say("mdwe %d\n", prctl(65, 1, 0, 0, 0));
        use_all();
    } else if (IS("strict")) {
        make_room_in_heap();
        know_ids();
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
        use_heap();
        say("alive\n");
        syscall(SYS_exit, 7);
    } else if (IS("filter")) {
        filtered(true, false);
    } else if (IS("filter_syscall")) {
        filtered(false, false);
    } else if (IS("filter_fork")) {
        filtered(false, true);
    } else if (IS("filter_threads")) {
        filtered_threads();
    } else if (IS("filter_starting_threads")) {
        in_children(filter_starting_threads);
    } else if (IS("filter_then_thread")) {
        thread_after_filter();
    } else if (IS("filter_full")) {
        limit(RLIMIT_FSIZE, 1 << 20); /* leaves room for few slots */
        rounds = 50000;
        filtered(true, false);
    } else if (IS("filter_refused")) { /* by the kernel: recording goes on as before */
        struct sock_fprog none = { 0, NULL };
        say("refused: %d %d\n", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &none), errno);
        use_all();
    } else if (IS("filter_mild")) {
        INSTALL(mild_filter, 0, false);
        use_all();
    } else if (IS("filter_trap")) {
        signal(SIGSYS, on_signal);
        know_ids();
        INSTALL(trapping_filter, 0, true);
        use_heap();
    } else if (IS("filter_exec")) { /* the next program starts under it */
        INSTALL(refusing_filter, 0, true);
        truth_flush();
        execl(argv[0], argv[0], "much", (char *)NULL);
    } else if (IS("filter_kills_exec")) { /* the same, without the recorder: it would not live */
        INSTALL(killing_filter, 0, true);
        use_heap();
        truth_flush();
        execl("/no/such/program", "program", (char *)NULL);
        execl("/bin/true", "true", (char *)NULL);
    } else if (IS("tsc")) {
        say("PR_SET_TSC %d\n", prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
        use_all();
        say("PR_SET_TSC %d\n", prctl(PR_SET_TSC, PR_TSC_ENABLE));
        use_all();
    } else if (IS("waits")) { /* for what is done to the log */
        char line[8];
        say("ready\n");
        if (read(0, line, sizeof line) < 0)
            say("nobody\n");
        use_all();
    } else if (IS("much")) {
        use_all();
    } else if (!IS("nothing")) {
        return 99;
    }
    say("done\n");
    return 3;
}
