#include "interpose/inside/block_set.h"

#include "interpose/inside/process.h"
#include "interpose/inside/sys.h"

_Atomic(block_set_leaf *) block_set_leaves;

#define LEAVES_BYTES (BLOCK_SET_LEAVES * sizeof(block_set_leaf))
#define LEAF_BYTES (BLOCK_SET_WORDS * sizeof(uint64_t))

static void *map(size_t bytes)
{
    return sys_forbidden ? process_map_wiped(bytes) : sys_map(-1, 0, bytes);
}

static bool make_leaves(void)
{
    block_set_leaf *none = NULL, *fresh = map(LEAVES_BYTES);

    if (!fresh)
        return false;
    if (!atomic_compare_exchange_strong(&block_set_leaves, &none, fresh))
        process_unmap_wiped(fresh, LEAVES_BYTES); /* another thread was faster */
    return true;
}

static bool make_leaf(uint64_t leaf)
{
    _Atomic uint64_t *words = NULL, *fresh = map(LEAF_BYTES);

    if (!fresh)
        return false;
    if (!atomic_compare_exchange_strong(&atomic_load(&block_set_leaves)[leaf], &words, fresh))
        process_unmap_wiped(fresh, LEAF_BYTES);
    return true;
}

bool block_set_add(const void *block)
{
    uint64_t address = (uint64_t)block;
    _Atomic uint64_t *word = block_set_word(address);

    if (!word) {
        uint64_t leaf = address >> BLOCK_SET_LEAF_BITS;
        if (leaf >= BLOCK_SET_LEAVES || (!atomic_load(&block_set_leaves) && !make_leaves()) || !make_leaf(leaf))
            return false;
        word = block_set_word(address);
    }
    atomic_fetch_or_explicit(word, 1ull << (address >> 3 & 63), memory_order_relaxed);
    return true;
}
