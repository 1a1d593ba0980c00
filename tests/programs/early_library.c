/* For early.c; linked with -z initfirst, so that its constructor runs before
 * that of every other library. It takes all thread keys that need no memory, so
 * that whoever comes later has one for which libc allocates in each thread. */
#include "truth.h"

#include <pthread.h>

void *early_block(void);

static void *blocks[3];

__attribute__((visibility("default"))) void *early_block(void)
{
    return blocks[1];
}

static __attribute__((constructor)) void earliest(void)
{
    pthread_key_t keys[40];

    for (size_t i = 0; i < 40; i++)
        pthread_key_create(&keys[i], NULL);
    for (size_t i = 0; i < 3; i++)
        blocks[i] = t_calloc(1, 50 + i);
    t_free(blocks[2]);
    t_free(t_malloc(60));
}
