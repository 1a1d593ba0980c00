/* The steps that are not usual: rules that do not fit 13 bits, signal frames, frames
 * without rules, and stacks that lead to other stacks. */
#include "interpose/inside/step.h"

#include "interpose/inside/context.h"
#include "interpose/inside/guess.h"
#include "interpose/inside/process.h"

#define LEARNT_BYTES 1024 /* of a module's path and build-id */

static uint64_t address_at(unsigned base, int32_t offset, const struct walk_step *s, uint64_t cfa)
{
    return (base == RULE_FROM_CFA ? cfa : base == RULE_FROM_FP ? s->fp : s->sp) + (uint64_t)(int64_t)offset;
}

struct step_slots step_slots(const struct rule *r, const struct walk_step *s, uint64_t cfa, uint64_t lr_slot)
{
    return (struct step_slots){
        .cfa = r->cfa_is_read ? address_at(r->cfa_base, r->cfa, s, cfa) : 0,
        .ra = r->ra_base == RULE_IN_LR ? lr_slot : address_at(r->ra_base, r->ra, s, cfa),
        .fp = r->fp_base ? address_at(r->fp_base, r->fp, s, cfa) : 0,
    };
}

/* A guessed frame's, where its step has no short rule. */
static const struct rule by_frame_record = { .kind = RULE_STEP, .cfa_base = RULE_FROM_FP, .cfa = 16,
                                             .ra_base = RULE_FROM_FP, .ra = 8, .fp_base = RULE_FROM_FP };

struct pc_known step_rule(struct context *c, uint64_t pc, unsigned marks)
{
    struct pc_known known = pc_find(c, pc, marks & WALK_EXACT);

    if (marks & WALK_GUESSED)
        known.rule = by_frame_record;
    return known;
}

/* The stack pointer of a guessed frame's caller. aarch64: at least the end of the
 * record, which may be anywhere in its frame. Where the caller made a record of its
 * own, fp points to it, and it tells how far away its stack pointer is. */
static uint64_t sp_after_guess(struct context *c, uint64_t *limit, uint64_t pc, uint64_t record_end, uint64_t fp)
{
    const struct rule r = pc_find(c, pc, false).rule;
    uint64_t sp = fp - (uint64_t)((int64_t)r.fp + r.cfa);

    if (r.kind != RULE_STEP || r.signal || r.cfa_base != RULE_FROM_SP || r.cfa_is_read ||
        r.fp_base != RULE_FROM_CFA || r.ra_base != RULE_FROM_CFA || r.ra != r.fp + 8)
        return record_end;
    return guess_frame(c, limit, record_end, fp) && sp >= record_end && sp <= fp ? sp : record_end;
}

/* A frame without rules: a signal's return has been dealt with. */
static enum step_outcome step_without_rule(struct context *c, const struct rule *rule, struct position *at,
                                           struct walk_step *step)
{
    if (rule->no_module && module_came(at->pc - !at->exact))
        return STEP_STALE;
    if (at->fp == 0)
        return STEP_FP_END; /* by the ABI's convention */
    const uint64_t limit = at->limit;
    if (!guess_frame(c, &at->limit, at->sp, at->fp))
        return STEP_FP_BROKEN;
    at->asked |= limit != at->limit;
    uint64_t cfa = arch_cfa(ARCH_SHORT_FRAME_POINTER, at->sp, at->fp);
    uint64_t pc = arch_strip(*(const uint64_t *)arch_ra_slot(ARCH_SHORT_FRAME_POINTER, cfa));
    if (!guess_code(c, pc))
        return STEP_BROKEN;
    step->rule = ARCH_SHORT_FRAME_POINTER;
    step->marks |= WALK_GUESSED;
    at->pc = pc;
    at->sp = cfa;
    at->fp = *(const uint64_t *)arch_fp_slot(ARCH_SHORT_FRAME_POINTER, cfa);
    at->lr_slot = 0;
    at->exact = false;
    if (!ARCH_RECORD_AT_TOP) {
        step->rule = RULE_SHORT_NONE;
        at->sp = sp_after_guess(c, &at->limit, pc, cfa, at->fp);
    }
    return STEP_DONE;
}

