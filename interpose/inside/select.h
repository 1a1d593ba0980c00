/* Which allocations are recorded where not all are: a sample of them, large ones, those
 * while recording is not paused. A block's free is recorded if its allocation was:
 * block_set.h knows, either the blocks that are recorded (where most are not) or those
 * that are not. The hooks ask only where session.selection.on. May run inside a traced
 * malloc. */
#ifndef MALLOSCOPE_INSIDE_SELECT_H
#define MALLOSCOPE_INSIDE_SELECT_H

#include "interpose/inside/block_set.h"
#include "interpose/inside/context.h"
#include "interpose/inside/process.h"

#include <stddef.h>

/* A sample has been due, or the thread has none planned yet: whether this allocation
 * is it. */
bool select_sample(struct context *c, int64_t bytes);

/* Whether an allocation that has come to this block is to be recorded. */
static inline bool select_alloc(struct context *c, const void *block, size_t size)
{
    const struct selection *s = &session.selection;

    if (UNLIKELY(s->paused))
        return !s->knows_recorded && !block_set_add(block);
    if (size < s->min_size)
        return false;
    if (s->sample_bytes) {
        /* One more than its size, so that a block of 0 bytes can be met as well. */
        int64_t bytes = size < INT64_MAX / 2 ? (int64_t)size + 1 : INT64_MAX / 2;
        c->until_sample -= bytes;
        if (LIKELY(c->until_sample > 0) || !select_sample(c, bytes))
            return false;
    }
    return !s->knows_recorded || block_set_add(block);
}

/* The same for a thread without a context. */
bool select_lost_alloc(const void *block, size_t size);

/* Whether a block that is about to be freed is recorded; it is forgotten. */
static inline bool select_free(const void *block)
{
    return block_set_take(block) == session.selection.knows_recorded;
}

/* The free did not happen. */
static inline void select_free_undone(const void *block, bool was_recorded)
{
    if (was_recorded == session.selection.knows_recorded)
        block_set_add(block);
}

/* From now on allocations are recorded or not. */
void select_pause(bool paused);

#endif
