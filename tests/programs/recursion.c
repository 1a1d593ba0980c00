/* recursion DEPTH STEP: one allocation of N bytes from each depth N that STEP
 * divides, down to DEPTH and up again. */
#define TRUTH_BUFFERED
#include "truth.h"

static size_t step;

static NOINLINE void descend(size_t depth, size_t deepest)
{
    if (depth % step == 0)
        t_free(t_malloc(depth));
    if (depth < deepest)
        descend(depth + 1, deepest);
    if (depth % step == 0)
        t_malloc(depth);
}

int main(int argc, char **argv)
{
    step = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    descend(1, argc > 1 ? strtoul(argv[1], NULL, 10) : 10);
    truth_flush();
    return 0;
}
