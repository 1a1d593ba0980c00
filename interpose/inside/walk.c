/* The walk where the last stack does not answer alone: steps outward, frame by
 * frame, until a frame coincides with one of the last stack; then what was stepped
 * over is written behind it, from the outside in.
 *
 * The hard part is a word that changed in the middle: the frames inside of it are
 * still good, but what lies outside is new, and so all must be written again. They
 * become steps, without stepping, and the walk goes on from the last of them. */
#include "interpose/inside/walk.h"

#include "interpose/inside/context.h"
#include "interpose/inside/guess.h"
#include "interpose/inside/process.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Where a walk stands. */
struct position {
    uint64_t pc, sp, fp;
    uint64_t lr_slot; /* aarch64: where an interrupted frame's link register is; 0: it is not */
    uint64_t limit;   /* a CFA beyond it is not believed */
    bool exact;
};

enum outcome {
    STEPPED,
    AT_END,      /* whole */
    FP_END,      /* whole, by the frame pointer being 0 */
    FP_BROKEN,   /* the frame pointer leads nowhere: the stack may be incomplete */
    BROKEN,      /* the same, by a word that was read */
    UNSUPPORTED,
    STALE,
    FAILED,      /* the log is full */
};

/* How far up the stack at sp can reach: to the thread's control block, which lies
 * at the top of the stacks that the thread library makes; to the first stack's
 * end; of others (coroutines, alternate stacks), what is plausible. A wrong rule
 * must not make us read what is not there. */
extern void *__libc_stack_end __attribute__((weak));

static uint64_t limit_of(uint64_t sp)
{
    enum { STACK_BYTES = 1 << 30, FOREIGN_BYTES = 8 << 20 };
    uint64_t thread = (uint64_t)__builtin_thread_pointer();
    uint64_t first = &__libc_stack_end ? (uint64_t)__libc_stack_end + 256 : 0;

    if (thread - sp < STACK_BYTES)
        return thread;
    if (first - sp < STACK_BYTES)
        return first;
    return sp + FOREIGN_BYTES;
}

/* --- rules that are not short -------------------------------------------------- */

struct slots {
    uint64_t cfa, ra, fp; /* addresses of the words; 0: none is read */
};

static uint64_t address_at(unsigned base, int32_t offset, const struct walk_step *s, uint64_t cfa)
{
    return (base == RULE_FROM_CFA ? cfa : base == RULE_FROM_FP ? s->fp : s->sp) + (uint64_t)(int64_t)offset;
}

static struct slots slots_of(const struct rule *r, const struct walk_step *s, uint64_t cfa, uint64_t lr_slot)
{
    return (struct slots){
        .cfa = r->cfa_is_read ? address_at(r->cfa_base, r->cfa, s, cfa) : 0,
        .ra = r->ra_base == RULE_IN_LR ? lr_slot : address_at(r->ra_base, r->ra, s, cfa),
        .fp = r->fp_base ? address_at(r->fp_base, r->fp, s, cfa) : 0,
    };
}

/* A guessed frame's, where its step has no short rule. */
static const struct rule by_frame_record = { .kind = RULE_STEP, .cfa_base = RULE_FROM_FP, .cfa = 16,
                                             .ra_base = RULE_FROM_FP, .ra = 8, .fp_base = RULE_FROM_FP };

static struct pc_known rule_of(struct context *c, uint64_t pc, unsigned marks)
{
    struct pc_known known = pc_find(c, pc, marks & WALK_EXACT);

    if (marks & WALK_GUESSED)
        known.rule = by_frame_record;
    return known;
}

/* The stack pointer of a guessed frame's caller. aarch64: at least the end of the
 * record, which may be anywhere in its frame. Where the caller made a record of its
 * own, fp points to it, and it tells how far away its stack pointer is. */
