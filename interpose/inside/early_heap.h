/* Memory for calls that come while the real functions are still being looked
 * up, and for what the loader allocates on our behalf. Never aborts; blocks are never
 * given back; every hook knows them by their address. May run inside a traced malloc, from any thread. */
#ifndef MALLOSCOPE_INSIDE_EARLY_HEAP_H
#define MALLOSCOPE_INSIDE_EARLY_HEAP_H

#include "interpose/inside/hints.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EARLY_HEAP_BYTES (128u << 10) /* more would count against limits that the program may have (RLIMIT_DATA) */
extern char early_heap[EARLY_HEAP_BYTES];

/* What does not fit there has mappings of its own. */
extern _Atomic bool early_heap_is_more;
bool early_heap_owns_elsewhere(const void *block);

/* Zeroed; alignment is a power of two. NULL with ENOMEM when it is used up. */
void *early_heap_alloc(size_t alignment, size_t bytes);
size_t early_heap_size(const void *block);

static inline bool early_heap_owns(const void *block)
{
    return (uintptr_t)block - (uintptr_t)early_heap < EARLY_HEAP_BYTES ||
           (UNLIKELY(atomic_load_explicit(&early_heap_is_more, memory_order_relaxed)) && early_heap_owns_elsewhere(block));
}

#endif
