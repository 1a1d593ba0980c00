/* Everything that a report says about a session, from one ordered pass over its
 * events. Memory grows with live blocks, distinct stacks and threads, never with events.
 *
 * What the words mean (docs/glossary.md):
 *   allocation  a call that returned a block; a successful realloc is one free
 *               and one allocation of the new size
 *   temporary   freed by its own thread before that thread allocated again; or, where
 *               options say so, by any thread within some allocations or some time; never by a realloc
 *   leaked      still allocated when its process ended; of a part of the session that ends
 *               before it, in a process that lives then (what others had left is left_*)
 *   peak        the largest sum of live bytes over all processes at one time
 *   lifetime    from a block's allocation to its free, in time and in allocations
 *               of the session
 *
 * Where allocations were sampled (settings.sample_bytes), all these are estimates
 * from those that were recorded. Where not every allocation was recorded, temporary
 * is not known. */
#ifndef MALLOSCOPE_MODEL_FACTS_H
#define MALLOSCOPE_MODEL_FACTS_H

#include "analyze/log/log.h"
#include "analyze/model/chains.h"
#include "analyze/model/costs.h"
#include "analyze/model/growth.h"
#include "analyze/model/settings.h"
#include "analyze/model/sizes.h"
#include "analyze/model/timeline.h"
#include "analyze/model/told.h"

struct facts_process {
    const struct told_process *told;
    uint64_t allocations, allocated_bytes;
    uint64_t leaked_blocks, leaked_bytes;
    bool goes_on;   /* when the part ends it has not ended: what is leaked may be freed later */
    bool end_known; /* else, and if it does not run: that is the time of its last record */
};

struct facts_thread {
    uint64_t allocations, allocated_bytes, frees, temporary;
};

/* Of the blocks of a stack that leaked. */
struct leak_times {
    uint64_t first_us; /* since the session's start: when the first of them was allocated */
    uint64_t age_us;   /* the most that one of them has lived */
};

struct leak_units {
    uint64_t blocks, bytes;
};

/* By leaf. */
struct leak_list {
    struct leak_units *of; /* what lies beyond has none */
    size_t capacity;
};

/* Which part of the log the facts are of; all 0: the whole. */
struct facts_part {
    uint64_t from_ns, to_ns; /* since the session's start; to_ns 0: to the end */
    size_t thread_count;     /* that were chosen; 0: all */
};

/* Which blocks are temporary: whose free comes before so many allocations of the session more, or at most so much
 * later. Both 0: as said above. */
struct facts_threshold {
    uint64_t allocations, us;
};

static inline bool facts_threshold_is_set(const struct facts_threshold *t)
{
    return t->allocations || t->us;
}

#define FACTS_LIFETIMES 48 /* classes of lifetimes: 0, 1, 2 to 3, 4 to 7, ...; the last has all that is longer */

struct facts {
    uint64_t allocations, frees, failed, temporary;
    uint64_t by_function[REC_FN_COUNT]; /* successful calls; realloc counts once */
    uint64_t allocated_bytes;
    uint64_t carried, carried_bytes; /* allocations among these from before the part that the log is of another one */
    uint64_t peak_bytes, peak_blocks, peak_ns; /* peak_ns: since the session's start */
    uint64_t leaked_bytes, leaked_blocks;
    uint64_t left_bytes, left_blocks; /* where goes_on: by processes that had ended before that moment */
    uint64_t duration_ns;
    uint64_t events; /* allocations and frees read */
    uint64_t recorded; /* allocations among them */
    struct { double allocations, bytes, leaked_blocks, leaked_bytes; } variance; /* of these estimates; 0 if not sampled */
    uint64_t lifetimes_us[FACTS_LIFETIMES];          /* blocks freed, in units: by microseconds ... */
    uint64_t lifetimes_allocations[FACTS_LIFETIMES]; /* ... and by allocations of the session */

    /* How far all this can be trusted. */
    struct facts_part part;
    struct facts_threshold temporary_within;
    bool goes_on;             /* the session did, after what this is of: options.to_ns, a part of a log, or interrupted */
    bool interrupted;         /* options.goes_on said no: what comes later is not in it */
    uint32_t lost_reason;     /* errno value or REC_STOP_LIMIT, 0: logging did not end early */
    uint64_t unmatched_frees; /* of addresses that were not known to be live */
    uint64_t inherited_frees; /* the same in a forked child, of blocks from its parent */
    uint64_t unseen_frees;    /* blocks whose address was allocated again */
    /* Allocations with such a stack. */
    uint64_t partial_stacks, cut_stacks, guessed_stacks, fallback_stacks, differing_stacks;
    uint64_t bad_chunks, bad_offset;

    struct settings settings;
    struct told told;
    struct sizes sizes;
    struct costs costs;           /* by leaf; in settings.unit, so that they can be summed */
    struct leak_times *leak_times; /* by leaf. Only where costs.of[leaf].leaked_blocks or those left are not 0; NULL: nothing is */
    size_t leak_times_capacity;
    struct leak_list left;        /* where goes_on: by processes that had ended; not in costs.of[leaf]'s leaked ones */
    struct leak_list unended;     /* of these, or where the whole is told of costs.of[leaf]'s leaked ones: of processes
                                   * that did not come to their end by themselves (ENDING_EXIT) */
    struct timeline timeline;     /* in settings.unit */
    struct growth growth;         /* likewise */
    struct chains chains;         /* none where not every allocation was recorded */
    struct facts_process *processes; /* as the log's */
    struct facts_thread *threads;    /* as told.threads */
    uint32_t *by_start; /* the processes that recorded, in the order of their starts */
    size_t by_start_count;
};

/* Zeroed: everything. */
struct facts_options {
    uint64_t from_ns, to_ns; /* since the session's start: allocations at from_ns or later, and
                              * nothing after to_ns; to_ns 0: to the end */
    const uint32_t *tids;    /* only allocations of these threads; NULL: of all */
    size_t tid_count;
    struct facts_threshold temporary_within;
    size_t timeline_buckets; /* an even number; 0: TIMELINE_BUCKETS */
    /* Asked from time to time; progress: of the log that is read, 0 to 1. False: no further. NULL: always true. */
    bool (*goes_on)(void *data, double progress);
    void *data;
};

static inline struct leak_units leak_list_at(const struct leak_list *list, uint32_t leaf)
{
    return leaf < list->capacity ? list->of[leaf] : (struct leak_units){ 0 };
}

struct facts *facts_collect(const struct log *log, const struct facts_options *options);
void facts_free(struct facts *facts);

/* Of lifetimes_us or lifetimes_allocations: what so large a share of the freed blocks reached at most, to the
 * next power of two less 1. 0 where none was freed. */
uint64_t lifetimes_quantile(const uint64_t classes[FACTS_LIFETIMES], double share);

#endif
