#include "interpose/inside/early_heap.h"

#include <errno.h>
#include <stdatomic.h>

char early_heap[EARLY_HEAP_BYTES] __attribute__((aligned(4096), visibility("hidden")));
static _Atomic size_t used;

/* Before each block: its size. */
#define HEADER 16

void *early_heap_alloc(size_t alignment, size_t bytes)
{
    if (alignment < 16)
        alignment = 16;
    if (bytes < EARLY_HEAP_BYTES && alignment < EARLY_HEAP_BYTES) {
        size_t at = atomic_load(&used), start;
        do {
            start = (at + HEADER + alignment - 1) & ~(alignment - 1);
            if (start + bytes > EARLY_HEAP_BYTES)
                goto full;
        } while (!atomic_compare_exchange_weak(&used, &at, start + bytes));
        *(size_t *)(early_heap + start - HEADER) = bytes;
        return early_heap + start;
    }
full:
    errno = ENOMEM;
    return NULL;
}

size_t early_heap_size(const void *block)
{
    return *(const size_t *)((const char *)block - HEADER);
}
