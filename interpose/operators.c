/* Stand-ins for an allocator's operators new and delete, beside hooks.c, which has the
 * C functions. They are not exported, since then they would come between every C++
 * program and its C++ library; see outside/redirect.h for how calls come here.
 *
 * An operator new may call the program: its new_handler, which frees a reserve or throws
 * what it likes, and the C++ library, which allocates the exception. Those are events of
 * their own, and what is thrown passes through our frames. So the context is not busy
 * while the real operator runs. That some allocators then call themselves by their public
 * names is seen by where those calls come from. */
#include "interpose/operators.h"

#include "interpose/hooks.h"
#include "interpose/inside/context.h"
#include "interpose/inside/early_heap.h"
#include "interpose/inside/hints.h"
#include "interpose/inside/start.h"
#include "interpose/inside/sys.h"
#include "interpose/outside/redirect.h"
#include "interpose/outside/resolve.h"
#include "interpose/stand_in.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

/* All that a compiler may call. Names as size_t is unsigned long. X(symbol, parameters,
 * arguments, alignment): "which" stands for std::nothrow. */
#define NEW_THROWING(X)                                                                              \
    X(_Znwm, (size_t size), (size), 0) X(_Znam, (size_t size), (size), 0)                            \
    X(_ZnwmSt11align_val_t, (size_t size, size_t alignment), (size, alignment), alignment)           \
    X(_ZnamSt11align_val_t, (size_t size, size_t alignment), (size, alignment), alignment)

#define NEW_NOTHROW(X)                                                                               \
    X(_ZnwmRKSt9nothrow_t, (size_t size, const void *which), (size, which), 0)                       \
    X(_ZnamRKSt9nothrow_t, (size_t size, const void *which), (size, which), 0)                       \
    X(_ZnwmSt11align_val_tRKSt9nothrow_t, (size_t size, size_t alignment, const void *which),        \
      (size, alignment, which), alignment)                                                           \
    X(_ZnamSt11align_val_tRKSt9nothrow_t, (size_t size, size_t alignment, const void *which),        \
      (size, alignment, which), alignment)

#define DELETE(X)                                                                                    \
    X(_ZdlPv, (void *block), (block)) X(_ZdaPv, (void *block), (block))                              \
    X(_ZdlPvm, (void *block, size_t size), (block, size))                                            \
    X(_ZdaPvm, (void *block, size_t size), (block, size))                                            \
    X(_ZdlPvRKSt9nothrow_t, (void *block, const void *which), (block, which))                        \
    X(_ZdaPvRKSt9nothrow_t, (void *block, const void *which), (block, which))                        \
    X(_ZdlPvSt11align_val_t, (void *block, size_t alignment), (block, alignment))                    \
    X(_ZdaPvSt11align_val_t, (void *block, size_t alignment), (block, alignment))                    \
    X(_ZdlPvmSt11align_val_t, (void *block, size_t size, size_t alignment), (block, size, alignment)) \
    X(_ZdaPvmSt11align_val_t, (void *block, size_t size, size_t alignment), (block, size, alignment)) \
    X(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *block, size_t alignment, const void *which),       \
      (block, alignment, which))                                                                     \
    X(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *block, size_t alignment, const void *which),       \
      (block, alignment, which))

#define X(symbol, ...) NUMBER##symbol,
enum { NEW_THROWING(X) NEW_NOTHROW(X) DELETE(X) OPERATORS };
#undef X

static struct redirection operators[OPERATORS];

#define REAL(type, symbol, parameters) ((type (*) parameters)operators[NUMBER##symbol].real)

/* What the thread is doing here. By value: a frame that an exception has left, or a
 * coroutine's, is not looked at. */
struct doing {
    size_t size, alignment; /* that the innermost throwing operator was asked for */
    unsigned depth;         /* of real operators */
    bool inner;             /* it was called by another one */
};
static __thread struct doing doing;

/* Of the allocator. It may use the heap as any other module does, and then calls us; but
 * what it calls inside of an operator is that operator's own business. */
static uint64_t allocator_start, allocator_bytes;

/* A wrapper's operators may do no more than to call the next ones, which call malloc:
 * then its events are theirs. To be seen at the first call, when they can be called. */
static bool checked, lead_to_malloc;

static __attribute__((noinline)) void check(void)
{
    struct context *c = current_context;

    if (c == &context_none)
        c = start_thread(NULL);
    if (!c || c->busy)
        return;
    int saved_errno = errno;
    const uint64_t mask = sys_block_signals();
    c->busy = CONTEXT_UNWINDING; /* in this state our malloc takes its memory from the early heap */
    doing.depth++;
    if (operators[NUMBER_ZnwmRKSt9nothrow_t].real && operators[NUMBER_ZdlPv].real) {
        void *block = REAL(void *, _ZnwmRKSt9nothrow_t, (size_t, const void *))(1, &operators);
        lead_to_malloc = early_heap_owns(block);
        if (!lead_to_malloc)
            REAL(void, _ZdlPv, (void *))(block);
    }
    doing.depth--;
    c->busy = CONTEXT_IDLE;
    checked = true;
    sys_restore_signals(mask);
    errno = saved_errno;
}

