/* One step outward, from a frame to its caller, by the frame's rule. walk.c decides
 * how many are needed. May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_STEP_H
#define MALLOSCOPE_INSIDE_STEP_H

#include "interpose/inside/hints.h"
#include "interpose/inside/context.h"
#include "interpose/inside/pcs.h"

/* Where a walk stands. */
struct position {
    uint64_t pc, sp, fp;
    uint64_t lr_slot; /* aarch64: where an interrupted frame's link register is; 0: it is not */
    uint64_t limit;   /* words beyond it have to be asked about: see reach.h */
    bool exact;       /* interrupted there: pc is no return address */
    bool asked;       /* a frame pointer led to memory that has to be asked about each time */
};

enum step_outcome {
    STEP_DONE,
    STEP_AT_END,      /* the stack is whole */
    STEP_FP_END,      /* whole, by the frame pointer being 0 */
    STEP_FP_BROKEN,   /* the frame pointer leads nowhere: the stack may be incomplete */
    STEP_BROKEN,      /* the same, by a word that was read */
    STEP_UNSUPPORTED, /* a rule that follows other registers */
    STEP_STALE,       /* code has changed: forget it, and walk again */
    STEP_UNKNOWN,     /* the code is new: step_learn, and walk again, or step again from here */
    STEP_FAILED,      /* the log is full */
};

/* The words that a step reads: their addresses; 0: none. */
struct step_slots {
    uint64_t cfa, ra, fp;
};

/* What is known of a frame's code; of a guessed one, how it was guessed. */
struct pc_known step_rule(struct context *c, uint64_t pc, unsigned marks);

/* Of a step from s, by a rule that is not short, to a frame whose stack pointer is cfa. */
struct step_slots step_slots(const struct rule *r, const struct walk_step *s, uint64_t cfa, uint64_t lr_slot);

/* By what is not in the context's cache, or not short. Fills step's id, rule and
 * marks; its place is filled. */
enum step_outcome step_slowly(struct context *c, struct position *at, struct walk_step *step);

/* Learns the code at which STEP_UNKNOWN was said: where little of the program's stack is in use, which
 * learning takes most of. False: the log is full. */
bool step_learn(struct context *c);

/* Whether a CFA that is not between the stack pointer and the limit is right all the
 * same, and the words from `from` up to it can be read: on a page not asked about yet;
 * or, by the frame pointer, on another stack. */
bool step_accepts_cfa(struct context *c, struct position *at, uint64_t from, uint64_t cfa, bool by_fp);

/* The position becomes the caller's; step what it was. */
static inline enum step_outcome step_outward(struct context *c, struct position *at, struct walk_step *step)
{
    uint64_t pc = at->pc, sp = at->sp, fp = at->fp;
    uint64_t known = LIKELY(!at->exact) ? rule_cache_get(&c->rules, pc) : ~0ull;
    uint32_t rule = known & ((1u << RULE_SHORT_BITS) - 1);

    step->pc = pc;
    step->sp = sp;
    step->fp = fp;
    step->marks = at->exact ? WALK_EXACT : 0;
    step->rule = (uint16_t)rule;
    step->id = (uint32_t)(known >> RULE_SHORT_BITS);
    if (UNLIKELY(known == ~0ull || rule == RULE_SHORT_NONE)) {
        struct position slow = *at; /* a copy, so that at can be in registers */
        enum step_outcome outcome = step_slowly(c, &slow, step);
        *at = slow;
        return outcome;
    }
    uint64_t cfa = arch_cfa(rule, sp, fp);
    if (UNLIKELY(cfa <= sp || cfa > at->limit || cfa % 8)) {
        struct position slow = *at;
        if (!step_accepts_cfa(c, &slow, arch_fp_slot(rule, cfa), cfa, arch_uses_fp(rule)))
            return STEP_BROKEN;
        at->limit = slow.limit;
        at->asked = slow.asked;
    }
    uint64_t saved = *(const uint64_t *)arch_fp_slot(rule, cfa);
    at->pc = arch_strip(*(const uint64_t *)arch_ra_slot(rule, cfa));
    at->fp = arch_saves_fp(rule) ? saved : fp;
    at->sp = cfa;
    at->lr_slot = 0;
    return LIKELY(rule_cache_takes(at->pc)) ? STEP_DONE : STEP_BROKEN;
}

#endif
