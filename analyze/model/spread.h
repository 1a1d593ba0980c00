/* Live blocks by address, wherever they are: a table that no cache holds where they are a million, so its size is what counts: 24
 * bytes for each place, and a byte that tells most of what is looked for apart, so that a place is read only to be used.
 * Between seven twelfths and seven eighths of the places are used. Only blocks that regions_fit(). */
#ifndef MALLOSCOPE_MODEL_SPREAD_H
#define MALLOSCOPE_MODEL_SPREAD_H

#include "analyze/model/block.h"
#include "analyze/util.h"

/* In sixteen parts, so that growing copies a part at a time and never doubles the whole. */
#define SPREAD_PARTS 16

struct spread_part {
    uint64_t *tags; /* a word for each group of eight places */
    struct place *places;
    uint32_t groups, used, taken; /* taken: places that are used or have been since the last growth */
};

struct spread {
    struct spread_part parts[SPREAD_PARTS];
};

void spread_release(struct spread *s);

/* True: there was a block at this address, and it is replaced. */
bool spread_put(struct spread *s, const struct block *block, struct block *ret_old);

/* Takes the block at address, which is not 0, out. False: there is none. */
bool spread_take(struct spread *s, uint64_t address, struct block *ret_block);

bool spread_has(const struct spread *s, uint64_t address);

/* As blocks_prefetch() and blocks_prefetch_place(). */
bool spread_prefetch(const struct spread *s, uint64_t address);
void spread_prefetch_place(const struct spread *s, uint64_t address);

void spread_each(const struct spread *s, void (*use)(void *data, const struct block *block), void *data);

#endif