#define IS_INNER \
    (UNLIKELY(lead_to_malloc) || (UNLIKELY(doing.depth) && (uint64_t)CALLER - allocator_start < allocator_bytes))

/* What the unwinder calls for a frame of a throwing operator that an exception leaves:
 * the failure is logged, and nothing else happens. A landing pad would need
 * _Unwind_Resume, and so bring the compiler's runtime into programs without it. */
int operators_left(int version, int actions, uint64_t class, void *exception, void *context);
__attribute__((used)) int operators_left(int version, int actions, uint64_t class, void *exception, void *context)
{
    enum { CLEANUP = 2, FORCED = 8, CONTINUE_UNWIND = 8 };

    (void)version, (void)class, (void)exception, (void)context;
    if (!(actions & CLEANUP))
        return CONTINUE_UNWIND;
    if (!(actions & FORCED) && !doing.inner)
        hooks_allocated(REC_FN_NEW, NULL, doing.size, doing.alignment, HERE);
    doing.depth -= doing.depth > 0;
    doing.inner = false;
    return CONTINUE_UNWIND;
}
#define DW_EH_PE_PCREL_SDATA4 "0x1b"
#define LEFT_BY_EXCEPTIONS __asm__ volatile(".cfi_personality " DW_EH_PE_PCREL_SDATA4 ", operators_left")

#define X(symbol, parameters, arguments, given_alignment)                       \
    static void *hook##symbol parameters                                        \
    {                                                                           \
        LEFT_BY_EXCEPTIONS;                                                     \
        if (UNLIKELY(!checked))                                                 \
            check();                                                            \
        const struct doing before = doing;                                      \
        const bool inner = IS_INNER;                                            \
        doing = (struct doing){ size, given_alignment, before.depth + 1, inner }; \
        void *block = REAL(void *, symbol, parameters) arguments;               \
        doing = before;                                                         \
        if (!inner)                                                             \
            hooks_allocated(REC_FN_NEW, block, size, given_alignment, HERE);    \
        return block;                                                           \
    }
NEW_THROWING(X)
#undef X

#define X(symbol, parameters, arguments, given_alignment)                       \
    static void *hook##symbol parameters                                        \
    {                                                                           \
        if (UNLIKELY(!checked))                                                 \
            check();                                                            \
        doing.depth++;                                                          \
        void *block = REAL(void *, symbol, parameters) arguments;               \
        doing.depth--;                                                          \
        if (!IS_INNER)                                                          \
            hooks_allocated(REC_FN_NEW, block, size, given_alignment, HERE);    \
        return block;                                                           \
    }
NEW_NOTHROW(X)
#undef X

#define X(symbol, parameters, arguments)                                        \
    static void hook##symbol parameters                                         \
    {                                                                           \
        if (UNLIKELY(!checked))                                                 \
            check();                                                            \
        if (!IS_INNER && !hooks_frees(REC_FN_DELETE, block, HERE))              \
            return;                                                             \
        doing.depth++;                                                          \
        REAL(void, symbol, parameters) arguments;                               \
        doing.depth--;                                                          \
    }
DELETE(X)
#undef X

/* The C functions by which an allocator may call itself, as its own calls find them. */
#define FUNCTIONS(X)                                                                            \
    X(malloc, void *, (size_t size), (size))                                                    \
    X(calloc, void *, (size_t count, size_t size), (count, size))                               \
    X(realloc, void *, (void *block, size_t size), (block, size))                               \
    X(posix_memalign, int, (void **block, size_t alignment, size_t size), (block, alignment, size)) \
    X(aligned_alloc, void *, (size_t alignment, size_t size), (alignment, size))                \
    X(memalign, void *, (size_t alignment, size_t size), (alignment, size))

#define X(name, type, parameters, arguments)                    \
    static type inner_##name parameters                         \
    {                                                           \
        return doing.depth ? real.name arguments : name arguments; \
    }
FUNCTIONS(X)
#undef X

static void inner_free(void *block)
{
    (doing.depth ? real.free : free)(block);
}

static const struct redirection inner_functions[] = {
#define X(name, ...) { #name, (void *)inner_##name, NULL, NULL },
    FUNCTIONS(X) X(free)
#undef X
};

static struct redirection operators[OPERATORS] = {
#define X(symbol, ...) [NUMBER##symbol] = { #symbol, (void *)hook##symbol, NULL, NULL },
    NEW_THROWING(X) NEW_NOTHROW(X) DELETE(X)
#undef X
};

void operators_begin(void)
{
    struct linked_module allocator;

    if (!redirect_module_of((const void *)real.malloc, &allocator) || !redirect_find(&allocator, operators, OPERATORS))
        return;
    allocator_start = allocator.start;
    allocator_bytes = allocator.end - allocator.start;
    redirect_inner_calls(&allocator, inner_functions, sizeof inner_functions / sizeof *inner_functions);
    redirect_calls(&allocator, operators, OPERATORS);
}
