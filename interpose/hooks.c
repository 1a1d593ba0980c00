/* The functions that we stand in for: the real call, and one event. An event's
 * path begins here; next are inside/stack.c and format/encode.h.
 *
 * The hard problem is the order of things around the real call. A free is
 * stamped and logged before it, an allocation after it: then any reuse of an
 * address, in whatever thread, is stamped later than the free that allowed it.
 * While the real function runs the context is busy, so that what it calls
 * itself (calloc calling malloc, say) is not an event.
 *
 * errno is what the real function leaves: the slow paths restore it. */
#include "interpose/hooks.h"

#include "interpose/inside/arch.h"
#include "interpose/inside/clock.h"
#include "interpose/inside/context.h"
#include "interpose/inside/early_heap.h"
#include "interpose/inside/hints.h"
#include "interpose/inside/lost.h"
#include "interpose/inside/nested.h"
#include "interpose/inside/process.h"
#include "interpose/inside/select.h"
#include "interpose/inside/start.h"
#include "interpose/outside/resolve.h"
#include "interpose/stand_in.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* Not in every libc's headers, or not with these types. */
void *pvalloc(size_t size);
void cfree(void *block);
void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);

/* What takes a hook's frame must be in the hook's own. */
#define INLINE static inline __attribute__((always_inline))
/* Not inlined: rare. */
static __attribute__((noinline)) struct context *enter_slowly(struct context *c, const struct walk_start *start)
{
    if (c == &context_none)
        c = start_thread((const void *)start->pc);
    else
        c = c == &context_mute ? NULL : nested_context(c, start);
    if (c)
        c->busy = start->sp | CONTEXT_IN_ALLOCATOR;
    return c;
}

/* The caller's context, now busy; NULL: this call is not logged. It may be an event all the same: lost.h. */
INLINE struct context *enter(const struct walk_start *start)
{
    struct context *c = current_context;

    if (UNLIKELY(c->busy))
        return enter_slowly(c, start);
    c->busy = start->sp | CONTEXT_IN_ALLOCATOR;
    return c;
}

INLINE void leave(struct context *c)
{
    if (LIKELY(c))
        c->busy = CONTEXT_IDLE;
}

static __attribute__((noinline)) void lose_events(struct context *c, uint64_t count, uint64_t next)
{
    if (count && !c->orphaned)
        process_count_lost(count);
    c->busy = next;
}

/* Starts logging what is so many events to a reader: 1, or 0 for what has failed. NULL: it is lost, and c is as
 * `next` says: before the real call it must stay busy. A forked child's first event changes the context. */
INLINE struct context *begin_event(struct context *c, uint64_t sp, uint64_t count, uint64_t next)
{
    struct context *now;

    c->busy = sp | CONTEXT_RECORDING;
    context_fence();
    now = context_room(c, ENCODE_EVENT_MAX);
    if (UNLIKELY(!now))
        lose_events(c, count, next);
    return now;
}

INLINE void end_event(struct context *c, uint8_t *at, uint64_t next)
{
    context_publish(c, at);
    context_fence();
    c->busy = next;
}

struct request {
    enum rec_function function;
    size_t size, alignment;
};

static __attribute__((noinline)) void log_failure(struct context *c, const struct request *r, uint64_t sp)
{
    int saved_errno = errno;

    if ((c = begin_event(c, sp, 0, CONTEXT_IDLE)))
        end_event(c, encode_alloc_failed(&c->encoder, c->at, r->function, r->size, r->alignment, clock_after_alloc()),
                  CONTEXT_IDLE);
    errno = saved_errno;
}

INLINE void log_alloc(struct context *c, enum rec_alloc which, const void *block, const struct request *r,
                      const struct walk_start *start)
{
    struct encode_stack stack = { 0 };
    uint64_t ticks = clock_after_alloc();

    if (UNLIKELY(!(c = begin_event(c, start->sp, 1, CONTEXT_IDLE))))
        return;
    if (LIKELY(session.call_graph != CALL_GRAPH_NONE) && UNLIKELY(!stack_capture(c, start, &stack))) {
        lose_events(c, 1, CONTEXT_IDLE);
        return;
    }
    end_event(c, encode_alloc(&c->encoder, c->at, which, (uint64_t)block, r->size, ticks, r->function,
                              r->alignment, &stack), CONTEXT_IDLE);
}

