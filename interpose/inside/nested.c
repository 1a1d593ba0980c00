/* Which context a call gets that comes in the middle of another. The hard problem is
 * to tell three cases apart that look alike to a hook: the real allocator calls, a
 * signal handler calls, or no hook is there any more, because a handler has left by
 * siglongjmp. The stack tells: the first frame of our own that it has outward of the
 * caller is a hook at work, and a frame on the way that was interrupted is a signal's.
 *
 * The thread's current context stays the one of its outermost hook: whatever that calls
 * must find it busy. */
#include "interpose/inside/nested.h"

#include "interpose/inside/context.h"
#include "interpose/inside/hints.h"
#include "interpose/inside/own_code.h"
#include "interpose/inside/process.h"
#include "interpose/inside/start.h"
#include "interpose/inside/step.h"
#include "interpose/inside/sys.h"

#include <string.h>

struct code_range nested_allocator;

enum hook_place {
    HOOK_NOWHERE,
    HOOK_CALLS,
    HOOK_INTERRUPTED,
    HOOK_UNKNOWN, /* the stack cannot be followed */
    HOOK_BEYOND_NEW_CODE, /* that is to be learnt first: step_learn */
};

/* Where the innermost hook is on the stack from start outward. by: a context whose
 * caches serve. */
static NOINLINE enum hook_place find_hook(struct context *by, const struct walk_start *start)
{
    enum { STEPS_MAX = 64 * WALK_DEPTH_MAX };
    struct position at = { .pc = start->pc, .sp = start->sp, .fp = start->fp,
                           .limit = reach_limit(&by->own_stack, start->sp) };
    bool interrupted = false;
    struct walk_step step;

    for (int i = 0; i < STEPS_MAX && rule_cache_takes(at.pc); i++) {
        if (own_code_has(at.pc))
            return interrupted ? HOOK_INTERRUPTED : HOOK_CALLS;
        enum step_outcome outcome = step_outward(by, &at, &step);
        if (outcome == STEP_UNKNOWN)
            return HOOK_BEYOND_NEW_CODE;
        if (outcome == STEP_AT_END || outcome == STEP_FP_END)
            return HOOK_NOWHERE;
        if (outcome != STEP_DONE)
            break;
        interrupted |= at.exact;
    }
    return interrupted ? HOOK_INTERRUPTED : HOOK_UNKNOWN; /* a handler does no harm with another context */
}

/* Whether two stack pointers are likely of the same stack. */
static bool are_near(uint64_t sp, uint64_t other)
{
    enum { STACK_BYTES = 64 << 20 };
    return sp - other + STACK_BYTES < 2ull * STACK_BYTES;
}

static uint64_t hook_sp(const struct context *c)
{
    return c->busy & ~(uint64_t)CONTEXT_STATE_MASK;
}

/* What can be said where the stack cannot be followed: what a hook calls, and what
 * interrupts it, is further down than the hook, but for handlers on stacks of their own. */
static enum hook_place guess_hook(const struct context *c, uint64_t sp)
{
    if (are_near(sp, hook_sp(c)) && sp >= hook_sp(c) && !sys_on_signal_stack())
        return HOOK_NOWHERE;
    return context_state(c) == CONTEXT_RECORDING ? HOOK_INTERRUPTED : HOOK_UNKNOWN;
}

/* No hook is at work on this stack: what is busy was left behind. On another stack
 * one may be waiting. */
static void take_back(struct context *first, uint64_t here)
{
    struct context *c = first;

    do {
        if (hook_sp(c) && are_near(hook_sp(c), here))
            context_recover(c);
        c = c->ring;
    } while (c != first);
}

/* An idle context of this thread besides c; NULL: there is none to be had. */
static struct context *another_context(struct context *c)
{
    for (struct context *other = c->ring; other != c; other = other->ring)
        if (!other->busy)
            return other;
    uint64_t mask = sys_block_signals();
    struct context *added = start_nested();
    if (added) {
        added->ring = c->ring;
        c->ring = added;
    }
    sys_restore_signals(mask);
    return added;
}

struct context *nested_context(struct context *c, const struct walk_start *start)
{
    const uint64_t busy = c->busy;
    struct context *by = c;

