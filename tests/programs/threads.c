/* threads WAVES THREADS OPERATIONS: in each wave that many threads, each with a
 * list of its own; some blocks go through a queue and are freed by others. */
#define TRUTH_BUFFERED
#include "truth.h"

#include <pthread.h>

#define OWN 64
#define QUEUE 256

static void *queue[QUEUE];
static size_t queued;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long operations;

/* False: no room. */
static bool give(void *block)
{
    pthread_mutex_lock(&lock);
    bool room = queued < QUEUE;
    if (room)
        queue[queued++] = block;
    pthread_mutex_unlock(&lock);
    return room;
}

static void *take(void)
{
    pthread_mutex_lock(&lock);
    void *block = queued ? queue[--queued] : NULL;
    pthread_mutex_unlock(&lock);
    return block;
}

static void *work(void *argument)
{
    void *own[OWN] = { NULL };
    uint64_t random = (uintptr_t)argument * 0x9e3779b97f4a7c15ull | 1;

    for (unsigned long i = 0; i < operations; i++) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        void **mine = &own[random >> 32 & (OWN - 1)];
        size_t size = random >> 40 & 511;
        switch (random >> 60) {
        case 0:
        case 1:
            if (*mine && give(*mine))
                *mine = NULL;
            break;
        case 2:
        case 3:
            t_free(take());
            break;
        case 4:
            if (*mine)
                *mine = t_realloc(*mine, size + 1);
            break;
        default:
            if (*mine) {
                t_free(*mine);
                *mine = NULL;
            } else {
                *mine = random >> 59 & 1 ? t_malloc(size) : t_calloc(1, size);
            }
        }
    }
    for (int i = 0; i < OWN; i++)
        t_free(own[i]);
    truth_flush();
    return NULL;
}

int main(int argc, char **argv)
{
    int waves = argc > 1 ? atoi(argv[1]) : 2, count = argc > 2 ? atoi(argv[2]) : 4;
    pthread_t threads[256];

    operations = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000;
    for (int wave = 0; wave < waves; wave++) {
        for (int i = 0; i < count && i < 256; i++)
            pthread_create(&threads[i], NULL, work, (void *)(intptr_t)(wave * count + i + 1));
        for (int i = 0; i < count && i < 256; i++)
            pthread_join(threads[i], NULL);
    }
    for (void *block; (block = take());)
        t_free(block);
    truth_flush();
    say("done\n");
    return 0;
}