/* Rare rules may lead anywhere, and to several pages. */
static bool can_read(const struct context *c, uint64_t slot)
{
    const struct reach *own = &c->own_stack;

    if (slot % 8)
        return false;
    return (slot >= own->start && slot < own->end && own->end - slot >= 8) || reach_can_read(slot, slot + 8);
}

bool step_accepts_cfa(struct context *c, struct position *at, uint64_t from, uint64_t cfa, bool by_fp)
{
    enum { NEAR_BYTES = 1 << 20 };

    if (cfa % 8 || from >= cfa)
        return false;
    at->asked |= by_fp;
    if (cfa > at->sp && reach_extend(&c->own_stack, &at->limit, from, cfa))
        return true;
    /* On the same stack it would go inward. */
    uint64_t limit = reach_limit(&c->own_stack, from);
    bool same = reach_is_own(&c->own_stack, at->limit) ? reach_is_own(&c->own_stack, limit)
                                                       : at->sp - cfa < NEAR_BYTES;
    if (!by_fp || same || !(cfa <= limit || reach_can_read(from, cfa)))
        return false;
    at->limit = limit > cfa ? limit : cfa;
    return true;
}

bool step_learn(struct context *c)
{
    struct walk_unknown *u = &c->walk.unknown;
    struct pc_known known;

    /* What new code has to say: it is not found to be too much further down. */
    if (!context_room(c, ENCODE_EVENT_MAX + ENCODE_TEXTS_MAX + LEARNT_BYTES) || !pc_learn(c, u->pc, u->exact).id)
        return false;
    u->again = !pc_look_up(&process->pcs, u->pc, u->exact, &known); /* no room in the table, or somebody else is at it */
    return true;
}

enum step_outcome step_slowly(struct context *c, struct position *at, struct walk_step *step)
{
    struct pc_known known;

    if (UNLIKELY(!pc_look_up(&process->pcs, at->pc, at->exact, &known))) {
        c->walk.unknown = (struct walk_unknown){ at->pc, at->exact, c->walk.unknown.again };
        if (!c->walk.unknown.again)
            return STEP_UNKNOWN;
        known = pc_find(c, at->pc, at->exact);
        if (!known.id)
            return STEP_FAILED;
    }
    const struct rule *r = &known.rule;
    uint32_t rule = arch_short(r);

    step->id = known.id;
    step->rule = RULE_SHORT_NONE;
    if (!at->exact && rule_cache_get(&c->rules, at->pc) == ~0ull)
        rule_cache_put(&c->rules, at->pc, known.id, rule);
    if (r->kind == RULE_END)
        return STEP_AT_END;
    if (r->kind == RULE_UNSUPPORTED)
        return STEP_UNSUPPORTED;
    if (r->kind == RULE_NONE || r->kind == RULE_BROKEN)
        return step_without_rule(c, r, at, step);

    uint64_t cfa = address_at(r->cfa_base, r->cfa, step, 0);
    if (r->cfa_is_read) {
        if (!can_read(c, cfa))
            return STEP_BROKEN;
        cfa = *(const uint64_t *)cfa;
    }
    const bool outward = cfa > at->sp || (cfa == at->sp && at->exact);
    if (r->signal)
        at->limit = reach_limit(&c->own_stack, cfa); /* often another stack */
    else if ((!outward || cfa > at->limit || cfa % 8) &&
             !step_accepts_cfa(c, at, cfa - 8, cfa, r->cfa_base == RULE_FROM_FP))
        return STEP_BROKEN;
    struct step_slots slots = step_slots(r, step, cfa, at->lr_slot);
    if (!slots.ra)
        return STEP_UNSUPPORTED;
    if (!can_read(c, slots.ra) || (slots.fp && !can_read(c, slots.fp)))
        return STEP_BROKEN;
    step->rule = (uint16_t)rule;
    at->lr_slot = r->signal && ARCH_SIGNAL_LR != 0 ? at->sp + ARCH_SIGNAL_LR : 0;
    at->pc = arch_strip(*(const uint64_t *)slots.ra);
    at->sp = cfa;
    if (slots.fp)
        at->fp = *(const uint64_t *)slots.fp;
    at->exact = r->signal;
    return rule_cache_takes(at->pc) ? STEP_DONE : STEP_BROKEN;
}
