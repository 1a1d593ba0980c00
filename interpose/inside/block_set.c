#include "interpose/inside/block_set.h"

#include "interpose/inside/process.h"
#include "interpose/inside/sys.h"

_Atomic(_Atomic uint64_t *) block_set_leaf[BLOCK_SET_LEAVES];

#define LEAF_BYTES (BLOCK_SET_WORDS * sizeof(uint64_t))

static bool make_leaf(uint64_t leaf)
{
    _Atomic uint64_t *words = NULL, *fresh = sys_forbidden ? process_map_wiped(LEAF_BYTES) : sys_map(-1, 0, LEAF_BYTES);

    if (!fresh)
        return false;
    if (!atomic_compare_exchange_strong(&block_set_leaf[leaf], &words, fresh))
        process_unmap_wiped(fresh, LEAF_BYTES); /* another thread was faster */
    return true;
}

bool block_set_add(const void *block)
{
    uint64_t address = (uint64_t)block;
    _Atomic uint64_t *word = block_set_word(address);

    if (!word) {
        uint64_t leaf = address >> BLOCK_SET_LEAF_BITS;
        if (leaf >= BLOCK_SET_LEAVES || !make_leaf(leaf))
            return false;
        word = block_set_word(address);
    }
    atomic_fetch_or_explicit(word, 1ull << (address >> 3 & 63), memory_order_relaxed);
    return true;
}
