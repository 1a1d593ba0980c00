/* The walk where the last stack does not answer alone: steps outward, frame by
 * frame, until a frame coincides with one of the last stack; then what was stepped
 * over is written behind it, from the outside in.
 *
 * The hard part is a word that changed in the middle: the frames inside of it are
 * still good, but what lies outside is new, and so all must be written again. They
 * become steps, without stepping, and the walk goes on from the last of them. */
#include "interpose/inside/walk.h"

#include "interpose/inside/context.h"
#include "interpose/inside/hints.h"
#include "interpose/inside/process.h"
#include "interpose/inside/step.h"

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
        struct pc_known known = step_rule(c, f->pc, f->marks);
        if (!known.id)
            return false;
        uint64_t slot = step_slots(&known.rule, step, cfa, 0).fp;
        if (slot)
            at->fp = *(const uint64_t *)slot;
        if (known.rule.signal)
            at->limit = reach_limit(&c->own_stack, cfa);
    }
    at->pc = w->frame[to].pc;
    at->sp = w->frame[to].sp;
    return true;
}

/* Keeps what lies before the change that match tells of. Where there is none (the
 * stack is too deep then), or no room, nothing. False: the log is full. */
static __attribute__((noinline)) bool keep_unchanged(struct context *c, const struct walk_match *match,
                                                     struct position *at, uint32_t *count)
{
    const struct walk *w = &c->walk;
    uint32_t from = (uint32_t)match->frame, last = from;

    if (!match->changed)
        return true;
    while (last > 0 && w->frame[last - 1].checks >= match->changed)
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
    uint64_t end_slot; /* of a return address that is none, at which the stack ends; 0: it ends otherwise */
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
    struct pc_known known = step_rule(c, s->pc, s->marks);
    uint64_t lr_slot = 0;

    if (!known.id)
        return false;
    if (s->marks & WALK_EXACT && ARCH_SIGNAL_LR != 0) /* the step before, inward, is the signal's */
        lr_slot = s[-1].sp + (uint64_t)ARCH_SIGNAL_LR;
    struct step_slots slots = step_slots(&known.rule, s, outward->sp, lr_slot);
    add_check(&c->walk, to, slots.ra, arch_word(slots.ra, outward->pc));
    if (slots.fp && (to->fp_live || s->marks & WALK_GUESSED))
        add_check(&c->walk, to, slots.fp, outward->fp);
    if (slots.cfa) /* last, so that it is compared first: the others depend on it */
        add_check(&c->walk, to, slots.cfa, outward->sp);
    to->fp_live = known.rule.cfa_base == RULE_FROM_FP || known.rule.fp_base == RULE_FROM_FP ||
                  known.rule.ra_base == RULE_FROM_FP || (!known.rule.fp_base && to->fp_live);
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
        if (repeatable && !to.depth && to.end_slot) {
            add_check(w, &to, to.end_slot, *(const uint64_t *)to.end_slot);
            to.fp_live = arch_uses_fp(s->rule);
        } else if (to.depth && repeatable) {
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

/* libunwind takes some 8 KiB of the program's stack: an alternate one may be smaller. */
static bool has_room(struct context *c)
{
    enum { ROOM_BYTES = 12288, STEP_BYTES = 4096 };
    const uint64_t here = (uint64_t)__builtin_frame_address(0) & ~7ull;

    if (reach_is_own(&c->own_stack, reach_limit(&c->own_stack, here)))
        return true;
    for (uint64_t below = STEP_BYTES; below <= ROOM_BYTES; below += STEP_BYTES)
        if (!reach_can_read(here - below, here - below + 8))
            return false;
    return true;
}

enum walk_result walk_take(struct context *c, const struct walk_start *start, uint64_t limit, struct walk_match match,
                           uint32_t *ret_shared)
{
    struct walk *w = &c->walk;
    struct position at = { .pc = start->pc, .sp = start->sp, .fp = start->fp, .limit = limit };
    struct writer to = { 0 };
    enum step_outcome outcome = STEP_DONE;
    uint32_t count = 0, max = session.max_depth;
    /* Of a stack that was cut, the part further out is not known. */
    bool comparable = w->repeatable && (!(w->flags & REC_STACK_CUT) || match.frame + 1 == w->depth);

    if (UNLIKELY(!rule_cache_takes(start->pc))) { /* no code can be there */
        w->step[count++] = (struct walk_step){ .pc = start->pc, .sp = start->sp };
        outcome = STEP_BROKEN;
    }
    while (outcome == STEP_DONE) {
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
        if (LIKELY(comparable && outcome == STEP_DONE && !at.exact))
            match.frame = walk_find(w, at.pc, at.sp, at.fp);
        if (UNLIKELY(match.frame >= 0))
            match.changed = walk_verify(w->check, w->frame[match.frame].checks);
    }
    if (outcome == STEP_UNSUPPORTED && (stack_backtrace || (session.may_load_unwinder && !w->is_unaided)) && has_room(c))
        return WALK_UNSUPPORTED;
    if (outcome == STEP_STALE)
        return WALK_STALE;
    if (outcome == STEP_UNKNOWN)
        return WALK_UNKNOWN;
    if (outcome == STEP_FAILED)
        return WALK_FAILED;
    if (to.depth) {
        struct walk_frame *outward = &w->frame[to.depth - 1];
        outward->fp = at.fp; /* where it is not live it may have been stale */
        to.hash = outward->hash;
        to.checks = outward->checks;
        to.flags = outward->flags;
        to.fp_live = outward->marks & WALK_FP_LIVE;
    } else {
        to.fp_live = outcome == STEP_FP_END || outcome == STEP_FP_BROKEN;
        if (outcome == STEP_FP_BROKEN || outcome == STEP_UNSUPPORTED || (outcome == STEP_BROKEN && at.pc))
            to.flags = REC_STACK_PARTIAL; /* but a return address of 0 ends a stack by intent */
        const struct walk_step *last = &w->step[count - 1];
        if (outcome == STEP_BROKEN && last->rule && at.sp != last->sp) /* it has been read */
            to.end_slot = arch_ra_slot(last->rule, at.sp);
    }
    bool repeatable = (outcome != STEP_BROKEN || to.end_slot) && outcome != STEP_UNSUPPORTED && !at.asked;
    return write_steps(c, &to, count, repeatable, ret_shared) ? WALK_DONE : WALK_FAILED;
}

bool walk_adopt(struct context *c, void *const *pcs, uint32_t count, uint8_t flags, uint32_t *ret_shared)
{
    struct walk *w = &c->walk;
    struct writer to = { .flags = flags };
    uint32_t shared = 0;

    while (shared < count && shared < w->depth && w->frame[shared].pc == (uint64_t)pcs[count - 1 - shared] &&
           !(w->frame[shared].marks & WALK_EXACT))
        shared++;
    if (shared) {
        to.depth = shared;
        to.hash = w->frame[shared - 1].hash;
    }
    for (uint32_t k = 0; k < count - shared; k++)
        w->step[k] = (struct walk_step){ .pc = (uint64_t)pcs[k] };
    return write_steps(c, &to, count - shared, false, ret_shared);
}
