/* follow WORD... : becomes, and starts, other programs in every way there is.
 *
 *   end N            some calls, the environment as the kernel gave it, exit status N
 *   HOW PROGRAM ...  executes it; HOW is a function of the exec family, or spawn, spawnp
 *   fork WORD ...    a child that does WORD ..., after some calls; likewise _Fork, clone
 *   quiet WORD ...   the same without a call on the heap; quiet_clone
 *   vfork WORD ...   the same by vfork; vmclone: by clone(CLONE_VM) with a stack of its own
 *   daemon WORD ...  a grandchild; its parent ends at once
 *   handled PROGRAM  spawns it again and again; whether a handler of SIGCHLD finds its pid
 *   fails            what failing calls return, and errno
 *   atfork, born     children of a process with handlers, or whose threads are just being made
 *   signal WORD ...  the same in a signal handler on a small stack
 *   many N WORD ...  the same again and again; then, whether that has taken memory
 *   full WORD ...    the same with arguments for which the kernel has just enough room */
#include "children.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/stat.h>

extern char **environ;

static int act(char **words);

static int end(int status)
{
    static char text[1 << 20];
    int fd = open("/proc/self/environ", O_RDONLY);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    close(fd);
    some_calls(100 + (size_t)status);
    for (ssize_t at = 0; at < got; at += (ssize_t)strlen(text + at) + 1)
        if (strncmp(text + at, "LD_PRELOAD=", 11) != 0 && strncmp(text + at, "MALLOSCOPE_", 11) != 0)
            say("%.200s\n", text + at);
    return status;
}

static char *own_environment[] = { (char *)"FIRST=1", (char *)"PATH=/usr/bin:/bin", (char *)"EMPTY=", (char *)"NONE",
                                   (char *)"LAST=x y", NULL };

/* So many variables that there are more than fit a small array. */
static char **large_environment(void)
{
    static char text[3000][16], *entries[3001];

    for (int i = 0; i < 3000; i++) {
        sprintf(text[i], "V%d=%d", i, i);
        entries[i] = text[i];
    }
    return entries;
}

static int execute(const char *how, char **words)
{
    char *program = words[0], *a = words[1], *b = a ? words[2] : NULL, *c = b ? words[3] : NULL;
    pid_t child = 0;
    int error;

    if (strcmp(how, "execve") == 0)
        return execve(program, words, own_environment);
    if (strcmp(how, "execve_large") == 0)
        return execve(program, words, large_environment());
    if (strcmp(how, "execve_null") == 0)
        return execve(program, words, NULL);
    if (strcmp(how, "execv") == 0)
        return execv(program, words);
    if (strcmp(how, "execvp") == 0)
        return execvp(program, words);
    if (strcmp(how, "execvpe") == 0)
        return execvpe(program, words, own_environment);
    if (strcmp(how, "execl") == 0)
        return execl(program, program, a, b, c, (char *)NULL);
    if (strcmp(how, "execlp") == 0)
        return execlp(program, program, a, b, c, (char *)NULL);
    if (strcmp(how, "execle") == 0) /* which ends at the first NULL */
        return a && b && !c ? execle(program, program, a, b, (char *)NULL, own_environment) : -1;
    if (strcmp(how, "fexecve") == 0)
        return fexecve(open(program, O_RDONLY | O_CLOEXEC), words, own_environment);
    if (strcmp(how, "execveat") == 0)
        return execveat(open("/", O_PATH | O_CLOEXEC), program + 1, words, own_environment, 0);
    if (strcmp(how, "clearenv") == 0) {
        clearenv();
        return execv(program, words);
    }
    if (strcmp(how, "syscall") == 0) /* which no library sees */
        return (int)syscall(SYS_execve, program, words, environ);
    if (strcmp(how, "spawn") == 0)
        error = posix_spawn(&child, program, NULL, NULL, words, own_environment);
    else if (strcmp(how, "spawnp") == 0)
        error = posix_spawnp(&child, program, NULL, NULL, words, environ);
    else if (strcmp(how, "spawn_nobody") == 0)
        error = posix_spawn(NULL, program, NULL, NULL, words, own_environment);
    else
        return -2;
    if (!error)
        wait_for(child ? child : -1, "spawned");
    say("%s: %d\n", how, error);
    return error ? 1 : 0;
}

static int in_vm_clone(void *words)
{
    act(words);
    _exit(120);
}