static __attribute__((noinline)) struct context *begin_child(struct context *c, uint64_t sp)
{
    c->busy = sp | CONTEXT_RECORDING;
    context_fence();
    struct context *now = context_room(c, 1);
    c = now ? now : c;
    c->busy = sp | CONTEXT_IN_ALLOCATOR;
    return c;
}

/* A forked child is in the log also where none of its events is to be. */
INLINE struct context *be_there(struct context *c, uint64_t sp)
{
    return LIKELY(c->slot) ? c : begin_child(c, sp);
}

INLINE void log_result(struct context *c, enum rec_alloc which, const void *block, const struct request *r,
                       const struct walk_start *start)
{
    if (UNLIKELY(!c)) {
        lost_alloc(block, r->size, start->pc);
        return;
    }
    if (UNLIKELY(session.selection.on) && (block ? !select_alloc(c, block, r->size) : session.selection.paused)) {
        leave(be_there(c, start->sp));
        return;
    }
    if (LIKELY(block))
        log_alloc(c, which, block, r, start);
    else
        log_failure(c, r, start->sp);
}

/* What is freed with the thread, though it is ours and not the program's, and so
 * comes from where free() takes no notice: the unwinder's thread-local data,
 * which the loader allocates at a thread's first backtrace, and libc's table for
 * our thread key, if there are more than 31 keys. */
static void *alloc_for_ourselves(size_t bytes)
{
    if (current_context != &context_busy && context_state(current_context) != CONTEXT_UNWINDING)
        return NULL;
    int saved_errno = errno;
    void *block = early_heap_alloc(16, bytes);
    errno = saved_errno;
    return block;
}

EXPORT void *malloc(size_t size)
{
    struct context *c = enter(HERE);
    void *block = UNLIKELY(!c) ? alloc_for_ourselves(size) : NULL;

    if (UNLIKELY(block))
        return block;
    block = real.malloc(size);
    log_result(c, REC_ALLOC_MALLOC, block, &(struct request){ REC_FN_MALLOC, size, 0 }, HERE);
    return block;
}

/* What was asked for, where count * size may be more than there is. */
INLINE size_t product(size_t count, size_t size)
{
    size_t bytes;
    return UNLIKELY(__builtin_mul_overflow(count, size, &bytes)) ? SIZE_MAX : bytes;
}

EXPORT void *calloc(size_t count, size_t size)
{
    struct context *c = enter(HERE);
    void *block = UNLIKELY(!c) ? alloc_for_ourselves(product(count, size)) : NULL;

    if (UNLIKELY(block))
        return block;
    block = real.calloc(count, size);
    log_result(c, REC_ALLOC_CALLOC, block, &(struct request){ REC_FN_CALLOC, product(count, size), 0 }, HERE);
    return block;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    struct context *c = enter(HERE);
    void *block = real.aligned_alloc(alignment, size);

    log_result(c, REC_ALLOC_ALIGNED, block, &(struct request){ REC_FN_ALIGNED_ALLOC, size, alignment }, HERE);
    return block;
}

EXPORT void *memalign(size_t alignment, size_t size)
{
    struct context *c = enter(HERE);
    void *block = real.memalign(alignment, size);

    log_result(c, REC_ALLOC_ALIGNED, block, &(struct request){ REC_FN_MEMALIGN, size, alignment }, HERE);
    return block;
}

EXPORT void *valloc(size_t size)
{
    struct context *c = enter(HERE);
    void *block = real.valloc(size);

    log_result(c, REC_ALLOC_ALIGNED, block, &(struct request){ REC_FN_VALLOC, size, 0 }, HERE);
    return block;
}

EXPORT void *pvalloc(size_t size)
{
    struct context *c = enter(HERE);
    void *block = real.pvalloc(size);

    log_result(c, REC_ALLOC_ALIGNED, block, &(struct request){ REC_FN_PVALLOC, size, 0 }, HERE);
    return block;
}

EXPORT int posix_memalign(void **ret_block, size_t alignment, size_t size)
{
    struct context *c = enter(HERE);
    int error = real.posix_memalign(ret_block, alignment, size);

    log_result(c, REC_ALLOC_ALIGNED, error ? NULL : *ret_block,
               &(struct request){ REC_FN_POSIX_MEMALIGN, size, alignment }, HERE);
    return error;
}

