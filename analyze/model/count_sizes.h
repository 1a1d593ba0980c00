/* The sizes of all allocations in a log, chunk by chunk in parallel. */
#ifndef MALLOSCOPE_MODEL_COUNT_SIZES_H
#define MALLOSCOPE_MODEL_COUNT_SIZES_H

#include "analyze/log/log.h"
#include "analyze/model/settings.h"
#include "analyze/model/sizes.h"

struct sizes_counted {
    struct settings settings;
    struct sizes sizes;
    uint64_t events;       /* allocations and frees read, a realloc counting as both */
    uint64_t recorded;     /* allocations among them */
    double variance_allocations, variance_bytes; /* of the estimates under sampling */
    uint64_t partial_stacks; /* allocations with one */
    bool was_paused;       /* a process at least */
    bool interrupted;      /* goes_on said no: not all chunks are counted */
    uint64_t bad_chunks;   /* whole, but with bytes that are no record ... */
    uint64_t bad_offset;   /* ... the first one's place in the file */
};

/* What is counted: every allocation that succeeded. A successful realloc counts
 * as an allocation of the new size. goes_on may be NULL. */
void count_sizes(const struct log *log, bool (*goes_on)(void *data, double progress), void *data, struct sizes_counted *ret_counted);
void sizes_counted_release(struct sizes_counted *counted);

#endif
