/* Events that are illegal where they stand, and so wait a moment for the event
 * that should have come before them: the free of an address that is not live.
 *
 * A free is stamped without a fence (interpose/inside/clock.h): when a block goes
 * from one thread to another, the CPU may read the clock for the free before it
 * has seen the block, some ten nanoseconds before the allocation's own stamp.
 * Within one stream the order is certain: there, it is a free that nothing is
 * known of, and then a new block at the address (tests/programs/forks inherit). */
#ifndef MALLOSCOPE_MODEL_WAITING_H
#define MALLOSCOPE_MODEL_WAITING_H

#include "analyze/util.h"

#define WAITING_NS 10000 /* how long; far more than any such inversion */

struct waiting_free {
    uint64_t address, ns;
    uint32_t process, stream, thread;
    uint8_t function; /* rec_function */
    uint64_t number;  /* the user's own */
};

struct waiting {
    struct waiting_free *frees; /* oldest first */
    size_t count, capacity;
};

void waiting_release(struct waiting *w);
void waiting_add(struct waiting *w, const struct waiting_free *free_event);

/* Takes out a free of this address by another stream; false: there is none. */
bool waiting_take(struct waiting *w, uint32_t process, uint32_t stream, uint64_t address, struct waiting_free *ret_free);

#define WAITING_MAX 1024 /* more do not wait: a log may have nothing but lone frees */

/* Takes out the oldest free, if its time is over at ns, or too many wait: nothing
 * came for it. */
bool waiting_expired(struct waiting *w, uint64_t ns, struct waiting_free *ret_free);

#endif
