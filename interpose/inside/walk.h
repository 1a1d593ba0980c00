/* The stack of a thread: walked by rules, and verified instead of walked where it
 * is still the last one.
 *
 * A walk is a pure function of its start (pc, sp, fp), the words that it reads and
 * the rules. So the last stack is kept, with the address and the value of every
 * word that its walk read. Where a new walk comes to a state that the last one
 * had, and every word that was read from there outward still has its value, the
 * rest of the stack is the same. The words are compared from the inside out and
 * no further than the first that changed: each load is one that a walk would make.
 *
 * May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_WALK_H
#define MALLOSCOPE_INSIDE_WALK_H

#include "interpose/inside/hints.h"
#include "format/record.h"

#include <stdbool.h>
#include <stdint.h>

#define WALK_DEPTH_MAX 1024
#define WALK_CHECKS_MAX (3 * WALK_DEPTH_MAX) /* a frame's CFA, return address and frame pointer */

enum walk_marks {
    WALK_EXACT = 1,   /* interrupted here by a signal */
    WALK_GUESSED = 2, /* the frame outward of this one is a guess */
    WALK_FP_LIVE = 4, /* fp is used outward of here before it is restored from memory */
};

/* One frame of the last stack; frame 0 is the outermost. */
struct walk_frame {
    uint64_t pc; /* the return address into this frame, or where it was interrupted */
    uint64_t sp; /* the stack pointer there */
    uint64_t fp; /* and the frame pointer; stale where it is not live */
    uint64_t hash; /* of this pc and all further out */
    uint32_t checks; /* so many, from check[0] on, cover the walk outward of here */
    uint16_t rule;   /* short rule; RULE_SHORT_NONE: see pcs.h */
    uint8_t flags;   /* rec_stack_flags that the frames from here outward give a stack */
    uint8_t marks;
};

struct walk_check {
    const uint64_t *at;
    uint64_t value;
};

/* A frame that a walk has come to, on the way out. */
struct walk_step {
    uint64_t pc, sp, fp;
    uint32_t id; /* pc number; 0: not asked for yet */
    uint16_t rule;
    uint16_t marks; /* but for WALK_FP_LIVE */
};

/* Stack pointer -> frame of the last stack, without a search: of those that share a
 * place, it has the innermost that was written. */
#define WALK_PLACE_BITS 11

/* Code of which nothing is known yet. */
struct walk_unknown {
    uint64_t pc;
    bool exact;
    bool again; /* code like this has been met in this walk, and could not be kept in the process's table */
};

struct walk {
    uint32_t depth;  /* frames of the last stack */
    bool repeatable; /* check[] covers its walk to the end: it can be verified */
    uint8_t flags;   /* rec_stack_flags */
    struct walk_frame frame[WALK_DEPTH_MAX];
    uint32_t id[WALK_DEPTH_MAX]; /* the frames' pc numbers */
    struct walk_check check[WALK_CHECKS_MAX];
    uint16_t place[1 << WALK_PLACE_BITS];
    struct walk_step step[WALK_DEPTH_MAX];
    struct walk_unknown unknown;
    bool is_unaided; /* the stack is to be taken as far as it goes: libunwind cannot be brought in now */
};

static inline uint16_t *walk_place(struct walk *w, uint64_t sp)
{
    return &w->place[sp * 0x9e3779b97f4a7c15ull >> (64 - WALK_PLACE_BITS)];
}

/* The frame of the last stack that was at this state, and not interrupted there;
 * -1: none is known. One comparison, since stack pointers alone often agree. */
static inline int64_t walk_find(struct walk *w, uint64_t pc, uint64_t sp, uint64_t fp)
{
    uint32_t i = *walk_place(w, sp);
    const struct walk_frame *f = &w->frame[i];

    if (((f->sp ^ sp) | (f->pc ^ pc)) != 0)
        return -1;
    if (i >= w->depth || f->marks & WALK_EXACT || (f->marks & WALK_FP_LIVE && f->fp != fp))
        return -1;
    return (int64_t)i;
}

struct walk_start {
    uint64_t pc, sp, fp; /* of the hook's caller */
};

/* What the last stack says of a new one's start. */
struct walk_match {
    int64_t frame;    /* the last stack's that is the same; -1: none */
    uint32_t changed; /* of its checks; as walk_verify says */
};

struct context;

enum walk_result {
    WALK_DONE,
    WALK_UNSUPPORTED, /* a frame has rules that we cannot follow; the last stack is as it was */
    WALK_STALE,       /* what was known of code is no longer true: forget it, and take the stack again */
    WALK_UNKNOWN,     /* as STEP_UNKNOWN; the last stack is as it was */
    WALK_FAILED,      /* the log is full */
};

/* Makes the stack at start the last stack. limit: start's, by reach.h. match: what walk_compare has said of it,
 * or no frame. *ret_shared: how many of its outermost frames are the same as those
 * of the one before. */
enum walk_result walk_take(struct context *c, const struct walk_start *start, uint64_t limit, struct walk_match match,
                           uint32_t *ret_shared);

/* The same for a stack that another unwinder has taken: pcs, innermost first, at
 * most WALK_DEPTH_MAX of them. False: the log is full. */
bool walk_adopt(struct context *c, void *const *pcs, uint32_t count, uint8_t flags, uint32_t *ret_shared);

/* Compares from the last check to the first. 0: all hold; else the number of checks
 * up to and with the one that does not. */
static inline uint32_t walk_verify(const struct walk_check *check, uint32_t count)
{
    const struct walk_check *at = check + count;

    while (at > check && LIKELY(*at[-1].at == at[-1].value))
        at--;
    return (uint32_t)(at - check);
}

static inline struct walk_match walk_compare(struct walk *w, const struct walk_start *start)
{
    int64_t i = LIKELY(w->repeatable) ? walk_find(w, start->pc, start->sp, start->fp) : -1;

    return (struct walk_match){ i, i < 0 ? 0 : walk_verify(w->check, w->frame[i].checks) };
}

#endif
