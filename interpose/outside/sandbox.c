#include "interpose/outside/sandbox.h"

#include "interpose/inside/clock.h"
#include "interpose/inside/context.h"
#include "interpose/inside/nested.h"
#include "interpose/inside/process.h"
#include "interpose/inside/slots.h"
#include "interpose/inside/start.h"
#include "interpose/inside/sys.h"
#include "interpose/outside/filter.h"

#include <sys/prctl.h>

#define STOCK_SLOTS 256u               /* 16 MiB of the disk */
#define STOCK_BYTES ((size_t)64 << 20) /* of address space: contexts of new threads, tables that grow */

static bool kills;

/* Threads that are in the middle of an event may be about to make a system call. */
static void wait_for_others(const struct context *mine)
{
    enum { WAITS_MAX = 10000, WAIT_NS = 100000 }; /* a second: then it is rather a thread that was killed */
    int waits = 0;

    if (session.had_threads)
        sys_sleep(WAIT_NS); /* who has not seen sys_forbidden is through by then, or seen to be busy */
    while (atomic_load(&process->starting) && waits++ < WAITS_MAX)
        sys_sleep(WAIT_NS);
    for (struct context *c = atomic_load(&process->contexts); c; c = c->next)
        while (c != mine && context_state(c) == CONTEXT_RECORDING && waits++ < WAITS_MAX)
            sys_sleep(WAIT_NS);
}

static void lay_in(struct context *c)
{
    uint64_t busy = c->busy;

    c->busy = CONTEXT_RECORDING; /* a signal handler's calls are not for now */
    slots_reserve(STOCK_SLOTS);
    process_reserve_wiped(STOCK_BYTES);
    reach_find_whole(&c->own_stack, (uint64_t)__builtin_frame_address(0));
    c->busy = busy;
}

/* A vfork child has its parent's memory, but its filter and its clock are its own. */
static bool is_vfork_child(void)
{
    return process && process->pid && process->pid != sys_pid();
}

bool sandbox_enter(const struct sock_fprog *filter)
{
    int saved_errno = errno;
    struct context *c = current_context;

    enum filter_verdict verdict = FILTER_KILLS;
    if (sys_forbidden || is_vfork_child())
        return false;
    if (filter && (verdict = filter_judge(filter)) == FILTER_LETS_LIVE)
        return false;
    kills = verdict == FILTER_KILLS;
    if (c == &context_none || (!c->busy && !c->slot))
        c = start_thread(NULL);
    if (c && c->slot)
        lay_in(c);
    if (!clock_is_user_space)
        process_stop(REC_STOP_SANDBOX);
    sys_forbidden = true;
    if (process)
        wait_for_others(c);
    if (!filter) /* strict mode takes the counter away, too */
        sandbox_give_up_clock();
    errno = saved_errno;
    return true;
}

bool sandbox_kills(void)
{
    return kills;
}

void sandbox_leave(void)
{
    sys_forbidden = false;
    sandbox_take_up_clock();
}

/* Some thread may not. */
static bool clock_was_given_up;

void sandbox_give_up_clock(void)
{
    struct context *c = current_context;

    if (!sys_forbidden && is_vfork_child())
        return;
    clock_was_given_up = true;
    if (context_state(c) == CONTEXT_RECORDING)
        return; /* a signal handler in the middle of our code: what follows is the program's own doing */
    if (session.live)
        process_lack(REC_STOP_CLOCK);
    current_context = &context_mute;
    if (c->slot) {
        nested_release(c);
        context_release(c);
    }
}

void sandbox_take_up_clock(void)
{
    if (current_context == &context_mute)
        current_context = &context_none;
}

bool sandbox_may_read_clock(void)
{
    int mode = 0;

    if (!clock_was_given_up || sys_forbidden)
        return !clock_was_given_up;
    return sys_call(SYS_prctl, PR_GET_TSC, (long)&mode, 0, 0, 0, 0) != 0 || mode != PR_TSC_SIGSEGV;
}
