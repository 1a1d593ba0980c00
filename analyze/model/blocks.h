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

struct block {
    uint64_t address; /* not 0 */
    uint64_t size;    /* bytes asked for */
    uint64_t number;  /* of its allocation in the session, from 1 */
    uint64_t born_us; /* since the session's start */
    uint32_t leaf;    /* stack that allocated it (model/stacks.h); up to BLOCK_LEAF_MAX */
    uint8_t grown;    /* times that realloc has made it larger, up to BLOCK_GROWN_MAX */
};

#define BLOCK_LEAF_MAX ((1u << 30) - 1)
#define BLOCK_GROWN_MAX 3

struct blocks {
    struct regions regions;
    struct block *whole; /* open addressing; address 0: an empty place */
    size_t whole_used, whole_capacity;
};

void blocks_release(struct blocks *b);

/* True: there was a block at this address, and it is replaced. */
bool blocks_put(struct blocks *b, const struct block *block, struct block *ret_old);

/* Takes the block at address out. False: there is none. */
bool blocks_take(struct blocks *b, uint64_t address, struct block *ret_block);

bool blocks_has(const struct blocks *b, uint64_t address);

/* A put or take of this address comes soon; then, comes after few others. */
void blocks_prefetch(const struct blocks *b, uint64_t address);
void blocks_prefetch_place(struct blocks *b, uint64_t address);

/* In no order, and in another one in each run. */
void blocks_each(const struct blocks *b, void (*use)(void *data, const struct block *block), void *data);

#endif