static int start(const char *how, char **words)
{
    static char stack[65536] __attribute__((aligned(16)));
    pid_t child;

    if (strcmp(how, "vfork") == 0 && (child = vfork()) == 0) {
        act(words);
        _exit(120);
    }
    if (strcmp(how, "vmclone") == 0)
        child = clone(in_vm_clone, stack + sizeof stack, CLONE_VM | SIGCHLD, words);
    else if (strcmp(how, "vfork") != 0) {
        bool quiet = strncmp(how, "quiet", 5) == 0;
        if (strcmp(how, "_Fork") == 0)
            child = _Fork();
        else if (strstr(how, "clone"))
            child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
        else
            child = fork();
        if (child == 0) {
            if (!quiet)
                some_calls(50);
            _exit(act(words));
        }
    }
    wait_for(child, how);
    return 0;
}

static int daemonize(char **words)
{
    int tie[2];
    char c;

    if (pipe(tie) != 0)
        return 1;
    some_calls(60);
    pid_t child = fork();
    if (child == 0) {
        setsid();
        if (fork() != 0)
            _exit(0);
        some_calls(61);
        _exit(act(words));
    }
    close(tie[1]);
    while (read(tie[0], &c, 1) > 0) /* until all that hold the other end have ended */
        ;
    wait_for(child, "parent of the daemon");
    return 0;
}

static void tell(const char *how, int result)
{
    say("%s: %d, errno %d\n", how, result, errno);
    errno = 0;
}

/* In a directory with files for each way to fail; see test_follow.py. */
static int fails(void)
{
    static char *const names[] = { (char *)"./absent", (char *)"./plain", (char *)"./file/below", (char *)"./directory",
                                   (char *)"./loop", (char *)"./empty", (char *)"./garbage", (char *)"./cut",
                                   (char *)"./no-interpreter", (char *)"./static-no-x", (char *)"./foreign-no-x",
                                   (char *)"", (char *)"no-such-program-anywhere" };
    enum { SHELL_TAKES_FIRST = 5, SHELL_TAKES_LAST = 7 };
    static const char *const ways[] = { "execve", "execv", "execvp", "execvpe", "execl", "execlp", "fexecve", "execveat" };
    const char *volatile nowhere = NULL;
    static char huge[4 << 20];

    memset(huge, 'x', sizeof huge - 1);
    errno = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *words[] = { names[i], NULL };
        for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
            int fd = -1;
            if (strchr(ways[k], 'p') && i >= SHELL_TAKES_FIRST && i <= SHELL_TAKES_LAST)
                continue; /* it would succeed, by the shell */
            if (strcmp(ways[k], "fexecve") == 0 || strcmp(ways[k], "execveat") == 0) {
                fd = open(names[i], O_PATH | O_CLOEXEC);
                errno = 0;
            }
            say("%s ", names[i]);
            if (strcmp(ways[k], "fexecve") == 0)
                tell(ways[k], fexecve(fd, words, own_environment));
            else if (strcmp(ways[k], "execveat") == 0)
                tell(ways[k], execveat(fd, "", words, own_environment, AT_EMPTY_PATH));
            else
                tell(ways[k], execute(ways[k], words));
            if (fd >= 0)
                close(fd);
        }
        pid_t child = 77;
        say("%s ", names[i]);
        tell("spawn", posix_spawn(&child, names[i], NULL, NULL, words, own_environment));
        say("%s ", names[i]);
        tell("spawnp", posix_spawnp(&child, names[i], NULL, NULL, words, own_environment));
    }
    char *words[] = { (char *)"/bin/true", huge, NULL }, *many[] = { huge, NULL }, *none[] = { NULL };
    tell("too long an argument", execv("/bin/true", words));
    tell("too long a variable", execve("/bin/true", none, many));
    tell("no path", execve(nowhere, words, own_environment));
    tell("no descriptor", execveat(-1, "x", words, own_environment, 0));
    tell("bad flags", execveat(AT_FDCWD, "/bin/true", words, own_environment, 0x70000000));
    some_calls(40);
    return 0;
}

static void before_fork(void)
{
    some_calls(200);
}

static void in_parent(void)
{
    some_calls(210);
}

static void in_child(void)
{
    some_calls(220);
}

static atomic_bool enough;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void *allocates(void *number)
{
    for (size_t i = (uintptr_t)number; !enough; i++) {
        pthread_mutex_lock(&held);
        free(malloc(i % 3000));
        pthread_mutex_unlock(&held);
        free(calloc(1, i % 700));
        if (i % 300 == 0)
            usleep(100);
    }
    return NULL;
}

static int with_handlers(void)
{
    pthread_t threads[3];

    pthread_atfork(before_fork, in_parent, in_child);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, allocates, (void *)(intptr_t)i);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            some_calls(230);
            _exit(i);
        }
        wait_for(child, "child");
    }
    enough = true;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

static void *is_born(void *unused)
{
    free(malloc(10));
    return unused;
}

