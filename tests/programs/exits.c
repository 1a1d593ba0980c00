/* exits MODE: the ways in which a process ends, with constructors, destructors
 * and exit handlers that use the heap. */
#include "truth.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

static void *from_constructor, *from_main;

static __attribute__((constructor)) void before_main(void)
{
    from_constructor = t_malloc(101);
    t_free(t_malloc(102));
}

static __attribute__((destructor)) void after_main(void)
{
    t_free(from_constructor);
    t_free(t_malloc(103));
    t_malloc(104);
}

static void at_exit(void)
{
    t_free(from_main);
    t_free(t_calloc(1, 105));
}

static void at_fast_exit(void)
{
    t_free(t_malloc(106));
}

static void *exits_later(void *main_thread)
{
    pthread_join(*(pthread_t *)main_thread, NULL);
    t_free(t_malloc(107));
    return t_malloc(108);
}

static void *exits_now(void *status)
{
    t_malloc(109);
    exit(*(int *)status);
}

/* Allocates for as long as there is a process. */
static _Noreturn void *never_ends(void *unused)
{
    (void)unused;
    for (;;)
        free(malloc(110));
}

static _Noreturn void *tells_and_never_ends(void *unused)
{
    (void)unused;
    for (size_t i = 0;; i++)
        t_free(t_malloc(i % 1000));
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "return";
    static pthread_t main_thread, other;
    static int status = 9;

    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    main_thread = pthread_self();
    atexit(at_exit);
    at_quick_exit(at_fast_exit);
    from_main = t_malloc(111);
    t_malloc(112);

    if (strcmp(mode, "return") == 0)
        return 3;
    if (strcmp(mode, "exit") == 0)
        exit(4);
    if (strcmp(mode, "_exit") == 0)
        _exit(5);
    if (strcmp(mode, "_Exit") == 0)
        _Exit(6);
    if (strcmp(mode, "quick_exit") == 0)
        quick_exit(7);
    if (strcmp(mode, "exit_group") == 0)
        syscall(SYS_exit_group, 8);
    if (strcmp(mode, "pthread_exit") == 0)
        pthread_exit(NULL);
    if (strcmp(mode, "last_thread") == 0) {
        pthread_create(&other, NULL, exits_later, &main_thread);
        pthread_exit(NULL);
    }
    if (strcmp(mode, "other_thread") == 0) {
        pthread_create(&other, NULL, exits_now, &status);
        for (;;)
            pause();
    }
    if (strcmp(mode, "under_way") == 0) { /* while another thread is in the middle of it */
        pthread_create(&other, NULL, never_ends, NULL);
        usleep(5000);
        return 10;
    }
    if (strcmp(mode, "killed") == 0) { /* the same, and every event counts */
        pthread_create(&other, NULL, tells_and_never_ends, NULL);
        usleep(20000);
        raise(SIGKILL);
    }
    if (strcmp(mode, "abort") == 0)
        abort();
    if (strcmp(mode, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(mode, "term") == 0)
        raise(SIGTERM);
    if (strcmp(mode, "segv") == 0)
        *(volatile int *)8 = 1;
    return 99;
}
