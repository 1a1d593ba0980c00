/* many_threads MODE [COUNT]: threads in numbers, and all ways in which they end.
 *
 *   at_once     COUNT threads that live at the same time
 *   storm       COUNT threads, a few at a time, that hardly live
 *   late        the same, and each allocates after all that could notice its end has run
 *   cancel      COUNT threads that are cancelled while they allocate, in both ways
 *   detached    the program ends while COUNT detached threads allocate
 *   names       threads with names, that change */
#include "truth.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static unsigned long count;
static pthread_key_t key;
static pthread_barrier_t all_there;

static unsigned long memory_kilobytes(void)
{
    char text[4096];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    close(fd);
    text[got > 0 ? got : 0] = 0;
    char *line = strstr(text, "VmRSS:");
    return line ? strtoul(line + 6, NULL, 10) : 0;
}

/* --- many at once ---------------------------------------------------------- */

static void *live_together(void *number)
{
    void *block = t_malloc(100 + (uintptr_t)number % 7);

    pthread_barrier_wait(&all_there);
    t_free(t_calloc(3, 50));
    pthread_barrier_wait(&all_there);
    t_free(block);
    return NULL;
}

/* Threads that wait for those that could not be made would wait forever: so the number is found first. */
static unsigned long most_threads(void)
{
    unsigned long most = count;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur / 2 < most)
        most = limit.rlim_cur / 2;
    return most;
}

static void at_once(void)
{
    unsigned long most = most_threads();
    pthread_attr_t small;
    pthread_t *threads = t_malloc(most * sizeof *threads);

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 128 << 10);
    pthread_barrier_init(&all_there, NULL, (unsigned)most);
    for (unsigned long i = 0; i < most; i++)
        if (pthread_create(&threads[i], &small, live_together, (void *)i) != 0) {
            say("BAD: thread %lu cannot be made\n", i);
            _exit(1);
        }
    for (unsigned long i = 0; i < most; i++)
        pthread_join(threads[i], NULL);
    t_free(threads);
    say("all were there\n");
}

/* --- one after the other --------------------------------------------------- */

static void *live_shortly(void *late)
{
    t_free(t_malloc(20));
    if (late)
        pthread_setspecific(key, (void *)PTHREAD_DESTRUCTOR_ITERATIONS);
    return NULL;
}

/* In the last round, which nothing comes after. */
static void at_end(void *rounds)
{
    if ((uintptr_t)rounds > 1)
        pthread_setspecific(key, (void *)((uintptr_t)rounds - 1));
    else
        t_free(t_malloc(40));
}

static void storm(bool late)
{
    enum { AT_A_TIME = 8, WARM = 800 };
    pthread_t threads[AT_A_TIME];
    unsigned long before = 0;

    pthread_key_create(&key, at_end);
    for (unsigned long i = 0; i < count; i += AT_A_TIME) {
        for (int k = 0; k < AT_A_TIME; k++)
            pthread_create(&threads[k], NULL, live_shortly, late ? &key : NULL);
        for (int k = 0; k < AT_A_TIME; k++)
            pthread_join(threads[k], NULL);
        if (i == WARM)
            before = memory_kilobytes();
    }
    unsigned long after = memory_kilobytes();
    if (after > before + 4096)
        say("BAD: %lu KiB after a few threads, %lu KiB after all\n", before, after);
    say("done\n");
}

/* --- cancelled ------------------------------------------------------------- */

static atomic_ulong at_work;

struct life {
    void *block;
    volatile unsigned long sum;
};

static void clean_up(void *argument)
{
    struct life *life = argument;

    t_free(life->block);
    t_free(t_realloc(t_malloc(60), 600));
}

static void *allocate_forever(void *anywhere)
{
    struct life life = { 0 };

    pthread_cleanup_push(clean_up, &life);
    for (size_t i = 0;; i++) {
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL); /* to tell of it is to write */
        life.block = t_realloc(life.block, 30 + i % 5);
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
        atomic_fetch_add(&at_work, 1);
        if (anywhere) { /* no heap's function may be cancelled in its middle */
            pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
            for (int k = 0; k < 2000; k++)
                life.sum++;
            pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
        } else {
            pthread_testcancel();
        }
    }
    pthread_cleanup_pop(1);
    return NULL;
}

static void cancel(void)
{
    for (unsigned long i = 0; i < count; i++) {
        pthread_t thread;
        void *result = NULL;
        unsigned long seen = at_work;
        pthread_create(&thread, NULL, allocate_forever, i % 2 ? &key : NULL);
        while (at_work < seen + i % 20)
            sched_yield();
        pthread_cancel(thread);
        pthread_join(thread, &result);
        if (result != PTHREAD_CANCELED)
            say("BAD: not cancelled\n");
    }
    say("done\n");
}

/* --- others ---------------------------------------------------------------- */

static void *go_on(void *unused)
{
    (void)unused;
    pthread_detach(pthread_self());
    for (size_t i = 0;; i++) {
        t_free(t_malloc(70 + i % 9));
        atomic_fetch_add(&at_work, 1);
    }
    return NULL;
}

static void detached(void)
{
    pthread_t thread;

    for (unsigned long i = 0; i < count; i++)
        pthread_create(&thread, NULL, go_on, NULL);
    while (at_work < 100 * count)
        sched_yield();
    say("done\n");
}

static void *change_name(void *name)
{
    t_free(t_malloc(80));
    pthread_setname_np(pthread_self(), name);
    t_free(t_malloc(81));
    return NULL;
}

static void names(void)
{
    static char *const wanted[] = { "first", "", "fifteen-letters", "with spaces\tin", "\xff\xfe" };
    pthread_t thread;

    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        pthread_create(&thread, NULL, change_name, wanted[i]);
        pthread_join(thread, NULL);
    }
    say("done\n");
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";

    count = argc > 2 ? strtoul(argv[2], NULL, 10) : 10;
    if (strcmp(mode, "at_once") == 0)
        at_once();
    else if (strcmp(mode, "storm") == 0 || strcmp(mode, "late") == 0)
        storm(*mode == 'l');
    else if (strcmp(mode, "cancel") == 0)
        cancel();
    else if (strcmp(mode, "detached") == 0)
        detached();
    else
        names();
    return 0;
}