static void *makes_threads(void *unused)
{
    while (!enough) {
        pthread_t threads[4];
        for (int i = 0; i < 4; i++)
            pthread_create(&threads[i], NULL, is_born, NULL);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
    }
    return unused;
}

static int while_threads_are_made(void)
{
    pthread_t maker;

    pthread_create(&maker, NULL, makes_threads, NULL);
    for (int i = 0; i < 30; i++) {
        pid_t child = fork();
        if (child == 0) {
            pthread_t thread;
            some_calls(240);
            pthread_create(&thread, NULL, is_born, NULL);
            pthread_join(thread, NULL);
            _exit(i);
        }
        wait_for(child, "child");
    }
    enough = true;
    pthread_join(maker, NULL);
    return 0;
}

static char **in_handler_words;

static void handler(int number)
{
    (void)number;
    _exit(act(in_handler_words));
}

static int in_signal(char **words)
{
    static char stack[10240];
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };

    sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof stack }, NULL);
    sigaction(SIGUSR1, &action, NULL);
    in_handler_words = words;
    raise(SIGUSR1);
    return 121;
}

static volatile pid_t spawned;
static volatile sig_atomic_t ended, known;

static void child_ended(int number)
{
    pid_t child;
    int saved_errno = errno;

    (void)number;
    while ((child = waitpid(-1, NULL, WNOHANG)) > 0) {
        known += child == spawned;
        ended++;
    }
    errno = saved_errno;
}

static int spawn_handled(char **words)
{
    struct sigaction action = { .sa_handler = child_ended, .sa_flags = SA_RESTART };
    enum { ROUNDS = 60 };

    sigaction(SIGCHLD, &action, NULL);
    for (int i = 1; i <= ROUNDS; i++) {
        spawned = -1;
        if (posix_spawn((pid_t *)(uintptr_t)&spawned, words[0], NULL, NULL, words, environ) != 0)
            return 1;
        while (ended < i)
            usleep(100);
    }
    say("%d of %d pids were there\n", (int)known, ROUNDS);
    return 0;
}

/* Of address space. */
static long memory_pages(void)
{
    char text[64] = "";
    int fd = open("/proc/self/statm", O_RDONLY);

    read(fd, text, sizeof text - 1);
    close(fd);
    return atol(text);
}

/* Executes words[1] with as many more arguments as just go. The kernel's limit is found by trying. */
static int with_full_arguments(char **words)
{
    static char filler[131000];
    static char *arguments[64];
    size_t count = 1, fits = 0;

    memset(filler, 'x', sizeof filler - 1);
    arguments[0] = words[1];
    for (size_t bytes = sizeof filler - 1; bytes; bytes /= 2) {
        for (;; fits++) {
            char *rest = filler + sizeof filler - 1 - bytes;
            arguments[count] = rest;
            pid_t child = fork();
            if (child == 0) {
                syscall(SYS_execve, "/bin/true", arguments, own_environment);
                _exit(1);
            }
            int status = 0;
            waitpid(child, &status, 0);
            if (status)
                break;
            count++;
        }
    }
    arguments[count] = NULL;
    say("arguments: %zu\n", fits);
    execute(words[0], arguments);
    return 126;
}

static int act(char **words)
{
    static const char *const starts[] = { "fork", "_Fork", "clone", "quiet", "quiet_clone", "vfork", "vmclone" };
    const char *word = *words++;

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strcmp(word, starts[i]) == 0)
            return start(word, words);
    if (strcmp(word, "end") == 0)
        return end(*words ? atoi(*words) : 0);
    if (strcmp(word, "daemon") == 0)
        return daemonize(words);
    if (strcmp(word, "fails") == 0)
        return fails();
    if (strcmp(word, "atfork") == 0)
        return with_handlers();
    if (strcmp(word, "born") == 0)
        return while_threads_are_made();
    if (strcmp(word, "signal") == 0)
        return in_signal(words);
    if (strcmp(word, "many") == 0) { /* the same again and again: N WORD ... */
        long before = memory_pages();
        for (int i = atoi(*words); i > 0; i--)
            act(words + 1);
        say("memory taken: %s\n", memory_pages() - before < 200 ? "little" : "much");
        return 0;
    }
    if (strcmp(word, "handled") == 0)
        return spawn_handled(words);
    if (strcmp(word, "full") == 0)
        return with_full_arguments(words);
    int result = execute(word, words);
    return result < 0 ? 126 : result;
}

int main(int argc, char **argv)
{
    static char *const nothing[] = { (char *)"end", (char *)"0", NULL };

    some_calls(30);
    return act(argc > 1 ? argv + 1 : (char **)(uintptr_t)nothing);
}
