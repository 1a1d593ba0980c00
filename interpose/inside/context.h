/* One thread's recording: its buffer, what its next record is a difference to,
 * and its last stack. A context belongs to one thread at a time and outlives
 * it: the next thread takes it over, warm, and its stream goes on. A thread has a
 * second one, and more, for what signal handlers do in the middle of an event.
 *
 * Nothing in here is shared, so no event takes a lock or an atomic
 * read-modify-write. May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_CONTEXT_H
#define MALLOSCOPE_INSIDE_CONTEXT_H

#include "format/encode.h"
#include "format/layout.h"
#include "interpose/inside/cfi_row.h"
#include "interpose/inside/reach.h"
#include "interpose/inside/rule_cache.h"
#include "interpose/inside/stack.h"

#include <stdatomic.h>

#define CONTEXT_SCRATCH_BYTES 16384
#define GUESS_REFUSED_BITS 6

enum context_state {
    CONTEXT_IDLE = 0,
    CONTEXT_IN_ALLOCATOR, /* in the real function: what it calls is its own business */
    CONTEXT_RECORDING,    /* in our code: only a signal handler can call in now */
    CONTEXT_UNWINDING,    /* in a thread's first backtrace, for which the loader allocates */
};
#define CONTEXT_STATE_MASK 15u

struct context {
    /* The hot part. A forked child finds all of it 0: at == end sends the first
     * event to context_refill, which starts recording anew. */
    uint8_t *at, *end;            /* where the next record goes; the buffer's end */
    struct rec_live_slot *slot;   /* of the live file; the buffer follows it */
    struct encoder encoder;
    volatile uint64_t busy;       /* enum context_state, and in the other bits the stack pointer of the
                                   * hook's caller, 0 if no hook is at it; volatile: signal handlers look */

    uint32_t stream, sequence;
    _Atomic uint32_t owner;       /* thread id, 0: free to take */
    struct context *ring;         /* the thread's next context; this one if it is the only one */
    bool orphaned;                /* of a forked child's parent, in the middle of a record: see nested.c */
    int64_t until_sample;         /* bytes; see select.c */
    uint64_t sample_state;        /* of the random numbers for it; 0: none yet */
    uint32_t end_rounds;          /* how often the thread's key destructor has run */
    bool unwound;                 /* the thread has had its first backtrace */
    struct context *next;
    char name[16];                /* of the thread, as last logged */

    struct stack stack;
    struct rule_cache rules;
    struct walk walk;
    struct reach own_stack; /* of the thread */
    uint64_t refused[1 << GUESS_REFUSED_BITS]; /* see guess.c */
    uint32_t refusals;
    struct cfi_work work;
    char scratch[CONTEXT_SCRATCH_BYTES]; /* for the unwinder and for rare records: the program's stack may be small */
};

#define CONTEXT_BYTES_MAX (1u << 20) /* promised: no more for each thread */
_Static_assert(sizeof(struct context) <= CONTEXT_BYTES_MAX, "a context is too large");

/* Stands for "none yet", "being made", "this thread's events are lost" and "never", so that
 * the hooks test one thing. */
extern struct context context_none, context_busy, context_mute, context_unrecorded;

extern __thread struct context *current_context __attribute__((tls_model("initial-exec")));

static inline enum context_state context_state(const struct context *c)
{
    return (enum context_state)(c->busy & CONTEXT_STATE_MASK);
}

/* Between what a signal handler of this thread may find done, and what not. */
static inline void context_fence(void)
{
    __asm__ volatile("" ::: "memory");
}

/* The hook that is at it stays the same. */
static inline void context_set_state(struct context *c, enum context_state state)
{
    c->busy = (c->busy & ~(uint64_t)CONTEXT_STATE_MASK) | state;
}

/* A context for the calling thread, taken over or new; NULL: there is none. */
struct context *context_acquire(uint32_t tid);
void context_release(struct context *c);

/* Makes a context idle that was left in the middle of a record, which is dropped. */
void context_recover(struct context *c);

/* Makes room for `bytes`: flushes the chunk, or starts recording in a forked
 * child, which then has another context. NULL: nothing can be logged. */
struct context *context_refill(struct context *c, size_t bytes);

static inline struct context *context_room(struct context *c, size_t bytes)
{
    if (__builtin_expect((size_t)(c->end - c->at) < bytes, 0))
        return context_refill(c, bytes);
    return c;
}

/* Publishes the record that ends at `at`: from here on it survives the process. */
static inline void context_publish(struct context *c, uint8_t *at)
{
    c->at = at;
    context_fence();
    c->slot->used_bytes = (uint64_t)(at - (uint8_t *)(c->slot + 1)) - sizeof(struct rec_chunk_header);
}

#endif
