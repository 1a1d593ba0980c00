/* fork and _Fork, for the sake of two cases: a signal handler that forks in the middle
 * of a record of ours, and another thread that loads libunwind just then: in the child the
 * loader would stay in the middle of it, for ever. All else a child finds out by its wiped
 * memory, whichever way it was made. Outside. */
#include "interpose/outside/fork.h"

#include "interpose/inside/clock.h"
#include "interpose/inside/context.h"
#include "interpose/inside/nested.h"
#include "interpose/inside/process.h"
#include "interpose/inside/sys.h"
#include "interpose/stand_in.h"

#include <errno.h>
#include <unistd.h>

pid_t _Fork(void); /* not in every libc's headers */

static pid_t (*real_fork)(void), (*real_Fork)(void);

void fork_prepare(void)
{
    stand_in_find("_Fork", &real_Fork);
    stand_in_find("fork", &real_fork);
}

bool fork_may_load(void)
{
    atomic_store(&session.unwinder_loader, process->pid);
    return !atomic_load(&session.forking) && !sys_forbidden;
}

void fork_has_loaded(void)
{
    atomic_store(&session.unwinder_loader, 0);
}

/* Not for ever: who forks may have the loader's lock, which who loads waits for. Nor again for the same. A
 * child that came by some other way than fork has what its parent had, but not the thread. */
static void wait_for_loading(void)
{
    enum { STEP_NS = 200000, MOST_NS = 500000000 };
    uint64_t begun_ns = 0;
    uint32_t loader;

    while ((loader = atomic_load(&session.unwinder_loader)) && !sys_forbidden && !sys_careful) {
        const uint64_t now_ns = clock_monotonic_ns();
        begun_ns = begun_ns ? begun_ns : now_ns;
        if (loader != sys_pid() || now_ns - begun_ns > MOST_NS)
            atomic_compare_exchange_strong(&session.unwinder_loader, &loader, 0);
        else
            sys_sleep(STEP_NS);
    }
}

static __thread uint32_t depth; /* a handler may fork amid a fork */

static void begin_forking(void)
{
    depth++;
    atomic_fetch_add(&session.forking, 1);
    /* One that has not allocated yet is not known otherwise. */
    if (process && !sys_forbidden && !sys_careful && current_context == &context_none && process_thread_id() != sys_pid())
        session.had_threads = true;
    wait_for_loading();
}

static void end_forking(bool is_child)
{
    depth--;
    if (is_child)
        atomic_store(&session.forking, depth); /* other threads are not here */
    else
        atomic_fetch_sub(&session.forking, 1);
}

static pid_t fork_by(pid_t (*function)(void))
{
    struct nested_fork kept;
    pid_t result;

    begin_forking();
    nested_before_fork(&kept);
    result = function();
    end_forking(result == 0);
    if (kept.count) {
        int saved_errno = errno;
        nested_after_fork(&kept, result);
        errno = saved_errno;
    }
    if (result == 0 && sys_careful && process)
        process_wipe();
    return result;
}

EXPORT pid_t fork(void)
{
    if (!real_fork)
        fork_prepare();
    return fork_by(real_fork);
}

EXPORT pid_t _Fork(void)
{
    if (!real_Fork)
        fork_prepare();
    if (real_Fork)
        return fork_by(real_Fork);
    errno = ENOSYS; /* glibc before 2.34: the program cannot have linked it */
    return -1;
}