/* A free that is not recorded may still be the end of a library. */
static __attribute__((noinline)) struct context *look_at_free(struct context *c, const void *block, uint64_t sp)
{
    struct context *now = begin_event(c, sp, 0, sp | CONTEXT_IN_ALLOCATOR);

    if (!now)
        return c;
    modules_freed(now, block);
    now->busy = sp | CONTEXT_IN_ALLOCATOR;
    return now;
}

/* The event of a free that is about to happen. The context stays busy for it:
 * the result is what leave() wants. */
INLINE struct context *log_free(struct context *c, enum rec_function function, const void *block,
                                const struct walk_start *start)
{
    const uint64_t next = start->sp | CONTEXT_IN_ALLOCATOR;
    struct context *now;

    if (UNLIKELY(!c)) { /* then it may be that the clock must not be read */
        lost_free(block, start->pc);
        return NULL;
    }
    if (UNLIKELY(session.selection.on) && !select_free(block))
        return UNLIKELY(modules_loader_calls((const void *)start->pc)) ? look_at_free(c, block, start->sp)
                                                                        : be_there(c, start->sp);
    uint64_t ticks = clock_before_free();
    if (UNLIKELY(!(now = begin_event(c, start->sp, 1, next))))
        return c;
    if (UNLIKELY(modules_loader_calls((const void *)start->pc)))
        modules_freed(now, block);
    if (UNLIKELY(!context_room(now, ENCODE_EVENT_MAX)))
        lose_events(now, 1, next);
    else if (LIKELY(function == REC_FN_FREE))
        end_event(now, encode_free(&now->encoder, now->at, REC_FREE, (uint64_t)block, ticks), next);
    else
        end_event(now, encode_free_by(&now->encoder, now->at, function, (uint64_t)block, ticks), next);
    return now;
}

/* NULL is no block, and the early heap's are never given back. */
INLINE bool is_block(const void *block)
{
    return LIKELY(block && !early_heap_owns(block));
}

EXPORT void free(void *block)
{
    if (!is_block(block))
        return;
    struct context *c = log_free(enter(HERE), REC_FN_FREE, block, HERE);
    real.free(block);
    leave(c);
}

EXPORT void cfree(void *block)
{
    if (!is_block(block))
        return;
    struct context *c = log_free(enter(HERE), REC_FN_CFREE, block, HERE);
    real.cfree(block);
    leave(c);
}

EXPORT void free_sized(void *block, size_t size)
{
    if (!is_block(block))
        return;
    struct context *c = log_free(enter(HERE), REC_FN_FREE_SIZED, block, HERE);
    real.free_sized(block, size);
    leave(c);
}

EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size)
{
    if (!is_block(block))
        return;
    struct context *c = log_free(enter(HERE), REC_FN_FREE_ALIGNED_SIZED, block, HERE);
    real.free_aligned_sized(block, alignment, size);
    leave(c);
}

/* Two stamps: another thread may get the old block's address before the call
 * returns, and the old block lives on where the call fails. NULL: it is lost, and c still busy. */
static struct context *log_realloc_begin(struct context *c, const void *block, uint64_t sp)
{
    uint64_t ticks = clock_before_free();

    if (UNLIKELY(!(c = begin_event(c, sp, 1, sp | CONTEXT_IN_ALLOCATOR))))
        return NULL;
    end_event(c, encode_free(&c->encoder, c->at, REC_REALLOC_BEGIN, (uint64_t)block, ticks), sp | CONTEXT_IN_ALLOCATOR);
    return c;
}

static __attribute__((noinline)) void log_realloc_without_block(struct context *c, const struct request *r,
                                                                uint64_t sp)
{
    int saved_errno = errno;
    uint64_t ticks = clock_after_alloc();

    if ((c = begin_event(c, sp, 0, CONTEXT_IDLE)))
        end_event(c,
                  r->size == 0 ? encode_realloc_freed(&c->encoder, c->at, ticks)
                               : encode_realloc_failed(&c->encoder, c->at, r->function, r->size, ticks),
                  CONTEXT_IDLE);
    errno = saved_errno;
}

/* A block from the early heap moves to the real one: to the program's next
 * allocator it is a new block. */
static void *move_early_block(const void *old, size_t size)
{
    void *block = real.malloc(size);
    size_t old_size = early_heap_size(old);

    if (block)
        memcpy(block, old, size < old_size ? size : old_size);
    return block;
}

INLINE void *real_realloc(const struct request *r, void *old, size_t count, size_t size)
{
    return r->function == REC_FN_REALLOCARRAY ? real.reallocarray(old, count, size) : real.realloc(old, size);
}

