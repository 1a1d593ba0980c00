/* forks MODE: processes that come from this one, in every way there is. */
#include "children.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>

extern char **environ;

static const char *self;
static atomic_bool enough;

static int forks(void)
{
    some_calls(1000);
    for (size_t i = 1; i <= 5; i++) {
        pid_t child = fork();
        if (child == 0) {
            some_calls(1000 + i);
            if (i == 3) { /* children of children */
                pid_t grandchild = fork();
                if (grandchild == 0) {
                    some_calls(2000);
                    _exit(2);
                }
                wait_for(grandchild, "grandchild");
            }
            if (i == 4)
                exit(4);
            if (i == 5)
                abort();
            _exit((int)i);
        }
        some_calls(1100 + i);
        wait_for(child, "child");
    }
    pid_t idle = fork(); /* never allocates */
    if (idle == 0)
        _exit(0);
    wait_for(idle, "idle child");
    return 0;
}

static void *forks_in_thread(void *unused)
{
    (void)unused;
    some_calls(300);
    pid_t child = fork();
    if (child == 0) {
        some_calls(301);
        _exit(1);
    }
    wait_for(child, "child of a thread");
    some_calls(302);
    return NULL;
}

static int in_thread(void)
{
    pthread_t thread;

    some_calls(200);
    pthread_create(&thread, NULL, forks_in_thread, NULL);
    pthread_join(thread, NULL);
    some_calls(201);
    return 0;
}

static int with_vfork(void)
{
    some_calls(400);
    for (int i = 0; i < 3; i++) {
        pid_t child = vfork();
        if (child == 0) {
            execl(self, self, "child", (char *)NULL);
            _exit(127);
        }
        some_calls(401);
        wait_for(child, "child of vfork");
    }
    pid_t child = vfork();
    if (child == 0)
        _exit(9);
    wait_for(child, "child that ends at once");
    some_calls(402);
    return 0;
}

static int with_spawn(void)
{
    char *arguments[] = { (char *)(uintptr_t)self, (char *)(uintptr_t)"child", NULL };
    pid_t child;

    some_calls(500);
    for (int i = 0; i < 3; i++) {
        int error = posix_spawn(&child, self, NULL, NULL, arguments, environ);
        if (error)
            say("posix_spawn: %d\n", error);
        some_calls(501);
        wait_for(child, "spawned child");
    }
    return 0;
}

static int with_exec(int rounds)
{
    char rest[2] = { (char)('0' + rounds - 1), 0 };

    some_calls(600 + (size_t)rounds);
    if (rounds == 0)
        return 7;
    execl(self, self, "exec", rest, (char *)NULL);
    return 127;
}

/* The grandchild goes on for a while after the program has ended. */
static int daemonize(void)
{
    some_calls(700);
    pid_t child = fork();
    if (child == 0) {
        setsid();
        some_calls(701);
        if (fork() != 0)
            _exit(0);
        int null = open("/dev/null", O_RDWR);
        for (int fd = 0; fd < 3; fd++)
            dup2(null, fd);
        for (size_t i = 0; i < 20; i++) {
            some_calls(710 + i);
            usleep(20000);
        }
        truth("end-of-daemon", NULL, NO_SIZE, 0);
        _exit(0);
    }
    wait_for(child, "child");
    some_calls(702);
    return 0;
}

static NOINLINE void *allocates(size_t size, unsigned depth)
{
    return depth ? allocates(size, depth - 1) : malloc(size);
}

static void *allocates_always(void *number)
{
    for (size_t i = (uintptr_t)number; !enough; i++) {
        free(allocates(i % 5000, i % 7));
        if (i % 500 == 0)
            usleep(200); /* so that the log stays small */
    }
    return NULL;
}

/* Has the loader at work, and its locks held, most of the time. */
static void *loads_always(void *unused)
{
    (void)unused;
    while (!enough) {
        void *library = dlopen("libdl.so.2", RTLD_NOW), *other = dlopen("libanl.so.1", RTLD_NOW);
        if (library)
            dlclose(library);
        if (other)
            dlclose(other);
        usleep(50);
    }
    return NULL;
}

/* Children of a process whose other threads are in the allocator, or in the
 * loader, all the time: whatever lock they hold at that moment, the child must
 * not wait for it. */
static int busy(int children, void *(*work)(void *))
{
    pthread_t threads[3];

    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, work, (void *)(intptr_t)(i * 1000));
    for (int i = 0; i < children; i++) {
        pid_t child = fork();
        if (child == 0) {
            some_calls(800);
            t_free(truth_alloc("malloc", allocates(1, 3), 1, 0));
            _exit(0);
        }
        int status = 0;
        for (int waits = 0; waitpid(child, &status, WNOHANG) == 0; waits++) {
            usleep(500);
            if (waits == 10000)
                kill(child, SIGKILL);
        }
        if (status) {
            say("child %d: status %#x\n", i, status);
            break;
        }
    }
    enough = true;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    say("done\n");
    return 0;
}

static int inherits(void)
{
    void *blocks[50];

    for (size_t i = 0; i < 50; i++)
        blocks[i] = t_malloc(900 + i);
    pid_t child = fork();
    if (child == 0) {
        for (size_t i = 0; i < 50; i += 2)
            t_free(blocks[i]);
        for (size_t i = 1; i < 50; i += 2)
            blocks[i] = t_realloc(blocks[i], 2000 + i);
        some_calls(901);
        _exit(0);
    }
    for (size_t i = 0; i < 50; i++)
        t_free(blocks[i]);
    wait_for(child, "child");
    return 0;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "fork";

    self = argv[0];
    if (strcmp(mode, "fork") == 0)
        return forks();
    if (strcmp(mode, "thread") == 0)
        return in_thread();
    if (strcmp(mode, "vfork") == 0)
        return with_vfork();
    if (strcmp(mode, "spawn") == 0)
        return with_spawn();
    if (strcmp(mode, "exec") == 0)
        return with_exec(argc > 2 ? atoi(argv[2]) : 3);
    if (strcmp(mode, "daemon") == 0)
        return daemonize();
    if (strcmp(mode, "busy") == 0)
        return busy(argc > 2 ? atoi(argv[2]) : 50, allocates_always);
    if (strcmp(mode, "loader") == 0)
        return busy(argc > 2 ? atoi(argv[2]) : 50, loads_always);
    if (strcmp(mode, "inherit") == 0)
        return inherits();
    if (strcmp(mode, "child") == 0) {
        some_calls(123);
        return 5;
    }
    return 99;
}
