/* fork and _Fork, for the sake of one case: a signal handler that forks in the middle
 * of a record of ours. All else a child finds out by its wiped memory, whichever way it
 * was made. Outside. */
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

static pid_t fork_by(pid_t (*function)(void))
{
    struct nested_fork kept;
    pid_t result;

    nested_before_fork(&kept);
    result = function();
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
