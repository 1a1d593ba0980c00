/* threads COUNT THREADS  makes COUNT malloc/free pairs in all, 20 frames deep, each along
 * one of 1,000 leaves; every fourth block is freed by the next thread. Prints nanoseconds
 * a pair: CPU of all threads, wall. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "leaves.h"
#include "random.h"
#include "spine.h"
#include "watch.h"

enum { THREADS_MAX = 64, SLOTS = 256, HANDED_EVERY = 4, DEPTH = 20 };

/* In the inbox are blocks that were handed to this thread: it takes and frees them in
 * turn. One that it has not taken in time is taken out by the giver, who comes round to
 * the slot again. */
struct worker {
    _Alignas(64) _Atomic(void *) inbox[SLOTS];
    struct worker *next;
    long count;
    uint32_t random;
    pthread_t thread;
};

static struct worker workers[THREADS_MAX];

static void pairs(void *context)
{
    struct worker *w = context;
    uint32_t random = w->random;
    for (long i = 0; i < w->count; i++) {
        size_t bytes = random_bytes(random_next(&random));
        void *block = leaf_malloc(random_next(&random), bytes);
        if (i % HANDED_EVERY == 0) {
            long slot = i / HANDED_EVERY % SLOTS;
            void *taken = atomic_exchange(&w->inbox[slot], NULL);
            if (taken)
                free(taken);
            block = atomic_exchange(&w->next->inbox[slot], block);
        }
        if (block) /* free(NULL) may be an event too */
            free(block);
    }
}

static void *start(void *worker)
{
    spine_descend(DEPTH - 2, pairs, worker);
    return NULL;
}

int main(int argc, char **argv)
{
    long count = argc == 3 ? atol(argv[1]) : 0, threads = argc == 3 ? atol(argv[2]) : 0;
    if (threads < 1 || threads > THREADS_MAX) {
        fprintf(stderr, "usage: threads COUNT THREADS\n");
        return 2;
    }
    free(leaf_malloc(0, 1)); /* a recorder's own start is not measured */
    struct watch watch = watch_start();
    for (long i = 0; i < threads; i++) {
        workers[i].next = &workers[(i + 1) % threads];
        workers[i].count = count / threads;
        workers[i].random = 12345 + (uint32_t)i;
    }
    for (long i = 0; i < threads; i++)
        if (pthread_create(&workers[i].thread, NULL, start, &workers[i]) != 0)
            return 1;
    for (long i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    watch_tell(&watch, count / threads * threads);
    for (long i = 0; i < threads; i++)
        for (long slot = 0; slot < SLOTS; slot++)
            free(workers[i].inbox[slot]);
    return 0;
}