static uint64_t sp_after_guess(struct context *c, uint64_t pc, uint64_t record_end, uint64_t fp)
{
    const struct rule r = pc_find(c, pc, false).rule;
    uint64_t sp = fp - (uint64_t)((int64_t)r.fp + r.cfa);

    if (r.kind != RULE_STEP || r.signal || r.cfa_base != RULE_FROM_SP || r.cfa_is_read ||
        r.fp_base != RULE_FROM_CFA || r.ra_base != RULE_FROM_CFA || r.ra != r.fp + 8)
        return record_end;
    return guess_frame(guess_stack(c, record_end), record_end, fp) && sp >= record_end && sp <= fp ? sp : record_end;
}

/* A frame without rules: a signal's return has been dealt with. */
static enum outcome step_without_rule(struct context *c, const struct rule *rule, struct position *at,
                                      struct walk_step *step)
{
    if (rule->no_module && module_came(at->pc))
        return STALE;
    if (at->fp == 0)
        return FP_END; /* by the ABI's convention */
    if (!guess_frame(guess_stack(c, at->sp), at->sp, at->fp))
        return FP_BROKEN;
    uint64_t cfa = arch_cfa(ARCH_SHORT_FRAME_POINTER, at->sp, at->fp);
    uint64_t pc = arch_strip(*(const uint64_t *)arch_ra_slot(ARCH_SHORT_FRAME_POINTER, cfa));
    if (!guess_code(c, pc))
        return BROKEN;
    step->rule = ARCH_SHORT_FRAME_POINTER;
    step->marks |= WALK_GUESSED;
    at->pc = pc;
    at->sp = cfa;
    at->fp = *(const uint64_t *)arch_fp_slot(ARCH_SHORT_FRAME_POINTER, cfa);
    at->lr_slot = 0;
    at->exact = false;
    if (!ARCH_RECORD_AT_TOP) {
        step->rule = RULE_SHORT_NONE;
        at->sp = sp_after_guess(c, pc, cfa, at->fp);
    }
    return STEPPED;
}

/* Whether a word at slot can be one of the frame's: in it, or in the red zone below. */
static bool is_in_frame(uint64_t slot, uint64_t sp, uint64_t limit)
{
    enum { RED_ZONE_BYTES = 128 };

    return slot >= sp - RED_ZONE_BYTES && slot <= limit - 8 && slot % 8 == 0;
}

static __attribute__((noinline)) enum outcome step_slowly(struct context *c, struct position *at, struct walk_step *step)
{
    struct pc_known known = pc_find(c, at->pc, at->exact);
    const struct rule *r = &known.rule;
    uint32_t rule = arch_short(r);

    if (!known.id)
        return FAILED;
    step->id = known.id;
    step->rule = RULE_SHORT_NONE;
    if (!at->exact && rule_cache_get(&c->rules, at->pc) == ~0ull)
        rule_cache_put(&c->rules, at->pc, known.id, rule);
    if (r->kind == RULE_END)
        return AT_END;
    if (r->kind == RULE_UNSUPPORTED)
        return UNSUPPORTED;
    if (r->kind == RULE_NONE || r->kind == RULE_BROKEN)
        return step_without_rule(c, r, at, step);

    uint64_t cfa = address_at(r->cfa_base, r->cfa, step, 0);
    const uint64_t limit = at->limit;
    if (r->cfa_is_read) {
        if (!is_in_frame(cfa, at->sp, limit))
            return BROKEN;
        cfa = *(const uint64_t *)cfa;
    }
    if (r->signal) {
        at->limit = limit_of(cfa); /* often another stack */
    } else if (cfa < at->sp || (cfa == at->sp && !at->exact) || cfa > limit || cfa % 8) {
        return BROKEN;
    }
    struct slots slots = slots_of(r, step, cfa, at->lr_slot);
    if (!slots.ra)
        return UNSUPPORTED;
    if ((r->ra_base != RULE_IN_LR && !is_in_frame(slots.ra, at->sp, limit)) ||
        (slots.fp && !is_in_frame(slots.fp, at->sp, limit)))
        return BROKEN;
    step->rule = (uint16_t)rule;
    at->lr_slot = r->signal && ARCH_SIGNAL_LR != 0 ? at->sp + ARCH_SIGNAL_LR : 0;
    at->pc = arch_strip(*(const uint64_t *)slots.ra);
    at->sp = cfa;
    if (slots.fp)
        at->fp = *(const uint64_t *)slots.fp;
    at->exact = r->signal;
    return rule_cache_takes(at->pc) ? STEPPED : BROKEN;
}