    if (!hook_sp(c) && context_state(c) == CONTEXT_RECORDING)
        process_count_lost(1); /* a handler has come between what we do outside of any hook */
    if (!hook_sp(c) || context_state(c) == CONTEXT_UNWINDING)
        return NULL; /* we call, from outside of any hook, or the unwinder does */
    if (start->pc - nested_allocator.start < nested_allocator.end - nested_allocator.start)
        return NULL;
    if (own_code_has(start->pc)) /* the real function has left by a jump, as glibc's reallocarray to realloc */
        return NULL;
    if (!c->slot) { /* wiped: in a forked child, its first hook was interrupted */
        current_context = &context_none;
        return start_thread(NULL);
    }
    if (context_state(c) == CONTEXT_RECORDING)
        by = another_context(c);
    if (!by) {
        process_count_lost(1);
        return NULL;
    }
    /* Numbers of new code may be logged: whoever interrupts that finds it so. */
    by->busy = start->sp | CONTEXT_RECORDING;
    context_fence();
    enum hook_place place;
    by->walk.unknown.again = false;
    do
        place = find_hook(by, start);
    while (place == HOOK_BEYOND_NEW_CODE && step_learn(by));
    context_fence();
    by->busy = by == c ? busy : CONTEXT_IDLE;
    if (place == HOOK_UNKNOWN || place == HOOK_BEYOND_NEW_CODE)
        place = guess_hook(c, start->sp);
    if (place == HOOK_CALLS)
        return NULL;
    if (place == HOOK_NOWHERE) {
        take_back(c, start->sp);
        if (!c->busy)
            return c;
        c = another_context(c);
        current_context = c ? c : current_context;
    } else {
        c = place == HOOK_INTERRUPTED ? another_context(c) : NULL;
    }
    if (!c)
        process_count_lost(1);
    return c;
}

/* False: it cannot be kept; then the child can do all but return into our code. */
static bool keep(struct context *c, struct context **ret_copy)
{
    *ret_copy = NULL;
    if (!sys_forbidden) {
        sys_advise(c, sizeof *c, MADV_KEEPONFORK);
        sys_advise(c->slot, REC_LIVE_SLOT_BYTES, MADV_DOFORK);
        return true;
    }
    *ret_copy = sys_may_map ? sys_map(-1, 0, sizeof *c) : NULL;
    if (*ret_copy)
        memcpy(*ret_copy, c, sizeof *c);
    return *ret_copy;
}

static void go_on_as_orphan(struct context *c, const struct context *copy)
{
    if (copy)
        memcpy(c, copy, sizeof *c);
    c->orphaned = true;
    if (!sys_forbidden || sys_may_map)
        sys_map_over(c->slot, REC_LIVE_SLOT_BYTES); /* it is shared with the parent, or was not to be inherited */
}

static void go_on_as_parent(struct context *c, struct context *copy)
{
    if (copy)
        sys_unmap(copy, sizeof *c);
    if (sys_forbidden)
        return;
    sys_advise(c, sizeof *c, MADV_WIPEONFORK);
    sys_advise(c->slot, REC_LIVE_SLOT_BYTES, MADV_DONTFORK);
}

void nested_before_fork(struct nested_fork *ret_kept)
{
    struct context *first = current_context, *c = first;

    ret_kept->count = 0;
    if (!first->ring)
        return;
    do {
        if (context_state(c) == CONTEXT_RECORDING && ret_kept->count < NESTED_KEPT_MAX && keep(c, &ret_kept->copy[ret_kept->count]))
            ret_kept->kept[ret_kept->count++] = c;
        c = c->ring;
    } while (c != first);
}

void nested_after_fork(const struct nested_fork *kept, pid_t result)
{
    if (result == 0 && kept->count)
        current_context = &context_none; /* one of the others', which are wiped, or one of these */
    for (int i = 0; i < kept->count; i++) {
        if (result == 0)
            go_on_as_orphan(kept->kept[i], kept->copy[i]);
        else
            go_on_as_parent(kept->kept[i], kept->copy[i]);
    }
}

void nested_release(struct context *c)
{
    while (c->ring != c) {
        struct context *other = c->ring;
        c->ring = other->ring;
        if (other->busy)
            context_recover(other);
        context_release(other);
    }
}
