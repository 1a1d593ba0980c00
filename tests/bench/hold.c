/* hold LIVE COUNT  fills LIVE places with blocks, 20 frames deep along one of 1,000 leaves,
 * puts a new block into COUNT of them, chosen at random, then frees all but every tenth.
 * Prints nanoseconds a block: CPU, wall. */
#include <stdlib.h>

#include "leaves.h"
#include "random.h"
#include "spine.h"
#include "watch.h"

enum { DEPTH = 20, LEAKED_EVERY = 10 };

struct places {
    void **of;
    uint32_t live;
    long count;
};

static void hold(void *context)
{
    const struct places *p = context;
    uint32_t random = 12345;

    for (uint32_t i = 0; i < p->live; i++) {
        size_t bytes = random_bytes(random_next(&random));
        p->of[i] = leaf_malloc(random_next(&random), bytes);
    }
    for (long i = 0; i < p->count; i++) {
        void **place = &p->of[random_next(&random) % p->live];
        size_t bytes = random_bytes(random_next(&random));
        free(*place);
        *place = leaf_malloc(random_next(&random), bytes);
    }
    for (uint32_t i = 0; i < p->live; i++)
        if (i % LEAKED_EVERY)
            free(p->of[i]);
}

int main(int argc, char **argv)
{
    struct places places = { .live = argc == 3 ? (uint32_t)atol(argv[1]) : 0, .count = argc == 3 ? atol(argv[2]) : 0 };

    if (!places.live) {
        fprintf(stderr, "usage: hold LIVE COUNT\n");
        return 2;
    }
    places.of = malloc(places.live * sizeof *places.of);
    if (!places.of)
        return 1;
    struct watch watch = watch_start();
    spine_descend(DEPTH - 2, hold, &places);
    watch_tell(&watch, places.live + places.count);
    free(places.of);
    return 0;
}
