/* For early.c; linked with -z initfirst, so that its constructor runs before
 * that of every other library. */
#include "truth.h"

void *early_block(void);

static void *blocks[3];

__attribute__((visibility("default"))) void *early_block(void)
{
    return blocks[1];
}

static __attribute__((constructor)) void earliest(void)
{
    for (size_t i = 0; i < 3; i++)
        blocks[i] = t_calloc(1, 50 + i);
    t_free(blocks[2]);
    t_free(t_malloc(60));
}
