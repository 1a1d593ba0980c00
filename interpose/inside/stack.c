/* Takes the stack of an event and finds the shortest way to say it. Comes after
 * the hook, before encode. Each frame that is new gets a pc number; to number it
 * may write records of its own and so begin a chunk, after which the whole stack
 * is to be logged. */
#include "interpose/inside/stack.h"

#include "format/encode.h"
#include "interpose/inside/context.h"
#include "interpose/inside/guess.h"
#include "interpose/inside/hints.h"
#include "interpose/inside/process.h"
#include "interpose/inside/start.h"
#include "interpose/inside/step.h"
#include "interpose/inside/sys.h"

#include <errno.h>

int (*stack_backtrace)(void **buffer, int size);
int (*stack_backtrace_slow)(void **buffer, int size);

/* Our own frames below the hook's caller: the hook and what it calls. */
#define OWN_FRAMES_MAX 12

/* As many pushed frames are said as quickly as a reference. */
#define PUSHES_AS_SHORT 3

_Static_assert((WALK_DEPTH_MAX + OWN_FRAMES_MAX) * sizeof(void *) <= CONTEXT_SCRATCH_BYTES, "scratch");

/* The program's part of another unwinder's stack, innermost first, in the
 * scratch. 0: it did not find our caller. */
static uint32_t take_by(int (*backtrace)(void **, int), struct context *c, uint64_t pc, void ***ret_pcs,
                        uint8_t *ret_flags)
{
    void **pcs = (void **)c->scratch;
    int saved_errno = errno, count;

    /* A thread's first backtrace allocates, through the loader. */
    uint64_t mask = c->unwound ? 0 : sys_block_signals();
    context_set_state(c, c->unwound ? CONTEXT_RECORDING : CONTEXT_UNWINDING);
    count = backtrace(pcs, WALK_DEPTH_MAX + OWN_FRAMES_MAX);
    context_set_state(c, CONTEXT_RECORDING);
    if (!c->unwound)
        sys_restore_signals(mask);
    c->unwound = true;
    errno = saved_errno;
    for (int own = 0; own < count && own < OWN_FRAMES_MAX; own++) {
        if ((uint64_t)pcs[own] != pc)
            continue;
        uint32_t depth = (uint32_t)(count - own);
        *ret_pcs = pcs + own;
        if (depth > 1 && count < WALK_DEPTH_MAX + OWN_FRAMES_MAX && !pcs[count - 1])
            depth--; /* the unwinder's mark for the end of a thread's stack */
        *ret_flags = depth > session.max_depth ? REC_STACK_CUT : 0;
        return depth > session.max_depth ? session.max_depth : depth;
    }
    return 0;
}

/* Not, where another file may be in the place of its pipe. */
static bool may_use_libunwind(void)
{
    if (!stack_backtrace || sys_forbidden)
        return false;
    for (int i = 0; i < 2; i++) {
        int fd = atomic_load_explicit(&session.unwinder_pipe[i].fd, memory_order_relaxed);
        if (fd < 0 || (fd && session.walks && !kept_file_owns(&session.unwinder_pipe[i], fd)))
            return false; /* asked for each stack only where few come here */
    }
    return true;
}

/* By libunwind. more_flags: why. */
static bool take_by_libunwind(struct context *c, uint64_t pc, uint8_t more_flags, uint32_t *ret_shared)
{
    void *innermost = (void *)pc, **pcs = &innermost;
    uint8_t flags;
    uint32_t depth = may_use_libunwind() ? take_by(stack_backtrace, c, pc, &pcs, &flags) : 0;

    if (!depth)
        return walk_adopt(c, &innermost, 1, REC_STACK_PARTIAL, ret_shared);
    return walk_adopt(c, pcs, depth, flags | more_flags, ret_shared);
}

/* By frame pointers: each must lie further up on the same stack. */
static bool take_by_frame_pointers(struct context *c, const struct walk_start *start, uint32_t *ret_shared)
{
    uint64_t limit = reach_limit(&c->own_stack, start->sp);
    void **pcs = (void **)c->scratch;
    uint64_t sp = start->sp, fp = start->fp;
    uint32_t depth = 0;
    uint8_t flags = 0;

    for (pcs[depth++] = (void *)start->pc; fp; depth++) {
        if (!guess_frame(c, &limit, sp, fp)) {
            flags = REC_STACK_PARTIAL;
            break;
        }
        uint64_t pc = arch_strip(((const uint64_t *)fp)[1]);
        if (!rule_cache_takes(pc)) {
            flags = pc ? REC_STACK_PARTIAL : 0;
            break;
        }
        if (depth == session.max_depth) {
            flags = REC_STACK_CUT;
            break;
        }
        pcs[depth] = (void *)pc;
        sp = fp + 16;
        fp = *(const uint64_t *)fp;
    }
    return walk_adopt(c, pcs, depth, flags, ret_shared);
}

/* Modules have come or gone: what their addresses meant is no longer true. */
static void forget_code(struct context *c, uint32_t generation)
{
    c->stack.generation = generation;
    c->stack.epoch++;
    c->walk.depth = 0;
    rule_cache_clear(&c->rules);
}

/* Again from the start after each address that is new, so that what it takes to learn one does not come on top
 * of the walk: the stack may be a small one. */
