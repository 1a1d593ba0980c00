/* The hard problem is not to change what the program inherits: ignored signals
 * stay ignored, caught ones are back at their default, the signal mask is ours
 * when we were started, no descriptor is left over. The child is made before the
 * log, because its pid is in the log's name. */
#include "analyze/launch/run.h"

#include "analyze/file_size_limit.h"
#include "analyze/launch/signals.h"
#include "analyze/launch/stop.h"
#include "analyze/standard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void become_program(int go, int failed, const sigset_t *mask, char **command)
{
    static char variable[8192]; /* stays: putenv keeps it */
    size_t used = 0;

    for (ssize_t got; (got = read(go, variable + used, sizeof variable - 1 - used)) > 0;)
        used += (size_t)got;
    if (!used)
        _exit(0); /* abandoned */
    putenv(variable);
    signals_give_back();
    sigprocmask(SIG_SETMASK, mask, NULL); /* what came since the fork comes now */
    execvp(command[0], command);
    int error = errno;
    if (write(failed, &error, sizeof error) < 0) { }
    _exit(127);
}

int child_make(char **command, struct child *ret_child)
{
    int go[2], failed[2];
    sigset_t all, mask;

    if (pipe2(go, O_CLOEXEC) != 0 || pipe2(failed, O_CLOEXEC) != 0)
        return -errno;
    file_size_limit_give_back(); /* taken with the others, and the program inherits it */
    signals_take();
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &mask); /* in the child our handlers know nobody to pass on to */
    pid_t pid = fork();
    int error = errno;
    signals_to(pid);
    if (pid != 0)
        sigprocmask(SIG_SETMASK, &mask, NULL);
    if (pid < 0)
        return -error;
    if (pid == 0) {
        close(go[1]);
        close(failed[0]);
        become_program(go[0], failed[1], &mask, command);
    }
    close(go[0]);
    close(failed[1]);
    *ret_child = (struct child){ pid, go[1], failed[0] };
    return 0;
}

int child_start(struct child *child, const char *name_and_value)
{
    size_t bytes = strlen(name_and_value);
    int error = 0;
    ssize_t got;

    if (write(child->go, name_and_value, bytes) != (ssize_t)bytes)
        error = EIO;
    close(child->go);
    do
        got = read(child->failed, &error, sizeof error);
    while (got < 0 && errno == EINTR);
    close(child->failed);
    if (error)
        child_wait(child);
    else
        standard_let_go();
    return error;
}

void child_abandon(struct child *child)
{
    close(child->go);
    close(child->failed);
    child_wait(child);
}

int child_wait(struct child *child)
{
    int status = 0;

    for (;;) {
        pid_t got = waitpid(child->pid, &status, WUNTRACED);
        if (got == child->pid && WIFSTOPPED(status))
            stop_with(child->pid, WSTOPSIG(status));
        else if (got >= 0 || errno != EINTR)
            break;
    }
    signals_to(0);
    return status;
}
