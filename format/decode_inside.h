/* The fields of an allocation, for decode.c and for who has them in other ways (analyze/log/columns_events.c). Inline, as each
 * event comes by here. */
#ifndef MALLOSCOPE_FORMAT_DECODE_INSIDE_H
#define MALLOSCOPE_FORMAT_DECODE_INSIDE_H

#include "format/decode.h"

#include <string.h>

struct span {
    const uint8_t *at, *end;
    bool bad;
};

static inline uint64_t take_number(struct span *s)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && s->at < s->end; shift += 7) {
        uint8_t byte = *s->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    s->bad = true;
    return 0;
}

/* The low `bytes` bytes at s->at, which the caller knows to be there or finds
 * out by s->bad. */
static inline uint64_t take_bytes(struct span *s, unsigned bytes)
{
    uint64_t value = 0;

    if (s->end - s->at >= 8) {
        memcpy(&value, s->at, 8);
        value &= ~0ull >> (64 - 8 * bytes);
    } else if ((size_t)(s->end - s->at) >= bytes) {
        for (unsigned i = 0; i < bytes; i++)
            value |= (uint64_t)s->at[i] << 8 * i;
    } else {
        s->bad = true;
        return 0;
    }
    s->at += bytes;
    return value;
}

/* Of 2 bytes each. Few take a fixed number of steps: the end of a loop of so many would be guessed wrong. */
static inline void take_ids(uint32_t *ids, uint32_t count, struct span *s)
{
    if (count <= 8 && s->end - s->at >= 16) {
        uint16_t some[8];
        memcpy(some, s->at, sizeof some);
        for (unsigned i = 0; i < 8; i++)
            ids[i] = some[i];
        s->at += 2 * count;
    } else {
        for (unsigned i = 0; i < count; i++)
            ids[i] = (uint32_t)take_bytes(s, 2);
    }
}

/* So that nobody's table is read past its end. */
static inline uint8_t take_function(struct span *s, uint64_t function)
{
    if (function >= REC_FN_COUNT)
        s->bad = true;
    return s->bad ? REC_FN_MALLOC : (uint8_t)function;
}

static inline int decoding_fail(struct decoding *d, const char *problem)
{
    d->problem = problem;
    d->end = d->at;
    return -1;
}

/* False: the stack is impossible. */
static inline bool decode_stack(struct decoding *d, struct span *s, struct event *e)
{
    e->pops = e->pushes = 0;
    e->stack_flags = 0;
    e->stack_number = d->stacks;
    e->ids = d->ids;
    if (e->stack_mode == REC_STACK_SAME)
        return true;
    if (e->stack_mode == REC_STACK_AGAIN) {
        e->stack_number = (uint32_t)take_bytes(s, 2);
        if (s->bad || e->stack_number >= d->stacks || e->stack_number >= REC_STACK_NUMBERS)
            return false;
        d->depth = d->depths[e->stack_number];
        return true;
    }
    if (d->stacks == d->depth_room && d->depth_room < REC_STACK_NUMBERS)
        return false;
    if (e->stack_mode == REC_STACK_SHORT) {
        unsigned counts = (unsigned)take_bytes(s, 1);
        e->pops = counts >> 4;
        e->pushes = counts & 15;
        take_ids(d->ids, e->pushes, s);
    } else {
        e->stack_flags = (uint8_t)take_number(s);
        uint64_t pops = take_number(s), pushes = take_number(s);
        if (pops > d->depth || pushes > REC_STACK_DEPTH_MAX)
            return false;
        e->pops = (uint32_t)pops;
        e->pushes = (uint32_t)pushes;
        for (uint32_t i = 0; i < e->pushes; i++)
            d->ids[i] = (uint32_t)take_number(s);
    }
    if (s->bad || e->pops > d->depth || d->depth - e->pops + e->pushes > REC_STACK_DEPTH_MAX)
        return false;
    d->depth += e->pushes - e->pops;
    if (d->stacks < REC_STACK_NUMBERS)
        d->depths[d->stacks] = (uint16_t)d->depth;
    d->stacks++;
    return true;
}

/* What an allocation has besides stamp, address and size. */
static inline int decode_rest(struct decoding *d, unsigned second, struct span *other, struct span *stack, struct event *e)
{
    static const uint8_t functions[] = {
        [REC_ALLOC_MALLOC] = REC_FN_MALLOC, [REC_ALLOC_CALLOC] = REC_FN_CALLOC,
        [REC_ALLOC_REALLOC] = REC_FN_REALLOC, [REC_ALLOC_REALLOCARRAY] = REC_FN_REALLOCARRAY,
        [REC_ALLOC_REALLOC_END] = REC_FN_REALLOC, [REC_ALLOC_REALLOCARRAY_END] = REC_FN_REALLOCARRAY,
    };
    unsigned which = second >> 5;

    e->type = which == REC_ALLOC_REALLOC_END || which == REC_ALLOC_REALLOCARRAY_END ? EVENT_REALLOC_END
                                                                                    : EVENT_ALLOC;
    e->alignment = 0;
    if (which == REC_ALLOC_ALIGNED) {
        e->function = take_function(other, take_bytes(other, 1));
        e->alignment = take_number(other);
    } else if (which < REC_ALLOC_ALIGNED) {
        e->function = functions[which];
    } else {
        return decoding_fail(d, "an allocation of an unknown kind");
    }
    e->stack_mode = second >> 3 & 3;
    if (!decode_stack(d, stack, e))
        return decoding_fail(d, stack->bad ? "an allocation cut short" : "an impossible stack");
    return stack->bad || other->bad ? decoding_fail(d, "an allocation cut short") : 1;
}

#endif
