/* The hard problem is that the program may be continued by somebody who knows its pid
 * only, and who is stopped sees nothing of it: a process looks on meanwhile. */
#include "analyze/launch/stop.h"

#include "analyze/launch/signals.h"
#include "analyze/util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 20000000L

static bool is_stopped(const char *stat_path)
{
    char text[512];
    int fd = open(stat_path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    if (fd >= 0)
        close(fd);
    if (got <= 0)
        return false;
    text[got] = 0;
    const char *end = strrchr(text, ')'); /* of the name, which may hold anything */
    return end && end[1] == ' ' && end[2] == 'T';
}

/* Async-signal-safe: we may have another thread. */
static void look_on(pid_t us, const char *stat_path)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int fd = 0; fd < 64; fd++) /* who reads at the other end of a pipe is not to wait for us */
        close(fd);
    /* Again and again: perhaps it has not stopped yet. It ends us when it runs. */
    for (; getppid() == us; nanosleep(&(struct timespec){ .tv_nsec = LOOK_NS }, NULL))
        if (!is_stopped(stat_path))
            kill(us, SIGCONT);
    _exit(0);
}

void stop_with(pid_t pid, int number)
{
    _cleanup_free_ char *stat_path = format_text("/proc/%d/stat", (int)pid);
    pid_t us = getpid();
    struct sigaction by_default = { .sa_handler = SIG_DFL }, old;
    sigset_t all, mask;

    if (!is_stopped(stat_path))
        return;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &mask);
    pid_t looker = fork();
    if (looker == 0)
        look_on(us, stat_path);
    signals_not_from(looker);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    if (looker < 0)
        return;
    bool has_old = sigaction(number, &by_default, &old) == 0; /* not of SIGSTOP */
    raise(number);
    if (has_old)
        sigaction(number, &old, NULL);
    kill(looker, SIGKILL);
    while (waitpid(looker, NULL, 0) < 0 && errno == EINTR)
        ;
    signals_not_from(0);
}
