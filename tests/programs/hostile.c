/* hostile MODE [DIRECTORY]: a program that takes away from itself, in the middle of its
 * run, what a recorder inside it needs: descriptors, paths, rights, room, system calls,
 * the clock. It uses the heap before and after, so much that buffers are written out,
 * and says what became of its own files and signals. */
#define TRUTH_BUFFERED
#include "interpose/malloscope.h"
#include "bare_call.h"
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
static char *self;
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

/* What fills the recorder's buffers with the least work. */
static void *marks_always(void *unused)
{
    char name[1000];

    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = 0;
    for (int i = 0; !enough; i++) {
        malloscope_mark(name);
        if (i % 64 == 0)
            usleep(3000);
    }
    return unused;
}

/* dup2 without the C library, over all numbers that there are, while threads have their
 * buffers written. */
static void dup2_by_instruction(void)
{
    pthread_t threads[3];
    struct timespec begin, now;
    struct rlimit numbers;
    struct stat st;
    unsigned failures = 0;
    int fd = own_file();

    getrlimit(RLIMIT_NOFILE, &numbers);
    if (write(fd, "precious", 8) != 8)
        say("cannot write\n");
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, marks_always, NULL);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        for (int to = (int)numbers.rlim_cur * 15 / 16; to < (int)numbers.rlim_cur; to++) {
            failures += bare_call(SYS_dup3, fd, to, 0) != to;
            bare_call(SYS_close, to, 0, 0);
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < 1000);
    enough = true;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    fstat(fd, &st);
    say("%u calls failed; mine has %ld bytes\n", failures, (long)st.st_size);
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
/* Under it a program can be started; the recorder would be killed. */
static struct sock_filter killing_filter[] = {
    LOAD(nr), FORBID(fallocate, SECCOMP_RET_KILL_PROCESS), FORBID(flock, SECCOMP_RET_KILL_PROCESS),
    FORBID(fchmod, SECCOMP_RET_KILL_PROCESS), FORBID(getcwd, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
/* What a program that expects no such call of itself answers to it. */
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

static struct sock_filter trapping_more_filter[] = {
    LOAD(nr), FORBID(openat, SECCOMP_RET_TRAP), FORBID(fcntl, SECCOMP_RET_TRAP), FORBID(pwrite64, SECCOMP_RET_TRAP),
    FORBID(ioctl, SECCOMP_RET_TRAP), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

static void do_nothing_on_signal(int number)
{
    (void)number;
}

static void know_ids(void)
{
    truth_pid = (pid_t)syscall(SYS_getpid);
    truth_tid = (pid_t)syscall(SYS_gettid);
}

/* Behind the back of whoever stands in for prctl and syscall. Its own file is where a trapped
 * call's number, taken for its result, leads. */
static void trap_by_instruction(struct sock_filter *filter, size_t count)
{
    static const int calls[] = { SYS_fstat, SYS_openat, SYS_fcntl, SYS_pwrite64, SYS_fallocate, SYS_prlimit64 };
    struct sock_fprog program = { (unsigned short)count, filter };
    int fd = own_file();

    if (write(fd, "precious", 8) != 8)
        say("cannot write\n");
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        dup2(fd, calls[i]);
    signal(SIGSYS, do_nothing_on_signal);
    know_ids();
    if (bare_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0) != 0 ||
        bare_call(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (long)&program) != 0)
        say("no filter\n");
    use_all();
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

/* --- what each mode does --- */
static void do_closefrom(void)
{
    closefrom(4);
    use_all();
}

/* As a program without the C library does. */
static void do_bare_close(void)
{
    for (int fd = 4; fd < 2000; fd++)
        bare_call(SYS_close, fd, 0, 0);
    use_all();
}

static void do_close_range(void)
{
    say("close_range %d, %d\n", close_range(4, ~0u, 0), close_range(4, 5000, CLOSE_RANGE_CLOEXEC));
    say("close_range %ld\n", syscall(SYS_close_range, 4, ~0u, 0));
    use_all();
}

static void do_unshare(void)
{
    say("close_range %d\n", close_range(4, ~0u, CLOSE_RANGE_UNSHARE));
    use_all();
}

static void do_loop(void)
{
    close_by_loop();
    use_all();
    close_by_syscall();
    use_all();
}

static void do_dup2(void)
{
    dup2_over_all();
    use_all();
}

static void do_dup2_raw(void)
{
    dup2_by_instruction();
    use_all();
}

static void do_dup2_signals(void)
{
    dup2_by_signals();
    use_all();
}

static void do_chroot(void)
{
    closefrom(4);
    into_chroot();
    use_all();
}

static void do_setuid(void)
{
    close_range(4, ~0u, 0);
    become_nobody();
    use_all();
}

static void do_chroot_setuid(void)
{
    into_chroot();
    become_nobody();
    closefrom(4);
    use_all();
}

/* Of a guest, after the owner has ended. */
static void do_grandchildren(void)
{
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
}

static void do_umask(void)
{
    umask(0777);
    use_all();
}

static void do_nofile(void)
{
    limit(RLIMIT_NOFILE, 4);
    use_all();
}

static void do_fsize(void)
{
    limit(RLIMIT_FSIZE, 300000);
    use_all();
    signal(SIGXFSZ, on_signal);
    write_too_much();
}

static void do_fsize0(void)
{
    limit(RLIMIT_FSIZE, 0);
    use_all();
}

static void do_fsize_blocked(void)
{
    block_all();
    limit(RLIMIT_FSIZE, 70000);
    use_all();
    report_pending();
    write_too_much();
    use_all();
    report_pending();
}

static void do_as(void)
{
    limit(RLIMIT_AS, address_space() + (9 << 20)); /* room for a thread's stack, hardly for more */
    use_all();
}

/* Room for a thread, but not for its recording. */
static void do_as_threads(void)
{
    stack_bytes = 65536;
    limit(RLIMIT_AS, address_space() + (230 << 10));
    use_all();
}

static void do_data(void)
{
    limit(RLIMIT_DATA, 1 << 20);
    use_all();
}

static void do_stack(void)
{
    limit(RLIMIT_STACK, 64 << 10);
    use_all();
}

static void do_mlockall(void)
{
    say("mlockall %d\n", mlockall(MCL_CURRENT | MCL_FUTURE));
    use_all();
}

static void do_handlers(void)
{
    catch_all();
    closefrom(4);
    use_all();
}

static void do_blocked(void)
{
    block_all();
    use_all();
    report_pending();
}

static void do_dumpable(void)
{
    prctl(PR_SET_DUMPABLE, 0);
    use_all();
}

static void do_mdwe(void)
{
    say("mdwe %d\n", prctl(65, 1, 0, 0, 0));
    use_all();
}

static void do_strict(void)
{
    make_room_in_heap();
    know_ids();
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    use_heap();
    say("alive\n");
    syscall(SYS_exit, 7);
}

static void do_filter(void)
{
    filtered(true, false);
}

static void do_filter_syscall(void)
{
    filtered(false, false);
}

static void do_filter_fork(void)
{
    filtered(false, true);
}

static void do_filter_starting_threads(void)
{
    in_children(filter_starting_threads);
}

static void do_filter_full(void)
{
    limit(RLIMIT_FSIZE, 1 << 20); /* leaves room for few slots */
    rounds = 50000;
    filtered(true, false);
}

/* By the kernel: recording goes on as before. */
static void do_filter_refused(void)
{
    struct sock_fprog none = { 0, NULL };

    say("refused: %d %d\n", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &none), errno);
    use_all();
}

static void do_filter_mild(void)
{
    INSTALL(mild_filter, 0, false);
    use_all();
}

static void do_filter_trap(void)
{
    signal(SIGSYS, on_signal);
    know_ids();
    INSTALL(trapping_filter, 0, true);
    use_heap();
}

static void do_filter_trap_raw(void)
{
    trap_by_instruction(trapping_filter, sizeof trapping_filter / sizeof *trapping_filter);
}

static void do_filter_trap_more_raw(void)
{
    trap_by_instruction(trapping_more_filter, sizeof trapping_more_filter / sizeof *trapping_more_filter);
}

/* The next program starts under it. */
static void do_filter_exec(void)
{
    INSTALL(refusing_filter, 0, true);
    truth_flush();
    execl(self, self, "much", (char *)NULL);
}

/* The same, without the recorder: it would not live. */
static void do_filter_kills_exec(void)
{
    INSTALL(killing_filter, 0, true);
    use_heap();
    truth_flush();
    execl("/no/such/program", "program", (char *)NULL);
    execl("/bin/true", "true", (char *)NULL);
}

static void do_tsc(void)
{
    say("PR_SET_TSC %d\n", prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
    use_all();
    say("PR_SET_TSC %d\n", prctl(PR_SET_TSC, PR_TSC_ENABLE));
    use_all();
}

/* For what is done to the log. */
static void do_waits(void)
{
    char line[8];

    say("ready\n");
    if (read(0, line, sizeof line) < 0)
        say("nobody\n");
    use_all();
}

static void do_nothing(void)
{
}

static const struct {
    const char *name;
    void (*run)(void);
} modes[] = {
    { "closefrom", do_closefrom },
    { "bare_close", do_bare_close },
    { "close_range", do_close_range },
    { "unshare", do_unshare },
    { "loop", do_loop },
    { "daemon", daemonize },
    { "dup2", do_dup2 },
    { "dup2_raw", do_dup2_raw },
    { "dup2_signals", do_dup2_signals },
    { "chroot", do_chroot },
    { "setuid", do_setuid },
    { "chroot_setuid", do_chroot_setuid },
    { "grandchildren", do_grandchildren },
    { "umask", do_umask },
    { "nofile", do_nofile },
    { "fsize", do_fsize },
    { "fsize0", do_fsize0 },
    { "fsize_blocked", do_fsize_blocked },
    { "as", do_as },
    { "as_threads", do_as_threads },
    { "data", do_data },
    { "stack", do_stack },
    { "mlockall", do_mlockall },
    { "handlers", do_handlers },
    { "blocked", do_blocked },
    { "dumpable", do_dumpable },
    { "mdwe", do_mdwe },
    { "strict", do_strict },
    { "filter", do_filter },
    { "filter_syscall", do_filter_syscall },
    { "filter_fork", do_filter_fork },
    { "filter_threads", filtered_threads },
    { "filter_starting_threads", do_filter_starting_threads },
    { "filter_then_thread", thread_after_filter },
    { "filter_full", do_filter_full },
    { "filter_refused", do_filter_refused },
    { "filter_mild", do_filter_mild },
    { "filter_trap", do_filter_trap },
    { "filter_trap_raw", do_filter_trap_raw },
    { "filter_trap_more_raw", do_filter_trap_more_raw },
    { "filter_exec", do_filter_exec },
    { "filter_kills_exec", do_filter_kills_exec },
    { "tsc", do_tsc },
    { "waits", do_waits },
    { "much", use_all },
    { "nothing", do_nothing },
};

int main(int argc, char **argv)
{
    const size_t count = sizeof modes / sizeof *modes;
    size_t i = 0;

    self = argv[0];
    directory = argc > 2 ? argv[2] : directory;
    use_heap();
    while (i < count && strcmp(argc > 1 ? argv[1] : "", modes[i].name) != 0)
        i++;
    if (i == count)
        return 99;
    modes[i].run();
    say("done\n");
    return 3;
}
