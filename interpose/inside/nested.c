/* Which context a call gets that comes in the middle of another. The hard problem is
 * to tell three cases apart that look alike to a hook: the real allocator calls, a
 * signal handler calls, or the hook that made the context busy is no longer there,
 * because a handler has left by siglongjmp. The stack tells: the hook's frame is on it
 * or not, with an interrupted frame between it and the caller or without. */
#include "interpose/inside/nested.h"

#include "interpose/inside/context.h"
#include "interpose/inside/process.h"
#include "interpose/inside/start.h"
#include "interpose/inside/step.h"
#include "interpose/inside/sys.h"

/* More contexts than these on one thread are a sign that some were left behind. */
#define RING_USUAL 3

struct code_range nested_allocator;

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char etext[] __attribute__((visibility("hidden")));

enum hook_place { HOOK_GONE, HOOK_CALLS, HOOK_INTERRUPTED };

static bool is_ours(uint64_t pc)
{
    return pc - (uint64_t)__ehdr_start < (uint64_t)etext - (uint64_t)__ehdr_start;
}

/* Where on the stack from start outward is the hook that is at `busy`? by: an idle
 * context, whose caches serve. Where the stack cannot be followed, it is gone: to take
 * a context from a hook that is in the real allocator does no harm, for handlers nest. */
static enum hook_place find_hook(struct context *by, const struct walk_start *start, uint64_t busy)
{
    enum { STEPS_MAX = 8 * WALK_DEPTH_MAX };
    uint64_t sp = busy & ~(uint64_t)CONTEXT_STATE_MASK;
    struct position at = { .pc = start->pc, .sp = start->sp, .fp = start->fp,
                           .limit = reach_limit(&by->own_stack, start->sp) };
    bool interrupted = false;
    struct walk_step step;

    if (!rule_cache_takes(at.pc))
        return HOOK_GONE;
    for (int i = 0; i < STEPS_MAX && step_outward(by, &at, &step) == STEP_DONE; i++) {
        if (at.sp == sp && is_ours(step.pc))
            return interrupted ? HOOK_INTERRUPTED : HOOK_CALLS;
        interrupted |= at.exact;
    }
    return HOOK_GONE;
}

/* Contexts that were left in the middle of a record. A hook may still be there that
 * waits on another stack: only what is on this one is taken back. */
static void take_back(struct context *c, const struct walk_start *start)
{
    enum { SAME_STACK_BYTES = 64 << 20 };

    for (struct context *other = c->ring; other != c; other = other->ring) {
        uint64_t sp = other->busy & ~(uint64_t)CONTEXT_STATE_MASK;
        if (sp && sp - start->sp + SAME_STACK_BYTES < 2ull * SAME_STACK_BYTES &&
            find_hook(c, start, other->busy) == HOOK_GONE)
            context_recover(other);
    }
}

static struct context *idle_of_ring(struct context *c)
{
    for (struct context *other = c->ring; other != c; other = other->ring)
        if (!other->busy)
            return other;
    return NULL;
}

/* One more context for this thread. Signals are blocked. */
static struct context *add_to_ring(struct context *c, const struct walk_start *start)
{
    struct context *added = start_nested(), *other = c;
    int count = 1;

    if (!added)
        return NULL;
    added->ring = c->ring;
    c->ring = added;
    for (; other->ring != c; other = other->ring)
        count++;
    if (count > RING_USUAL)
        take_back(added, start);
    return added;
}

static struct context *another_context(struct context *c, const struct walk_start *start)
{
    struct context *found = idle_of_ring(c);

    if (!found) {
        uint64_t mask = sys_block_signals();
        found = add_to_ring(c, start);
        sys_restore_signals(mask);
    }
    if (!found) {
        process_count_lost(1);
        return NULL;
    }
    current_context = found;
    return found;
}

struct context *nested_context(struct context *c, const struct walk_start *start)
{
    const uint64_t busy = c->busy;

    switch (context_state(c)) {
    case CONTEXT_IN_ALLOCATOR:
        if (start->pc - nested_allocator.start < nested_allocator.end - nested_allocator.start ||
            !(busy & ~(uint64_t)CONTEXT_STATE_MASK))
            return NULL;
        break;
    case CONTEXT_RECORDING:
        return another_context(c, start);
    default:
        return NULL;
    }
    /* Numbers of new code may be logged: whoever interrupts that finds it so. */
    context_set_state(c, CONTEXT_RECORDING);
    enum hook_place place = find_hook(c, start, busy);
    if (place == HOOK_GONE) {
        c->busy = CONTEXT_IDLE;
        return c;
    }
    c->busy = busy;
    return place == HOOK_CALLS ? NULL : another_context(c, start);
}

void nested_before_fork(struct nested_fork *ret_kept)
{
    struct context *first = current_context, *c = first;

    ret_kept->count = 0;
    if (!first->ring)
        return;
    do {
        if (context_state(c) == CONTEXT_RECORDING && ret_kept->count < NESTED_KEPT_MAX) {
            sys_advise(c, sizeof *c, MADV_KEEPONFORK);
            sys_advise(c->slot, REC_LIVE_SLOT_BYTES, MADV_DOFORK);
            ret_kept->kept[ret_kept->count++] = c;
        }
        c = c->ring;
    } while (c != first);
}

void nested_after_fork(const struct nested_fork *kept, pid_t result)
{
    if (result == 0 && kept->count)
        current_context = &context_none; /* one of the others', which are wiped, or one of these */
    for (int i = 0; i < kept->count; i++) {
        struct context *c = kept->kept[i];
        if (result == 0) {
            c->orphaned = true;
            sys_map_over(c->slot, REC_LIVE_SLOT_BYTES); /* it is shared with the parent */
        } else {
            sys_advise(c, sizeof *c, MADV_WIPEONFORK);
            sys_advise(c->slot, REC_LIVE_SLOT_BYTES, MADV_DONTFORK);
        }
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
