/* The live blocks of one process, by address. What is allocated or freed next is mostly near what was so last, which
 * model/regions.h makes use of. Where blocks turn out to lie far from one another that gains nothing, and from then on they
 * are in model/spread.h, which takes less for each. What does not fit into a place in either (4 GiB and more,
 * addresses that are no multiples of 8) goes into a table of whole blocks. */
#ifndef MALLOSCOPE_MODEL_BLOCKS_H
#define MALLOSCOPE_MODEL_BLOCKS_H

#include "analyze/model/regions.h"
#include "analyze/model/spread.h"
#include "analyze/util.h"

struct blocks {
    struct regions regions; /* until they are too lonely */
    struct spread spread;
    bool is_spread;
    struct block *whole; /* open addressing; address 0: an empty place */
    size_t whole_used, whole_capacity;
};

void blocks_release(struct blocks *b);

/* The same, where not all are in regions. */
bool blocks_put_mixed(struct blocks *b, const struct block *block, struct block *ret_old);
bool blocks_take_mixed(struct blocks *b, uint64_t address, struct block *ret_block);

/* True: there was a block at this address, and it is replaced. */
static inline bool blocks_put(struct blocks *b, const struct block *block, struct block *ret_old)
{
    if (b->is_spread | b->regions.are_lonely || b->whole_used || !regions_fit(block))
        return blocks_put_mixed(b, block, ret_old);
    return regions_put(&b->regions, block, ret_old);
}

/* Takes the block at address out. False: there is none. */
static inline bool blocks_take(struct blocks *b, uint64_t address, struct block *ret_block)
{
    if (b->is_spread || b->whole_used)
        return blocks_take_mixed(b, address, ret_block);
    return regions_take(&b->regions, address, ret_block);
}

bool blocks_has(const struct blocks *b, uint64_t address);

/* A put or take of this address comes soon. True: blocks_prefetch_place() is of use, before few others have come. */
static inline bool blocks_prefetch(const struct blocks *b, uint64_t address)
{
    return b->is_spread ? spread_prefetch(&b->spread, address) : regions_prefetch(&b->regions, address);
}

static inline void blocks_prefetch_place(struct blocks *b, uint64_t address)
{
    if (b->is_spread)
        spread_prefetch_place(&b->spread, address);
    else
        regions_prefetch_place(&b->regions, address);
}

/* In no order, and in another one in each run. */
void blocks_each(const struct blocks *b, void (*use)(void *data, const struct block *block), void *data);

#endif
