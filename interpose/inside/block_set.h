/* A set of blocks, by address, that all threads share: one bit for each 8 bytes of
 * address space, in a tree of two levels. Exact; lock-free; nothing ever moves. Takes
 * 1/64 of the memory that its blocks lie in. A forked child has its parent's set.
 * Addresses beyond 2^48 are never in it. May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_BLOCK_SET_H
#define MALLOSCOPE_INSIDE_BLOCK_SET_H

#include "interpose/inside/hints.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_SET_LEAF_BITS 30 /* of an address: what a leaf covers */
#define BLOCK_SET_LEAVES (1u << (48 - BLOCK_SET_LEAF_BITS))
#define BLOCK_SET_WORDS (1u << (BLOCK_SET_LEAF_BITS - 3 - 6))

typedef _Atomic(_Atomic uint64_t *) block_set_leaf;
extern _Atomic(block_set_leaf *) block_set_leaves; /* NULL: nothing has ever been in the set */

/* False: it could not be added. */
bool block_set_add(const void *block);

/* The word with the block's bit; NULL: it is not in the set. */
static inline _Atomic uint64_t *block_set_word(uint64_t address)
{
    uint64_t leaf = address >> BLOCK_SET_LEAF_BITS;
    block_set_leaf *leaves = atomic_load_explicit(&block_set_leaves, memory_order_acquire);
    _Atomic uint64_t *words;

    if (UNLIKELY(leaf >= BLOCK_SET_LEAVES || !leaves))
        return NULL;
    words = atomic_load_explicit(&leaves[leaf], memory_order_acquire);
    return words ? &words[address >> 9 & (BLOCK_SET_WORDS - 1)] : NULL;
}

/* Whether it was in the set; it no longer is. */
static inline bool block_set_take(const void *block)
{
    uint64_t address = (uint64_t)block, bit = 1ull << (address >> 3 & 63);
    _Atomic uint64_t *word = block_set_word(address);

    if (!word || !(atomic_load_explicit(word, memory_order_relaxed) & bit))
        return false;
    atomic_fetch_and_explicit(word, ~bit, memory_order_relaxed);
    return true;
}

#endif
