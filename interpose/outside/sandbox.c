#include "interpose/outside/sandbox.h"

#include "interpose/inside/buffer.h"
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

static bool loads_unwinder(void)
{
    const uint32_t loader = atomic_load(&session.unwinder_loader);
    return loader && loader == process->pid;
}

/* Threads that are in the middle of an event may be about to make a system call. */
static void wait_for_others(const struct context *mine)
{
    enum { WAITS_MAX = 10000, WAIT_NS = 100000 }; /* a second: then it is rather a thread that was killed */
    int waits = 0;

    if (session.had_threads)
        sys_sleep(WAIT_NS); /* who has not seen sys_forbidden is through by then, or seen to be busy */
    while ((atomic_load(&process->starting) || loads_unwinder()) && waits++ < WAITS_MAX)
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

static __thread struct sandbox_child child;

struct sandbox_child *sandbox_child(void)
{
    if (child.pid && child.may_ask && sys_pid() != child.pid)
        child.pid = 0; /* it has ended, and this is its parent */
    return child.pid ? &child : NULL;
}

/* A vfork child has its parent's memory, but its filter and its clock are its own. One that has forbidden itself
 * system calls is known as such, and is not to ask for its pid. */
bool sandbox_is_vfork_child(void)
{
    return process && process->pid && (sandbox_child() || process->pid != sys_pid());
}

void sandbox_forget_child(struct sandbox_child *ret_child)
{
    *ret_child = child;
    child.pid = 0;
}

void sandbox_remember_child(const struct sandbox_child *remembered)
{
    child = *remembered;
}

static bool is_sandboxed_child(void)
{
    return !sys_forbidden && sandbox_child();
}

/* Room for two notes with the longest paths is made while that may be done. */
static struct context *context_for_notes(void)
{
    enum { NOTES_BYTES = 2 * (ENCODE_TEXTS_MAX + 4096) };
    uint64_t mask = sys_block_signals();
    struct context *c = clock_is_user_space ? start_nested() : NULL;

    if (c) {
        c->busy = CONTEXT_RECORDING;
        context_room(c, NOTES_BYTES);
        c->busy = CONTEXT_IDLE;
    }
    sys_restore_signals(mask);
    return c;
}

static void enter_as_child(struct sandbox_change *change, enum filter_verdict verdict, bool may_ask)
{
    change->is_child = true;
    change->forbidden = is_sandboxed_child();
    change->kills = change->forbidden && child.kills;
    if (!change->forbidden)
        child = (struct sandbox_child){ .pid = sys_pid(), .may_ask = true, .context = context_for_notes() };
    child.kills |= verdict == FILTER_KILLS;
    child.may_ask &= may_ask;
}

static void enter(bool strict, enum filter_verdict verdict)
{
    struct context *c = current_context;

    kills = verdict == FILTER_KILLS;
    if (process && (c == &context_none || (!c->busy && !c->slot)))
        c = start_thread(NULL);
    if (process && c && c->slot)
        lay_in(c);
    /* What was left in the middle of a record is seen to while the counter can be read. */
    if (strict && c && c->slot && context_state(c) != CONTEXT_RECORDING)
        nested_release(c);
    if (!clock_is_user_space)
        process_stop(REC_STOP_SANDBOX);
    sys_forbidden = true;
    if (process)
        wait_for_others(c);
}

void sandbox_enter(struct sandbox_change *ret_change, bool strict, const struct sock_fprog *filter)
{
    int saved_errno = errno;
    enum filter_verdict verdict = FILTER_KILLS;

    *ret_change = (struct sandbox_change){ .strict = strict };
    if (!strict && !filter)
        return;
    /* Where it kills already, it could not be looked at, and nothing becomes worse. */
    bool may_look = !(sys_forbidden ? kills : is_sandboxed_child() && child.kills);
    if (!strict && may_look && (verdict = filter_judge(filter)) == FILTER_LETS_LIVE)
        return;
    ret_change->enters = true;
    ret_change->forbidden = sys_forbidden;
    ret_change->kills = kills;
    ret_change->may_map = sys_may_map;
    const bool maps = !strict && may_look && filter_allows(filter, SYS_mmap) && filter_allows(filter, SYS_munmap);
    ret_change->state = process ? atomic_load(&process->state) : PROCESS_NEW;
    ret_change->stop_errno = session.live ? session.live->stop_errno : 0;
    if (sys_forbidden) {
        kills |= verdict == FILTER_KILLS;
        sys_may_map &= maps;
    } else if (is_sandboxed_child() || sandbox_is_vfork_child()) {
        enter_as_child(ret_change, verdict, !strict && may_look && filter_allows(filter, SYS_getpid));
    } else {
        sys_may_map = maps;
        enter(strict, verdict);
    }
    errno = saved_errno;
}

bool sandbox_kills(void)
{
    return sys_forbidden ? kills : child.kills;
}

static void leave(const struct sandbox_change *change)
{
    int off = PROCESS_OFF;

    if (change->is_child) {
        child.kills = change->kills;
        if (!change->forbidden) {
            child.pid = 0;
            if (child.context)
                context_release(child.context);
        }
        return;
    }
    kills = change->kills;
    sys_may_map = change->may_map;
    sys_forbidden = change->forbidden;
    if (change->forbidden || clock_is_user_space || !process)
        return;
    if (change->state == PROCESS_RECORDING && atomic_compare_exchange_strong(&process->state, &off, change->state) && session.live)
        session.live->stop_errno = change->stop_errno;
}

void sandbox_entered(const struct sandbox_change *change, bool accepted)
{
    int saved_errno = errno;

    if (change->enters && !accepted)
        leave(change);
    else if (change->enters && change->strict && !change->is_child) /* which takes the counter away, too */
        sandbox_give_up_clock();
    errno = saved_errno;
}

/* Some thread may not. */
static bool clock_was_given_up;

/* The calling thread's chunks go on in other ticks. */
static void change_clock(bool faults)
{
    struct context *first = current_context, *c = first;
    uint64_t mask = sys_block_signals();

    clock_set_faults(faults);
    while (c->slot && context_state(c) != CONTEXT_RECORDING) {
        const uint64_t busy = c->busy;
        c->busy = CONTEXT_RECORDING;
        buffer_fit_clock(c);
        c->busy = busy;
        if ((c = c->ring) == first)
            break;
    }
    sys_restore_signals(mask);
}

/* Without a system call there is no clock. */
static void fall_silent(void)
{
    struct context *c = current_context;

    if (session.live)
        process_lack(REC_STOP_CLOCK);
    current_context = &context_mute;
    if (c->slot) {
        nested_release(c);
        context_release(c);
    }
}

void sandbox_give_up_clock(void)
{
    if (!sys_forbidden && sandbox_is_vfork_child())
        return;
    clock_was_given_up = true;
    if (!sys_forbidden && !sys_careful)
        change_clock(true);
    else if (context_state(current_context) != CONTEXT_RECORDING) /* else a signal handler is in the middle of our code: what follows is the program's own doing */
        fall_silent();
}

void sandbox_take_up_clock(void)
{
    if (current_context == &context_mute)
        current_context = &context_none;
    else if (clock_faults() && !sys_forbidden && !sandbox_is_vfork_child())
        change_clock(false);
}

bool sandbox_may_read_clock(void)
{
    int mode = 0;

    if (!clock_was_given_up || sys_forbidden || sys_careful)
        return !clock_was_given_up;
    if (sys_call(SYS_prctl, PR_GET_TSC, (long)&mode, 0, 0, 0, 0) == 0)
        clock_set_faults(mode == PR_TSC_SIGSEGV);
    return true;
}
