/* fork and _Fork, for the sake of two cases: a signal handler that forks in the middle
 * of a record of ours, and another thread that loads libunwind just then: in the child the
 * loader would stay in the middle of it, for ever. All else a child finds out by its wiped
 * memory, whichever way it was made. Outside. */
#include "interpose/outside/fork.h"

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
    atomic_store(&session.loads_unwinder, true);
    return !atomic_load(&session.forking);
}

void fork_has_loaded(void)
{
    atomic_store(&session.loads_unwinder, false);
}

/* Not for ever: who forks may have the loader's lock, which who loads waits for. */
static void wait_for_loading(void)
{
    enum { STEP_NS = 200000, STEPS_MAX = 2500 };

    for (int i = 0; i < STEPS_MAX && atomic_load(&session.loads_unwinder) && !sys_forbidden && !sys_careful; i++)
        sys_sleep(STEP_NS);
}

static void end_forking(bool is_child)
{
    if (!is_child) {
        atomic_fetch_sub(&session.forking, 1);
        return;
    }
    atomic_store(&session.forking, 0); /* other threads are not here */
    atomic_store(&session.loads_unwinder, false);
}

static pid_t fork_by(pid_t (*function)(void))
{
    struct nested_fork kept;
    pid_t result;

    atomic_fetch_add(&session.forking, 1);
    wait_for_loading();
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
