#include "analyze/model/timeline.h"

void timeline_begin(struct timeline *t, uint64_t from_ns, size_t buckets)
{
    *t = (struct timeline){ .buckets = alloc_zeroed(buckets, sizeof *t->buckets), .capacity = buckets,
                            .from_ns = from_ns, .bucket_ns = 1000, .now_ends = from_ns };
}

void timeline_release(struct timeline *t)
{
    free(t->buckets);
    *t = (struct timeline){ 0 };
}

static void join_pairs(struct timeline *t)
{
    for (size_t i = 0; i < t->capacity; i++) {
        const struct timeline_bucket b = t->buckets[i];
        struct timeline_bucket *into = &t->buckets[i / 2];
        if (i % 2 == 0) {
            *into = b;
        } else if (i < t->count) {
            into->allocations += b.allocations;
            into->bytes += b.bytes;
            into->frees += b.frees;
            into->most_live = into->most_live > b.most_live ? into->most_live : b.most_live;
            into->least_live = into->least_live < b.least_live ? into->least_live : b.least_live;
            into->live_bytes = b.live_bytes;
            into->live_blocks = b.live_blocks;
        }
    }
    for (size_t i = t->capacity / 2; i < t->capacity; i++)
        t->buckets[i] = (struct timeline_bucket){ 0 };
    t->count = (t->count + 1) / 2;
    t->bucket_ns *= 2;
    t->now_ends = t->from_ns + t->count * t->bucket_ns;
}

struct timeline_bucket *timeline_enter(struct timeline *t, uint64_t ns, uint64_t live_bytes, uint64_t live_blocks)
{
    uint64_t since = ns > t->from_ns ? ns - t->from_ns : 0;

    while (since / t->bucket_ns >= t->capacity)
        join_pairs(t);
    for (size_t at = (size_t)(since / t->bucket_ns); t->count <= at; t->count++)
        t->buckets[t->count] = (struct timeline_bucket){ .most_live = live_bytes, .least_live = live_bytes,
                                                         .live_bytes = live_bytes, .live_blocks = live_blocks };
    t->now_ends = t->from_ns + t->count * t->bucket_ns;
    return &t->buckets[t->count - 1];
}