/* The step at hand is filled; the position is the frame's and becomes its caller's. */
static inline enum outcome step_outward(struct context *c, struct position *at, struct walk_step *step)
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
        enum outcome outcome = step_slowly(c, &slow, step);
        *at = slow;
        return outcome;
    }
    uint64_t cfa = arch_cfa(rule, sp, fp);
    if (UNLIKELY(cfa <= sp || cfa > at->limit || cfa % 8))
        return BROKEN;
    uint64_t saved = *(const uint64_t *)arch_fp_slot(rule, cfa);
    at->pc = arch_strip(*(const uint64_t *)arch_ra_slot(rule, cfa));
    at->fp = arch_saves_fp(rule) ? saved : fp;
    at->sp = cfa;
    at->lr_slot = 0;
    return LIKELY(rule_cache_takes(at->pc)) ? STEPPED : BROKEN;
}

/* --- the last stack -------------------------------------------------------------- */

/* The frames of the last stack from `from`, where the walk stands, out to `to` have
 * not changed: they become steps. The position becomes that of `to`, whose step is
 * still to be counted. */
static bool keep(struct context *c, uint32_t from, uint32_t to, struct position *at, uint32_t *count)
{
    const struct walk *w = &c->walk;

    for (uint32_t i = from; i > to; i--) {
        const struct walk_frame *f = &w->frame[i];
        const uint64_t cfa = w->frame[i - 1].sp;
        struct walk_step *step = &c->walk.step[(*count)++];
        *step = (struct walk_step){ .pc = f->pc, .sp = f->sp, .fp = at->fp, .id = w->id[i], .rule = f->rule,
                                    .marks = f->marks & (WALK_EXACT | WALK_GUESSED) };
        if (LIKELY(f->rule)) {
            if (arch_saves_fp(f->rule))
                at->fp = *(const uint64_t *)arch_fp_slot(f->rule, cfa);
            continue;
        }
        struct pc_known known = rule_of(c, f->pc, f->marks);
        if (!known.id)
            return false;
        uint64_t slot = slots_of(&known.rule, step, cfa, 0).fp;
        if (slot)
            at->fp = *(const uint64_t *)slot;
        if (known.rule.signal)
            at->limit = limit_of(cfa);
    }
    at->pc = w->frame[to].pc;
    at->sp = w->frame[to].sp;
    return true;
}

/* Keeps what lies before the change that match tells of, where there is room. */
static __attribute__((noinline)) bool keep_unchanged(struct context *c, const struct walk_match *match,
                                                     struct position *at, uint32_t *count)
{
    const struct walk *w = &c->walk;
    uint32_t from = (uint32_t)match->frame, last = from;

    if (!match->changed)
        return true;
    while (w->frame[last - 1].checks >= match->changed)
        last--;
    /* A walk is not resumed where the link register's place is forgotten. */
    while (w->frame[last].marks & WALK_EXACT)
        last++;
    if (*count + (from - last) >= session.max_depth)
        return true;
    return keep(c, from, last, at, count);
}

/* Where a stack is being written, and what the outermost frame so far is. */
struct writer {
    uint32_t depth, checks;
    uint64_t hash;
    uint8_t flags;
    bool fp_live;
};

static inline void add_check(struct walk *w, struct writer *to, uint64_t slot, uint64_t value)
{
    w->check[to->checks++] = (struct walk_check){ (const uint64_t *)slot, value };
}

