/* A live block, as the tables of blocks.h have it. */
#ifndef MALLOSCOPE_MODEL_BLOCK_H
#define MALLOSCOPE_MODEL_BLOCK_H

#include <stdint.h>

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

#endif
