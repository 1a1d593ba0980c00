/* Preloaded: its constructor leaks, and the loader's frames are in that stack. */
#include <stdlib.h>

static void *volatile sink;

static __attribute__((constructor, noinline)) void leak_at_start(void)
{
    sink = malloc(321); /* LEAK 1 321 kept */
}
