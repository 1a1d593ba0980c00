/* Whether a chunk's stacks can be, as the decoder will ask: how deep the last one is, and those that have numbers. For
 * columns_split.c, so that what is packed together with others is what can be read. Pure. */
#ifndef MALLOSCOPE_LOG_STACK_DEPTHS_H
#define MALLOSCOPE_LOG_STACK_DEPTHS_H

#include "analyze/log/columns_inside.h"

struct stack_depths {
    uint32_t depth, count; /* of the last stack; of those that were given so far */
    uint16_t of[REC_STACK_NUMBERS];
};

static inline void stack_depths_begin(struct stack_depths *d)
{
    d->depth = d->count = 0;
}

/* The end of a stack as `mode` gives it. NULL: not before `end`, or it cannot be. */
static inline const uint8_t *stack_depths_follow(struct stack_depths *d, const uint8_t *at, const uint8_t *end, unsigned mode)
{
    const uint8_t *next = skip_stack(at, end, mode), *counts = at;
    uint64_t pops = 0, pushes = 0, flags;

    if (!next || mode == REC_STACK_SAME)
        return next;
    if (mode == REC_STACK_AGAIN) {
        unsigned number = at[0] | (unsigned)at[1] << 8;
        if (number >= d->count || number >= REC_STACK_NUMBERS)
            return NULL;
        d->depth = d->of[number];
        return next;
    }
    if (mode == REC_STACK_SHORT) {
        pops = *at >> 4;
        pushes = *at & 15;
    } else {
        counts = skip_varint(skip_varint(counts, end, &flags), end, &pops);
        skip_varint(counts, end, &pushes);
    }
    if (pops > d->depth || pushes > REC_STACK_DEPTH_MAX - (d->depth - pops))
        return NULL;
    d->depth += (uint32_t)(pushes - pops);
    if (d->count < REC_STACK_NUMBERS)
        d->of[d->count] = (uint16_t)d->depth;
    d->count++;
    return next;
}

#endif
