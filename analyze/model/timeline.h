/* Live bytes and allocations over time, in a fixed number of buckets: a bucket
 * begins a microsecond wide, and where the time does not fit any more, two become
 * one. What a bucket says is exact; sums over all buckets are the session's. */
#ifndef MALLOSCOPE_MODEL_TIMELINE_H
#define MALLOSCOPE_MODEL_TIMELINE_H

#include "analyze/util.h"

#define TIMELINE_BUCKETS 1024 /* unless more are asked for */

/* In units (model/settings.h). */
struct timeline_bucket {
    uint64_t allocations, bytes, frees;
    uint64_t most_live, least_live;   /* bytes: the largest and the smallest sum */
    uint64_t live_bytes, live_blocks; /* at its end */
};

struct timeline {
    struct timeline_bucket *buckets;
    size_t capacity;    /* of buckets: an even number */
    size_t count;       /* buckets up to the last event */
    uint64_t from_ns;   /* since the session's start: where the first bucket begins */
    uint64_t bucket_ns; /* width */
    uint64_t now_ends;  /* ns since the session's start: where the last bucket ends */
};

void timeline_begin(struct timeline *t, uint64_t from_ns, size_t buckets);
void timeline_release(struct timeline *t);

/* The bucket of this time, or of the last event if that was later. live_bytes and
 * live_blocks: before the event. */
struct timeline_bucket *timeline_enter(struct timeline *t, uint64_t ns, uint64_t live_bytes, uint64_t live_blocks);

static inline struct timeline_bucket *timeline_at(struct timeline *t, uint64_t ns, uint64_t live_bytes, uint64_t live_blocks)
{
    return ns < t->now_ends ? &t->buckets[t->count - 1] : timeline_enter(t, ns, live_bytes, live_blocks);
}

#endif
