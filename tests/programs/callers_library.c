/* A library that allocates for callers. */
#include "callers.h"

#include <stdlib.h>

static void *blocks[100];
static int block_count;

void callers_library(int count, size_t size)
{
    for (int i = 0; i < count; i++)
        blocks[block_count++] = malloc(size); /* library */
}

void callers_library_end(void)
{
    while (block_count > 0)
        free(blocks[--block_count]);
}
