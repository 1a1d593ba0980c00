/* Live blocks by address, as programs have them: neighbours in memory are allocated and freed soon after one
 * another. So what is looked up is a region of 256 bytes with all of its blocks, and the regions that were
 * looked up last are known without a search.
 *
 * Only blocks that regions_fit(). Memory: 20 bytes a block, and some 33 a region, 25 of one block; nothing that grows doubles. */
#ifndef MALLOSCOPE_MODEL_REGIONS_H
#define MALLOSCOPE_MODEL_REGIONS_H

#include "analyze/model/block.h"
#include "analyze/util.h"

/* In sixteen parts, so that growing copies a part at a time. */
#define REGIONS_PARTS 16
#define REGIONS_CLASSES 8

struct regions_part {
    struct regions_entry *entries; /* open addressing */
    uint32_t capacity, used; /* used: with those that have no blocks any more */
};

struct regions {
    struct regions_part parts[REGIONS_PARTS];
    struct near_region *near; /* the last ones; NULL: there are few in all */
    uint64_t **chunks;        /* of memory for regions, which are known by numbers */
    size_t chunk_count, chunk_capacity;
    uint32_t unit_count;      /* of the chunks that is given out, or was left over at their ends */
    uint32_t unused[REGIONS_CLASSES]; /* given back: each has the next one's number; 0: none */
    bool are_lonely; /* the blocks: nearly each has a region of its own */
};

void regions_release(struct regions *r);

#define REGIONS_LOWEST 256 /* no block is below */

static inline bool regions_fit_address(uint64_t address)
{
    return address % 8 == 0 && address - REGIONS_LOWEST < (1ull << 51) - REGIONS_LOWEST;
}

static inline bool regions_fit(const struct block *block)
{
    return regions_fit_address(block->address) && !(block->size >> 32 | (block->number | block->born_us) >> 40);
}

/* True: there was a block at this address, and it is replaced. */
bool regions_put(struct regions *r, const struct block *block, struct block *ret_old);

/* Takes the block at address out. False: there is none. */
bool regions_take(struct regions *r, uint64_t address, struct block *ret_block);

bool regions_have(const struct regions *r, uint64_t address);

/* As blocks_prefetch() and blocks_prefetch_place(). */
bool regions_prefetch(const struct regions *r, uint64_t address);
void regions_prefetch_place(struct regions *r, uint64_t address);

void regions_each(const struct regions *r, void (*use)(void *data, const struct block *block), void *data);

#endif
