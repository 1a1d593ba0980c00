/* pairs same|varied COUNT DEPTH  makes COUNT malloc/free pairs DEPTH frames below main:
 * all with one stack, or each along one of 1,000 leaves, so that the innermost frame or
 * two differ. Prints nanoseconds a pair: CPU, wall. */
#include <stdlib.h>
#include <string.h>

#include "leaves.h"
#include "random.h"
#include "spine.h"
#include "watch.h"

static void *volatile sink;

static void same(void *count)
{
    uint32_t random = 12345;
    for (long i = *(long *)count; i > 0; i--) {
        sink = malloc(random_bytes(random_next(&random)));
        free(sink);
    }
}

static void varied(void *count)
{
    uint32_t random = 12345;
    for (long i = *(long *)count; i > 0; i--) {
        size_t bytes = random_bytes(random_next(&random));
        sink = leaf_malloc(random_next(&random), bytes);
        free(sink);
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: pairs same|varied COUNT DEPTH\n");
        return 2;
    }
    int is_varied = strcmp(argv[1], "varied") == 0;
    spine_bottom *bottom = is_varied ? varied : same;
    long count = atol(argv[2]), warm_up = count / 100, depth = atol(argv[3]) - (is_varied ? 2 : 1);

    spine_descend(depth, bottom, &warm_up);
    struct watch watch = watch_start();
    spine_descend(depth, bottom, &count);
    watch_tell(&watch, count);
    return 0;
}
