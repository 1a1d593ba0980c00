/* The live blocks of one process, by address.
 *
 * A program with a million live blocks has a table that no cache holds, so its size
 * and the order of what is in it are what counts: model/regions.h. What does not fit
 * into a place there (4 GiB and more, addresses that are no multiples of 8) goes into
 * a second table of whole blocks. */
#ifndef MALLOSCOPE_MODEL_BLOCKS_H
#define MALLOSCOPE_MODEL_BLOCKS_H

#include "analyze/model/regions.h"
#include "analyze/util.h"

struct blocks {
    struct regions regions;
    struct block *whole; /* open addressing; address 0: an empty place */
    size_t whole_used, whole_capacity;
};

void blocks_release(struct blocks *b);

/* The same, where the table of whole blocks has a part in it. */
bool blocks_put_mixed(struct blocks *b, const struct block *block, struct block *ret_old);
bool blocks_take_whole(struct blocks *b, uint64_t address, struct block *ret_block);

/* True: there was a block at this address, and it is replaced. */
static inline bool blocks_put(struct blocks *b, const struct block *block, struct block *ret_old)
{
    return regions_fit(block) && !b->whole_used ? regions_put(&b->regions, block, ret_old) : blocks_put_mixed(b, block, ret_old);
}

/* Takes the block at address out. False: there is none. */
static inline bool blocks_take(struct blocks *b, uint64_t address, struct block *ret_block)
{
    return regions_take(&b->regions, address, ret_block) || (b->whole_used && blocks_take_whole(b, address, ret_block));
}

bool blocks_has(const struct blocks *b, uint64_t address);

/* A put or take of this address comes soon. True: blocks_prefetch_place() is of use, before few others have come. */
static inline bool blocks_prefetch(const struct blocks *b, uint64_t address)
{
    return regions_prefetch(&b->regions, address);
}

static inline void blocks_prefetch_place(struct blocks *b, uint64_t address)
{
    regions_prefetch_place(&b->regions, address);
}

/* In no order, and in another one in each run. */
void blocks_each(const struct blocks *b, void (*use)(void *data, const struct block *block), void *data);

#endif