/* The words that the step from s to the frame outward of it read, by a rule that
 * is not short. */
static __attribute__((noinline)) bool add_slow_checks(struct context *c, struct writer *to, const struct walk_step *s)
{
    const struct walk_frame *outward = &c->walk.frame[to->depth - 1];
    struct pc_known known = rule_of(c, s->pc, s->marks);
    uint64_t lr_slot = 0;

    if (!known.id)
        return false;
    if (s->marks & WALK_EXACT && ARCH_SIGNAL_LR != 0) /* the step before, inward, is the signal's */
        lr_slot = s[-1].sp + (uint64_t)ARCH_SIGNAL_LR;
    struct slots slots = slots_of(&known.rule, s, outward->sp, lr_slot);
    if (slots.cfa)
        add_check(&c->walk, to, slots.cfa, outward->sp);
    add_check(&c->walk, to, slots.ra, arch_word(slots.ra, outward->pc));
    if (slots.fp && (to->fp_live || s->marks & WALK_GUESSED))
        add_check(&c->walk, to, slots.fp, outward->fp);
    to->fp_live = known.rule.cfa_base == RULE_FROM_FP || known.rule.fp_base == RULE_FROM_FP ||
                  (!known.rule.fp_base && to->fp_live);
    return true;
}

static inline void add_checks(struct walk *w, struct writer *to, const struct walk_step *s)
{
    const struct walk_frame *outward = &w->frame[to->depth - 1];
    uint64_t slot = arch_ra_slot(s->rule, outward->sp);

    add_check(w, to, slot, arch_word(slot, outward->pc));
    if (UNLIKELY(to->fp_live) && arch_saves_fp(s->rule))
        add_check(w, to, arch_fp_slot(s->rule, outward->sp), outward->fp);
    to->fp_live = arch_uses_fp(s->rule) || (to->fp_live && !arch_saves_fp(s->rule));
}

static inline void add_frame(struct walk *w, struct writer *to, const struct walk_step *s)
{
    struct walk_frame *f = &w->frame[to->depth];
    uint64_t hash = (to->hash + s->pc + (s->marks & WALK_EXACT)) * 0x9e3779b97f4a7c15ull;

    f->pc = s->pc;
    f->sp = s->sp;
    f->fp = s->fp;
    f->hash = to->hash = hash ^ hash >> 29;
    f->checks = to->checks;
    f->rule = s->rule;
    f->flags = to->flags |= s->marks & WALK_GUESSED ? REC_STACK_GUESSED : 0;
    f->marks = (uint8_t)(s->marks | (to->fp_live ? WALK_FP_LIVE : 0));
    *walk_place(w, s->sp) = (uint16_t)to->depth;
    w->id[to->depth++] = s->id;
}

/* Puts the steps behind the first frames of the last stack, as many as *start says. */
static bool write_steps(struct context *c, const struct writer *start, uint32_t count, bool repeatable,
                        uint32_t *ret_shared)
{
    struct walk *w = &c->walk;
    struct writer to = *start;
    uint32_t old_depth = w->depth, shared = to.depth;

    w->depth = 0; /* should numbering fail in the middle, there is no last stack */
    for (struct walk_step *s = w->step + count; s-- > w->step;) {
        const struct walk_frame *old = &w->frame[to.depth];
        const bool exact = s->marks & WALK_EXACT;
        if (UNLIKELY(!s->id) && !(s->id = exact ? pc_find(c, s->pc, true).id : pc_number(c, s->pc)))
            return false;
        if (UNLIKELY(shared == to.depth) && shared < old_depth && old->pc == s->pc &&
            exact == (bool)(old->marks & WALK_EXACT))
            shared++;
        if (to.depth && repeatable) {
            if (LIKELY(s->rule)) {
                add_checks(w, &to, s);
            } else {
                struct writer slow = to; /* a copy, so that this one can be in registers */
                if (!add_slow_checks(c, &slow, s))
                    return false;
                to = slow;
            }
        }
        add_frame(w, &to, s);
    }
    w->depth = to.depth;
    w->flags = to.flags;
    w->repeatable = repeatable;
    *ret_shared = shared;
    return true;
}

