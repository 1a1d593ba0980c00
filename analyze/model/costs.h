/* What was allocated with each stack: totals, what lives, and what lived at the
 * session's peak. The peak is exact in one pass: each stack whose live bytes have
 * changed since the peak so far is on a list, and a new peak copies the live bytes
 * of the stacks on the list. So the sum of peak_bytes over all stacks is the peak.
 * It is taken when the bytes are about to fall again, not with each step up to it.
 *
 * All numbers are in units (model/settings.h). Memory: 144 bytes a stack. */
#ifndef MALLOSCOPE_MODEL_COSTS_H
#define MALLOSCOPE_MODEL_COSTS_H

#include "analyze/util.h"

#define BRIEF_ALLOCATIONS 8

struct stack_costs {
    /* What each free changes, side by side; then what each allocation does. */
    uint64_t live_blocks, live_bytes;
    uint64_t freed;        /* blocks whose lifetimes are in: */
    uint64_t lifetime_us;  /* the sum */
    uint64_t lifetime_allocations; /* the sum, in allocations of the session from one's own to the free */
    uint64_t brief;        /* by free, within BRIEF_ALLOCATIONS of the session */
    bool since_peak;       /* live bytes have changed since the peak: it is on the list */
    uint64_t allocations, bytes;
    uint64_t rounding;     /* bytes that glibc's malloc adds to those asked for (model/rounding.h); 0 of any other */
    uint64_t least, most;  /* bytes of one allocation; least is more than most: there was none */

    uint64_t temporary;    /* freed by their thread before it allocated again */
    uint64_t peak_blocks, peak_bytes;
    uint64_t leaked_blocks, leaked_bytes; /* lived when their process ended */
    uint64_t regrown;      /* by realloc, from a smaller block */
};

struct costs {
    struct stack_costs *of; /* by leaf (model/stacks.h) */
    size_t capacity;
    uint32_t *changed;
    size_t changed_count, changed_capacity;
    uint64_t live_blocks, live_bytes; /* of all */
    uint64_t peak_blocks, peak_bytes, peak_ns; /* after costs_end() */
    uint64_t lived_ns; /* when a block last came to live */
};

void costs_release(struct costs *c);

/* Entries for all leaves below count. */
void costs_reserve(struct costs *c, size_t count);

/* No more blocks live or die, and there are so many leaves: gives back what is not needed. */
void costs_end(struct costs *c, size_t leaf_count);

void costs_take_peak(struct costs *c);
void costs_note_change(struct costs *c, uint32_t leaf);

static inline void costs_leave(struct costs *c)
{
    if (c->live_bytes > c->peak_bytes)
        costs_take_peak(c);
}

/* A block of so many bytes, which counts as `units` blocks, lives or dies. */
static inline void costs_live(struct costs *c, uint32_t leaf, uint64_t size, uint64_t units, uint64_t ns)
{
    struct stack_costs *of = &c->of[leaf];

    if (!size) /* no more bytes, and so no new peak: it is not in the one before */
        costs_leave(c);
    if (!of->since_peak)
        costs_note_change(c, leaf);
    of->live_blocks += units;
    of->live_bytes += size * units;
    c->live_blocks += units;
    c->live_bytes += size * units;
    c->lived_ns = ns;
}

static inline void costs_die(struct costs *c, uint32_t leaf, uint64_t size, uint64_t units)
{
    struct stack_costs *of = &c->of[leaf];

    costs_leave(c);
    if (!of->since_peak)
        costs_note_change(c, leaf);
    of->live_blocks -= units;
    of->live_bytes -= size * units;
    c->live_blocks -= units;
    c->live_bytes -= size * units;
}

#endif
