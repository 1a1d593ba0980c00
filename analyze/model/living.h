/* Which events before a moment still matter then: the allocations of blocks that live, and
 * what has begun and not ended. Events are told by their numbers: heap events (allocations,
 * frees, both sides of a realloc) in the reader's order, from 1.
 *
 * Memory grows with the blocks that live. */
#ifndef MALLOSCOPE_MODEL_LIVING_H
#define MALLOSCOPE_MODEL_LIVING_H

#include "analyze/log/reader.h"
#include "analyze/model/settings.h"

struct living {
    uint64_t *numbers; /* ascending */
    size_t count, capacity;
    bool *has_ended; /* by process: nothing of it comes any more */
};

static inline bool living_is_counted(const struct event *e)
{
    return e->type <= EVENT_REALLOC_END;
}

/* At from_ns since the session's start. False: goes_on said no. */
bool living_find(const struct log *log, const struct settings *settings, uint64_t from_ns, bool (*goes_on)(void *data, double progress), void *data,
                 struct living *ret_living);
void living_release(struct living *l);

#endif