static bool take_by_rules(struct context *c, const struct walk_start *start, struct walk_match match,
                          uint32_t *ret_shared)
{
    const uint64_t limit = reach_limit(&c->own_stack, start->sp);
    bool forgot = false;

    c->walk.unknown.again = false;
    c->walk.is_unaided = false;
    for (;;) {
        enum walk_result result = walk_take(c, start, limit, match, ret_shared);
        if (result == WALK_UNKNOWN && step_learn(c))
            continue;
        if (result == WALK_UNSUPPORTED && !stack_backtrace) {
            start_unwinder_late(c, start->pc);
            c->walk.is_unaided = !stack_backtrace;
            if (c->walk.is_unaided)
                continue;
        }
        if (result == WALK_UNSUPPORTED || (result == WALK_STALE && forgot))
            return take_by_libunwind(c, start->pc, REC_STACK_FALLBACK, ret_shared);
        if (result != WALK_STALE)
            return result == WALK_DONE;
        forget_code(c, atomic_load_explicit(&process->modules.generation, memory_order_acquire));
        match = (struct walk_match){ .frame = -1 };
        forgot = true;
    }
}

static bool take(struct context *c, const struct walk_start *start, struct walk_match match, uint32_t *ret_shared)
{
    switch (session.call_graph) {
    case CALL_GRAPH_LIBUNWIND:
        return take_by_libunwind(c, start->pc, 0, ret_shared);
    case CALL_GRAPH_FP:
        return take_by_frame_pointers(c, start, ret_shared);
    default:
        return take_by_rules(c, start, match, ret_shared);
    }
}

static bool is_same(const struct walk *w, void *const *pcs, uint32_t depth)
{
    if (depth != w->depth)
        return false;
    for (uint32_t i = 0; i < depth; i++)
        if ((uint64_t)pcs[i] != w->frame[depth - 1 - i].pc)
            return false;
    return true;
}

/* Whether the last stack has only frames with unwind tables. */
static bool is_by_tables(struct context *c, uint8_t flags)
{
    const struct walk_frame *last = &c->walk.frame[0];

    if (flags & (REC_STACK_GUESSED | REC_STACK_FALLBACK))
        return false;
    if (!(flags & REC_STACK_PARTIAL))
        return true;
    uint32_t kind = pc_find(c, last->pc, last->marks & WALK_EXACT).rule.kind;
    return kind != RULE_NONE && kind != RULE_BROKEN;
}

/* The self-check: does libunwind see the same? Its quick way is known to err. */
static bool differs(struct context *c, uint64_t pc)
{
    int (*const ways[])(void **, int) = { stack_backtrace, stack_backtrace_slow };
    bool asked = false;

    for (int i = 0; i < 2; i++) {
        void **pcs;
        uint8_t flags;
        uint32_t depth = ways[i] ? take_by(ways[i], c, pc, &pcs, &flags) : 0;
        if (depth && is_same(&c->walk, pcs, depth))
            return false;
        asked |= ways[i] != NULL;
    }
    return asked;
}

/* Where the last stack is remembered, if it is. The low bits of its hash choose the
 * place; in the entry, the high ones are before its number. The epoch is in the hash, so
 * that what was known before is not found. */
static uint64_t *place_of(struct stack *s, const struct walk *w, uint8_t flags, uint64_t *ret_entry)
{
    uint64_t hash = (w->frame[w->depth - 1].hash + ((uint64_t)s->epoch << 8 | flags)) * 0xd6e8feb86659fd93ull;

    hash ^= hash >> 32;
    *ret_entry = hash & ~(uint64_t)(REC_STACK_NUMBERS - 1);
    return &s->known[hash % (1 << STACK_KNOWN_BITS)];
}

_Static_assert((REC_STACK_NUMBERS & (REC_STACK_NUMBERS - 1)) == 0 && 1 << STACK_KNOWN_BITS <= REC_STACK_NUMBERS,
               "the bits that choose the place are those that the number replaces");

/* Any stack but the last one again. */
static __attribute__((noinline)) bool capture(struct context *c, const struct walk_start *start,
                                              struct walk_match match, struct encode_stack *ret_difference)
{
    struct walk *w = &c->walk;
    struct stack *s = &c->stack;
    uint32_t shared;

    if (!take(c, start, match, &shared))
        return false;
    uint8_t flags = w->flags;
    if (session.check_stacks && is_by_tables(c, flags) && differs(c, start->pc))
        flags |= REC_STACK_DIFFERS;
    if (!context_room(c, ENCODE_EVENT_MAX + (size_t)w->depth * ENCODE_PUSH_MAX))
        return false;

    uint32_t kept = shared < s->logged ? shared : s->logged;
    *ret_difference = (struct encode_stack){ .pops = s->logged - kept, .pushes = w->depth - kept,
                                             .ids = w->id + kept, .flags = flags,
                                             .flags_changed = flags != s->logged_flags };
    s->logged = w->depth;
    s->logged_flags = flags;
    if (ret_difference->pushes <= PUSHES_AS_SHORT && !ret_difference->flags_changed)
        return true;
    uint64_t entry, *known = place_of(s, w, flags, &entry);
    if ((*known ^ entry) < REC_STACK_NUMBERS) {
        ret_difference->again = true;
        ret_difference->number = (uint32_t)(*known ^ entry);
    } else if (c->encoder.stacks < REC_STACK_NUMBERS) {
        *known = entry | c->encoder.stacks;
    }
    return true;
}

bool stack_capture(struct context *c, const struct walk_start *start, struct encode_stack *ret_difference)
{
    struct walk *w = &c->walk;
    struct stack *s = &c->stack;
    struct walk_match match = { .frame = -1 };
    uint32_t generation = atomic_load_explicit(&process->modules.generation, memory_order_acquire);

    if (UNLIKELY(generation != s->generation))
        forget_code(c, generation);
    else if (LIKELY(session.walks))
        match = walk_compare(w, start);
    if (LIKELY(match.frame >= 0 && match.frame + 1 == w->depth && !match.changed) && s->logged == w->depth &&
        s->logged_flags == w->flags && !session.check_stacks)
        return true;
    return capture(c, start, match, ret_difference);
}