enum walk_result walk_take(struct context *c, const struct walk_start *start, struct walk_match match,
                           uint32_t *ret_shared)
{
    struct walk *w = &c->walk;
    struct position at = { .pc = start->pc, .sp = start->sp, .fp = start->fp, .limit = limit_of(start->sp) };
    struct writer to = { 0 };
    enum outcome outcome = STEPPED;
    uint32_t count = 0, max = session.max_depth;
    /* Of a stack that was cut, the part further out is not known. */
    bool comparable = w->repeatable && (!(w->flags & REC_STACK_CUT) || match.frame + 1 == w->depth);

    if (UNLIKELY(!rule_cache_takes(start->pc))) { /* no code can be there */
        w->step[count++] = (struct walk_step){ .pc = start->pc, .sp = start->sp };
        outcome = BROKEN;
    }
    while (outcome == STEPPED) {
        if (UNLIKELY(match.frame >= 0 && comparable)) {
            if (!match.changed && (uint64_t)match.frame + 1 + count <= max) {
                to.depth = (uint32_t)match.frame + 1;
                break;
            }
            struct walk_match kept = match; /* copies, so that the walk can be in registers */
            struct position position = at;
            uint32_t steps = count;
            if (!keep_unchanged(c, &kept, &position, &steps))
                return WALK_FAILED;
            at = position;
            count = steps;
            comparable = match.changed && !(w->flags & REC_STACK_CUT);
        }
        if (count == max) {
            to.flags = REC_STACK_CUT;
            break;
        }
        outcome = step_outward(c, &at, &w->step[count++]);
        match.frame = -1;
        if (LIKELY(comparable && outcome == STEPPED && !at.exact))
            match.frame = walk_find(w, at.pc, at.sp, at.fp);
        if (UNLIKELY(match.frame >= 0))
            match.changed = walk_verify(w->check, w->frame[match.frame].checks);
    }
    if (outcome == UNSUPPORTED && stack_backtrace)
        return WALK_UNSUPPORTED;
    if (outcome == STALE)
        return WALK_STALE;
    if (outcome == FAILED)
        return WALK_FAILED;
    if (to.depth) {
        struct walk_frame *outward = &w->frame[to.depth - 1];
        outward->fp = at.fp; /* where it is not live it may have been stale */
        to.hash = outward->hash;
        to.checks = outward->checks;
        to.flags = outward->flags;
        to.fp_live = outward->marks & WALK_FP_LIVE;
    } else {
        to.fp_live = outcome == FP_END || outcome == FP_BROKEN;
        if (outcome == FP_BROKEN || outcome == UNSUPPORTED || (outcome == BROKEN && at.pc))
            to.flags = REC_STACK_PARTIAL; /* but a return address of 0 ends a stack by intent */
    }
    return write_steps(c, &to, count, outcome != BROKEN && outcome != UNSUPPORTED, ret_shared) ? WALK_DONE : WALK_FAILED;
}

bool walk_adopt(struct context *c, void *const *pcs, uint32_t count, uint8_t flags, uint32_t *ret_shared)
{
    struct walk *w = &c->walk;
    struct writer to = { .flags = flags };
    uint32_t shared = 0, written;

    while (shared < count && shared < w->depth && w->frame[shared].pc == (uint64_t)pcs[count - 1 - shared] &&
           !(w->frame[shared].marks & WALK_EXACT))
        shared++;
    if (shared) {
        to.depth = shared;
        to.hash = w->frame[shared - 1].hash;
    }
    for (uint32_t k = 0; k < count - shared; k++)
        w->step[k] = (struct walk_step){ .pc = (uint64_t)pcs[k] };
    *ret_shared = shared;
    return write_steps(c, &to, count - shared, false, &written);
}
