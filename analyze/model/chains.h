/* Blocks that grow by realloc in many small steps. A chain is what a block has been since a
 * realloc first made it larger: the sizes that it had, whatever stacks called realloc. Each
 * step may copy all of the block; growing by a factor keeps that in bounds, steps of one size
 * do not: chains that have copied many times what they have come to are counted, each with
 * the stack that makes most of its steps.
 *
 * A realloc to the same size belongs to the chain, one to a smaller size ends it. What the first
 * two steps copied is not counted. The chains that grew last are known, some 32,000 in 1 MiB;
 * one that comes later begins anew.
 * Besides, memory is 4 bytes a stack, and 40 for each with such chains. */
#ifndef MALLOSCOPE_MODEL_CHAINS_H
#define MALLOSCOPE_MODEL_CHAINS_H

#include "analyze/model/blocks.h"

/* Times the block's size. Doubling copies about as much as it, steps of an eighth (Python's lists) eight times
 * as much; steps of one size half as many times as there are steps. */
#define CHAINS_COPIED_LEAST 12

struct chains_stack {
    uint32_t leaf;
    uint64_t chains, steps, copied_bytes, final_bytes;
};

struct chains {
    uint64_t *numbers;
    struct chain *known;
    struct chains_stack *of;
    size_t count, capacity;
    uint32_t *number_of; /* by leaf: 1 + index in of */
    size_t number_capacity;
};

/* The block of this number is about to become another one. */
void chains_prefetch(const struct chains *c, uint64_t number);
/* It has, by a realloc to its size or a larger one. To be told where now->grown is BLOCK_GROWN_MAX. */
void chains_take(struct chains *c, const struct block *old, const struct block *now);
void chains_release(struct chains *c);

#endif
