/* callers: allocations by callers of all kinds, whose lines and counts tests/cli/test_sites.py
 * knows: it looks for the words in these comments. Compiled with line numbers.
 *   wrapped      200 x 100 bytes through xmalloc, freed at once, by two calls
 *   copied        30 x strdup of 9 characters, leaked
 *   inlined       40 x 64 bytes in a function that is inlined, kept to the end
 *   recursive     12 turns of a function that calls itself, then 5 x 500 bytes, leaked
 *   mutual        two functions that call each other 6 times, then 7 x 700 bytes, leaked
 *   one line      10 + 10 x 48 bytes by two calls in one line, freed at once
 *   grown         a block of 16 to 320 bytes by realloc in steps of 16
 *   library       30 + 20 x 1000 bytes, kept to the end, by two calls of callers_library.c
 *   threads       worker-1 to worker-3: 10, 20, 30 x 32 bytes, freed at once; other: 5 */
#include "callers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static void *volatile sink;
static void *kept[100];
static size_t kept_count;

__attribute__((noinline)) void *xmalloc(size_t size)
{
    void *block = malloc(size);

    if (!block)
        abort();
    return block;
}

__attribute__((noinline)) static void wrapped(void)
{
    for (int i = 0; i < 150; i++) {
        sink = xmalloc(100); /* wrapped, first */
        free(sink);
    }
    for (int i = 0; i < 50; i++) {
        sink = xmalloc(100); /* wrapped, second */
        free(sink);
    }
}

__attribute__((noinline)) static void copied(void)
{
    for (int i = 0; i < 30; i++)
        sink = strdup("callers.c"); /* copied */
}

__attribute__((always_inline)) static inline void *make_one(void)
{
    void *block = malloc(64); /* inlined: the innermost */
    sink = block;
    return block;
}

__attribute__((noinline)) static void inlined(void)
{
    for (int i = 0; i < 40; i++)
        kept[kept_count++] = make_one(); /* inlined: its caller */
}

__attribute__((noinline)) static int recursive(int turns)
{
    int below = 0;

    if (turns > 1)
        below = recursive(turns - 1);
    else
        for (int i = 0; i < 5; i++)
            sink = malloc(500); /* recursive */
    return below + 1;
}

static int pong(int turns);

__attribute__((noinline)) static int ping(int turns)
{
    return pong(turns) + 1;
}

__attribute__((noinline)) static int pong(int turns)
{
    if (turns > 1)
        return ping(turns - 1) + 1;
    for (int i = 0; i < 7; i++)
        sink = malloc(700); /* mutual */
    return 1;
}

__attribute__((noinline)) static void one_line(void)
{
    for (int i = 0; i < 10; i++) {
        void *a = malloc(48), *b = malloc(48); /* one line */
        sink = a;
        sink = b;
        free(b);
        free(a);
    }
}

__attribute__((noinline)) static void grown(void)
{
    void *block = NULL;

    for (size_t size = 16; size <= 320; size += 16)
        block = sink = realloc(block, size); /* grown */
    free(block);
}

struct worker {
    const char *name;
    int count;
};

static void *work(void *data)
{
    const struct worker *w = data;

    prctl(PR_SET_NAME, w->name);
    for (int i = 0; i < w->count; i++) {
        sink = malloc(32); /* threads */
        free(sink);
    }
    return NULL;
}

static void run_threads(void)
{
    static struct worker workers[] = { { "worker-1", 10 }, { "worker-2", 20 }, { "worker-3", 30 }, { "other", 5 } };

    for (size_t i = 0; i < sizeof workers / sizeof *workers; i++) { /* one after the other: who frees last is known */
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, &workers[i]) != 0)
            abort();
        pthread_join(thread, NULL);
    }
}

int main(void)
{
    wrapped();
    copied();
    inlined();
    recursive(12);
    ping(6);
    one_line();
    grown();
    callers_library(30, 1000);
    callers_library(20, 1000);
    run_threads();
    for (size_t i = 0; i < kept_count; i++)
        free(kept[i]);
    callers_library_end();
    return 0;
}
