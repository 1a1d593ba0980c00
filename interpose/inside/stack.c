/* Takes a backtrace and compares it with the last one from the outside in. Comes
 * after the hook, before encode. Each frame that is new gets a pc number; to
 * number it may write records of its own and so begin a chunk, after which the
 * whole stack is to be logged. */
#include "interpose/inside/stack.h"

#include "format/encode.h"
#include "interpose/inside/context.h"
#include "interpose/inside/process.h"

#include <errno.h>

int (*stack_backtrace)(void **buffer, int size);

/* Our own frames below the hook's caller: the hook and what it calls. */
#define OWN_FRAMES_MAX 12

_Static_assert((STACK_DEPTH_MAX + OWN_FRAMES_MAX) * sizeof(void *) <= CONTEXT_SCRATCH_BYTES, "scratch");

/* The program's part of the backtrace, innermost first. */
static uint32_t take(struct context *c, void *const *frame, void ***ret_frames, uint8_t *ret_flags)
{
    void **frames = (void **)c->scratch;
    int saved_errno = errno;
    int count = 0;

    if (stack_backtrace) {
        c->busy = c->unwound ? CONTEXT_RECORDING : CONTEXT_UNWINDING;
        c->unwound = true;
        count = stack_backtrace(frames, STACK_DEPTH_MAX + OWN_FRAMES_MAX);
        c->busy = CONTEXT_RECORDING;
        errno = saved_errno;
    }
    *ret_flags = 0;
    *ret_frames = frames;
    for (int own = 0; own < count && own < OWN_FRAMES_MAX; own++) {
        if (frames[own] != frame[1])
            continue;
        uint32_t depth = (uint32_t)(count - own);
        *ret_frames += own;
        if (depth > STACK_DEPTH_MAX || count == STACK_DEPTH_MAX + OWN_FRAMES_MAX) {
            *ret_flags = REC_STACK_CUT;
            depth = depth > STACK_DEPTH_MAX ? STACK_DEPTH_MAX : depth;
        }
        if (depth > 1 && !(*ret_frames)[depth - 1])
            depth--; /* the unwinder's mark for the end of a thread's stack */
        return depth;
    }
    *ret_flags = REC_STACK_PARTIAL;
    frames[0] = frame[1];
    return 1;
}

bool stack_capture(struct context *c, void *const *frame, struct encode_stack *ret_difference)
{
    struct stack *s = &c->stack;
    void **frames;
    uint8_t flags;
    uint32_t depth = take(c, frame, &frames, &flags);
    uint32_t generation = atomic_load_explicit(&process->modules.generation, memory_order_acquire);
    uint32_t shared = 0, old_depth = s->depth;

    if (generation != s->generation) {
        /* A module has gone: what its addresses meant is no longer true. */
        s->generation = generation;
        old_depth = s->depth = 0;
        pc_cache_clear(&c->pcs);
    }
    while (shared < depth && shared < old_depth && s->pc[shared] == (uint64_t)frames[depth - 1 - shared])
        shared++;
    /* New frames come in from the scratch before anything else may use it. */
    for (uint32_t i = shared; i < depth; i++)
        s->pc[i] = (uint64_t)frames[depth - 1 - i];
    s->depth = 0; /* should numbering fail in the middle, nothing is shared with this one */
    for (uint32_t i = shared; i < depth; i++)
        if (!(s->id[i] = pc_number(c, s->pc[i])))
            return false;
    s->depth = depth;
    s->flags = flags;

    if (!context_room(c, ENCODE_EVENT_MAX + (size_t)depth * ENCODE_PUSH_MAX))
        return false;
    uint32_t kept = shared < s->logged ? shared : s->logged;
    ret_difference->pops = s->logged - kept;
    ret_difference->pushes = depth - kept;
    ret_difference->ids = s->id + kept;
    ret_difference->flags = flags;
    ret_difference->flags_changed = flags != s->logged_flags;
    s->logged = depth;
    s->logged_flags = flags;
    return true;
}
