/* Which thread has which context. The hard part is threads that leave without a
 * word: their contexts are looked for among those whose owner has died. */
#include "interpose/inside/context.h"

#include "interpose/inside/buffer.h"
#include "interpose/inside/process.h"
#include "interpose/inside/slots.h"
#include "interpose/inside/start.h"
#include "interpose/inside/sys.h"

#include <errno.h>

struct context context_none = { .busy = CONTEXT_IN_ALLOCATOR };
struct context context_busy = { .busy = CONTEXT_IN_ALLOCATOR };
struct context context_mute = { .busy = CONTEXT_IN_ALLOCATOR };
struct context context_unrecorded; /* busy when it is used: so that it takes no room in the library */
__thread struct context *current_context = &context_none;

static struct context *make_context(void)
{
    struct context *wiped = atomic_exchange(&process->wiped, NULL);
    struct context *c = wiped ? wiped : process_map_wiped(sizeof *c);
    int error = c ? slot_take(&c->slot) : -ENOMEM;

    if (error) {
        if (c && c != wiped) /* its thread still has that */
            process_unmap_wiped(c, sizeof *c);
        process_lack(-error);
        return NULL;
    }
    c->stream = atomic_fetch_add(&process->context_count, 1);
    buffer_begin_chunk(c);
    return c;
}

static struct context *take_free(uint32_t tid, uint32_t *ret_count)
{
    *ret_count = 0;
    for (struct context *c = atomic_load(&process->contexts); c; c = c->next, ++*ret_count) {
        uint32_t nobody = 0;
        if (atomic_load(&c->owner) == 0 && atomic_compare_exchange_strong(&c->owner, &nobody, tid))
            return c;
    }
    return NULL;
}

/* Threads that allocate after their last key destructor leave without a word. */
static uint32_t free_orphans(uint32_t tid)
{
    uint32_t freed = 0;

    for (struct context *c = atomic_load(&process->contexts); c; c = c->next) {
        uint32_t owner = atomic_load(&c->owner);
        if (owner && sys_thread_probe(process->pid, owner) == -ESRCH &&
            atomic_compare_exchange_strong(&c->owner, &owner, tid)) {
            if (c->busy)
                context_recover(c);
            context_release(c);
            freed++;
        }
    }
    return freed;
}

static struct context *take_context(uint32_t tid)
{
    uint32_t count;
    struct context *c = take_free(tid, &count);

    if (c || sys_forbidden || count < 8 || count < atomic_load(&process->orphan_search_at))
        return c;
    uint32_t freed = free_orphans(tid);
    /* Where most are in use, it is not worth another search until there are twice as many. */
    atomic_store(&process->orphan_search_at, freed < count / 2 ? count * 2 : count);
    return take_free(tid, &count);
}

struct context *context_acquire(uint32_t tid)
{
    struct context *c = take_context(tid);

    if (c) {
        c->end_rounds = 0;
        c->ring = c;
        buffer_fit_clock(c);
        return c;
    }
    c = make_context();
    if (!c)
        return NULL;
    c->ring = c;
    atomic_store(&c->owner, tid);
    c->next = atomic_load(&process->contexts);
    while (!atomic_compare_exchange_weak(&process->contexts, &c->next, c))
        ;
    return c;
}

void context_release(struct context *c)
{
    c->busy = CONTEXT_IDLE;
    atomic_store(&c->owner, 0);
}

void context_recover(struct context *c)
{
    uint64_t mask = sys_block_signals(); /* a handler that leaves again must not find it half done */

    c->at = (uint8_t *)(c->slot + 1) + sizeof(struct rec_chunk_header) + c->slot->used_bytes;
    c->walk.depth = 0;
    c->walk.repeatable = false;
    rule_cache_clear(&c->rules);
    buffer_begin_anew(c);
    c->busy = CONTEXT_IDLE;
    sys_restore_signals(mask);
}

/* The context that a thread of a forked child has in place of c, its parent's, which is
 * wiped: begun by a signal handler meanwhile, or now. */
static struct context *begin_in_child(struct context *c)
{
    struct context *now = current_context;

    if (c->slot)
        return c;
    if (!now->busy && now->slot)
        return now;
    atomic_store(&process->wiped, c);
    now = start_thread(NULL);
    atomic_store(&process->wiped, NULL);
    return now;
}

struct context *context_refill(struct context *c, size_t bytes)
{
    if (!c->slot) {
        const uint64_t busy = c->busy;
        uint64_t mask = sys_block_signals();
        c->busy = CONTEXT_IDLE; /* a hook that a handler's fork interrupted may still have it in hand */
        struct context *now = begin_in_child(c);
        if (now)
            now->busy = busy;
        sys_restore_signals(mask);
        return now ? context_room(now, bytes) : NULL;
    }
    if (c->orphaned) { /* its parent logs it */
        c->at = (uint8_t *)(c->slot + 1) + sizeof(struct rec_chunk_header);
        return c;
    }
    if (atomic_load_explicit(&process->state, memory_order_relaxed) == PROCESS_RECORDING && buffer_flush(c))
        return c;
    return NULL;
}
