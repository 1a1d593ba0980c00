/* When the blocks were allocated that a process never freed: a stack that leaks at a steady
 * rate has some from every part of the process's time, one that sets things up, or fills a
 * cache, has not.
 *
 * Of each process whose floor of live bytes rose (model/floors.h); of many, the ones that leave
 * most. Its time is cut into equal slices. Memory: 4 bytes a stack, and 80 for each that leaves blocks. */
#ifndef MALLOSCOPE_MODEL_GROWTH_H
#define MALLOSCOPE_MODEL_GROWTH_H

#include "analyze/util.h"

#define GROWTH_SLICES 16
#define GROWTH_PROCESSES 8

struct growth_leaf {
    uint32_t leaf;
    uint32_t blocks[GROWTH_SLICES]; /* by the slice that they were allocated in; as recorded, not estimated */
    uint64_t bytes;                 /* of all, in units */
};

struct growth_process {
    uint32_t process;        /* index */
    uint64_t from_us, to_us; /* its time, since the session's start */
    uint64_t live_bytes;     /* that it left, in units */
    struct growth_leaf *of;
    size_t count, capacity;
};

struct growth {
    struct growth_process processes[GROWTH_PROCESSES];
    size_t count;
    struct growth_process *last; /* that has begun; NULL: it is not wanted */
    uint32_t *number_of; /* by leaf: 1 + index in the last process's */
    size_t number_capacity;
};

/* A process that has grown ends and leaves so many bytes: where its blocks are to go. NULL: others have left more, and
 * its blocks are not wanted. */
struct growth_process *growth_begin(struct growth *g, uint32_t process, uint64_t from_us, uint64_t to_us, uint64_t live_bytes);
/* One of its blocks. */
void growth_take(struct growth *g, struct growth_process *p, uint32_t leaf, uint64_t born_us, uint64_t bytes);
void growth_release(struct growth *g);

/* Whether these blocks came at a steady rate: some in all slices but the first and the last,
 * which are left to beginning and end, and at most three times the mean in any. */
bool growth_is_steady(const uint64_t blocks[GROWTH_SLICES]);

#endif
