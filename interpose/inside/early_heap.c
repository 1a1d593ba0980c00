#include "interpose/inside/early_heap.h"

#include "interpose/inside/sys.h"

#include <errno.h>

/* Memory that only grows. The first is in the library; others are mapped, each at least
 * as large as all before. */
struct area {
    char *start;
    size_t bytes;
    _Atomic size_t used;
};

#define AREAS 24
#define AREA_BYTES (1u << 20) /* of the first that is mapped */

char early_heap[EARLY_HEAP_BYTES] __attribute__((aligned(4096), visibility("hidden")));
_Atomic bool early_heap_is_more;
static struct area areas[AREAS] = { { early_heap, EARLY_HEAP_BYTES, 0 } };
static _Atomic unsigned area_count = 1; /* that are whole */
static _Atomic bool is_mapping;

/* Before each block: its size. */
#define HEADER 16

static void *take(struct area *area, size_t alignment, size_t bytes)
{
    size_t at = atomic_load(&area->used), start;

    do {
        uintptr_t first = (uintptr_t)area->start + at + HEADER;
        start = ((first + alignment - 1) & ~(alignment - 1)) - (uintptr_t)area->start;
        if (start > area->bytes || bytes > area->bytes - start)
            return NULL;
    } while (!atomic_compare_exchange_weak(&area->used, &at, start + bytes));
    *(size_t *)(area->start + start - HEADER) = bytes;
    return area->start + start;
}

/* False: there is none. Another thread that is at it is not waited for: it may be this one. */
static bool map_area(size_t least)
{
    unsigned count = atomic_load(&area_count);
    size_t bytes = (size_t)AREA_BYTES << (count - 1);

    if (count == AREAS || atomic_exchange(&is_mapping, true))
        return false;
    while (bytes < least)
        bytes *= 2;
    areas[count].start = sys_map(-1, 0, bytes);
    areas[count].bytes = bytes;
    bool result = areas[count].start;
    if (result) {
        atomic_store(&area_count, count + 1);
        atomic_store(&early_heap_is_more, true);
    }
    atomic_store(&is_mapping, false);
    return result;
}

void *early_heap_alloc(size_t alignment, size_t bytes)
{
    void *block = NULL;

    if (alignment < 16)
        alignment = 16;
    if (bytes > PTRDIFF_MAX / 4 || alignment > PTRDIFF_MAX / 4)
        goto full;
    do
        for (unsigned i = atomic_load(&area_count); i-- > 0 && !block;)
            block = take(&areas[i], alignment, bytes);
    while (!block && map_area(HEADER + alignment + bytes));
    if (block)
        return block;
full:
    errno = ENOMEM;
    return NULL;
}

bool early_heap_owns_elsewhere(const void *block)
{
    for (unsigned i = atomic_load(&area_count); i-- > 1;)
        if ((uintptr_t)block - (uintptr_t)areas[i].start < areas[i].bytes)
            return true;
    return false;
}

size_t early_heap_size(const void *block)
{
    return *(const size_t *)((const char *)block - HEADER);
}
