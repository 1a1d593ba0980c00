/* The live blocks of one process, by address. Memory: 24 bytes for each place,
 * at most half of them used. */
#ifndef MALLOSCOPE_MODEL_BLOCKS_H
#define MALLOSCOPE_MODEL_BLOCKS_H

#include "analyze/util.h"

struct block {
    uint64_t address; /* 0: an empty place */
    uint64_t size;    /* bytes asked for */
    uint32_t node;    /* stack that allocated it (model/stacks.h) */
    uint32_t stream;  /* that allocated it */
};

struct blocks {
    struct block *places;
    size_t used, capacity;
};

void blocks_release(struct blocks *b);

/* A place for the address: an existing block, or a fresh one (its size and node
 * are 0, *ret_fresh true). Valid until the next call. */
struct block *blocks_insert(struct blocks *b, uint64_t address, bool *ret_fresh);

/* Takes the block at address out. False: there is none. */
bool blocks_remove(struct blocks *b, uint64_t address, struct block *ret_block);

#endif
