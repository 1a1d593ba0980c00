/* Which allocations of a batch of steps are freed in it, and which addresses are known to be free: most blocks live shortly, and
 * such a one needs no place in the table of all. Exact, and only where nobody else can come between: among steps of one stream in
 * a row, of allocations and frees alone. What it does not know costs time and nothing else. */
#ifndef MALLOSCOPE_MODEL_PAIRS_H
#define MALLOSCOPE_MODEL_PAIRS_H

#include "analyze/model/step.h"

#define PAIRS_BITS 12 /* 16 KiB: they stay in a core's cache */

struct pairs {
    struct pairs_entry {
        uint64_t address;
        uint64_t position_and_free; /* of the last step of this address << 1 | it was a free */
    } of[1 << PAIRS_BITS]; /* by the address's hash */
    uint64_t position;  /* of the next step; from 1 on */
    uint64_t row_begins; /* the first step of the row */
    uint64_t batch_begins;
    uint32_t stream;    /* whose row it is */
};

static inline void pairs_begin_batch(struct pairs *p)
{
    p->batch_begins = ++p->position;
}

/* The last step that was made, steps[at] of its batch. */
static inline void pairs_take(struct pairs *p, struct step *steps, size_t at)
{
    struct step *s = &steps[at];
    uint64_t position = p->batch_begins + at;
    struct pairs_entry *e = &p->of[s->address * 0x9E3779B97F4A7C15ull >> (64 - PAIRS_BITS)];

    p->position = position;
    if (s->type > STEP_FREE || s->stream != p->stream) {
        p->row_begins = position;
        p->stream = s->stream;
    }
    bool is_known = e->address == s->address && e->position_and_free >> 1 >= p->row_begins, was_freed = e->position_and_free & 1;
    s->is_brief = s->is_new = false;
    s->pair = STEP_NO_PAIR;
    if (s->type == STEP_ALLOC) {
        s->is_new = is_known && was_freed;
    } else if (is_known && !was_freed && e->position_and_free >> 1 >= p->batch_begins) {
        s->pair = (uint16_t)((e->position_and_free >> 1) - p->batch_begins);
        steps[s->pair].is_brief = true;
    }
    *e = (struct pairs_entry){ s->address, s->type > STEP_FREE ? 0 : position << 1 | (s->type == STEP_FREE) };
}

#endif