/* Where the call is not logged: there is no context for it. */
static __attribute__((noinline)) void *realloc_unlogged(void *old, size_t count, size_t size, const struct request *r,
                                                        const struct walk_start *start)
{
    const bool old_recorded = lost_free(old, start->pc);
    void *block = real_realloc(r, old, count, size);

    if (!block && r->size)
        lost_free_undone(old, start->pc, old_recorded);
    lost_alloc(block, r->size, start->pc);
    return block;
}

/* Where the begin is lost, and so the end is. */
static __attribute__((noinline)) void *realloc_unbegun(struct context *c, void *old, size_t count, size_t size,
                                                       const struct request *r)
{
    void *block = real_realloc(r, old, count, size);

    lose_events(c, block != NULL, CONTEXT_IDLE);
    return block;
}

/* Where neither, either or both of the old block and the new one are recorded. */
static __attribute__((noinline)) void *realloc_selectively(struct context *c, void *old, size_t count, size_t size,
                                                           const struct request *r, const struct walk_start *start)
{
    const bool is_array = r->function == REC_FN_REALLOCARRAY;
    const bool old_recorded = select_free(old);
    struct context *begun = old_recorded ? log_realloc_begin(c, old, start->sp) : c;
    void *block = real_realloc(r, old, count, size);

    if (!block && r->size)
        select_free_undone(old, old_recorded);
    const bool recorded = block && select_alloc(begun ? begun : c, block, r->size);
    if (!begun) {
        lose_events(c, recorded, CONTEXT_IDLE);
        return block;
    }
    if (recorded && old_recorded)
        log_alloc(begun, is_array ? REC_ALLOC_REALLOCARRAY_END : REC_ALLOC_REALLOC_END, block, r, start);
    else if (recorded)
        log_alloc(begun, is_array ? REC_ALLOC_REALLOCARRAY : REC_ALLOC_REALLOC, block, r, start);
    else if (old_recorded && block)
        log_realloc_without_block(begun, &(struct request){ .function = r->function }, start->sp);
    else if (old_recorded)
        log_realloc_without_block(begun, r, start->sp);
    else
        leave(begun);
    return block;
}

/* count * size for reallocarray, 1 * size for realloc. */
INLINE void *do_realloc(void *old, size_t count, size_t size, enum rec_function function,
                        const struct walk_start *start)
{
    bool is_array = function == REC_FN_REALLOCARRAY;
    const struct request r = { function, product(count, size), 0 };
    struct context *c = enter(start);
    void *block;

    if (UNLIKELY(!old || early_heap_owns(old))) {
        if (old)
            block = move_early_block(old, r.size);
        else
            block = real_realloc(&r, NULL, count, size);
        log_result(c, is_array ? REC_ALLOC_REALLOCARRAY : REC_ALLOC_REALLOC, block, &r, start);
        return block;
    }
    if (UNLIKELY(!c))
        return realloc_unlogged(old, count, size, &r, start);
    if (UNLIKELY(session.selection.on))
        return realloc_selectively(c, old, count, size, &r, start);
    struct context *begun = log_realloc_begin(c, old, start->sp);
    if (UNLIKELY(!begun))
        return realloc_unbegun(c, old, count, size, &r);
    block = real_realloc(&r, old, count, size);
    if (LIKELY(block))
        log_alloc(begun, is_array ? REC_ALLOC_REALLOCARRAY_END : REC_ALLOC_REALLOC_END, block, &r, start);
    else
        log_realloc_without_block(begun, &r, start->sp);
    return block;
}

EXPORT void *realloc(void *old, size_t size)
{
    return do_realloc(old, 1, size, REC_FN_REALLOC, HERE);
}

EXPORT void *reallocarray(void *old, size_t count, size_t size)
{
    return do_realloc(old, count, size, REC_FN_REALLOCARRAY, HERE);
}

void hooks_allocated(enum rec_function function, const void *block, size_t size, size_t alignment,
                     const struct walk_start *start)
{
    log_result(enter(start), REC_ALLOC_ALIGNED, block, &(struct request){ function, size, alignment },
               start);
}

bool hooks_frees(enum rec_function function, const void *block, const struct walk_start *start)
{
    if (LIKELY(is_block(block)))
        leave(log_free(enter(start), function, block, start));
    return !early_heap_owns(block);
}
