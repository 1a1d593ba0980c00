/* The hard problem is to tell who a signal is from: the kernel sends one to all in front of a
 * terminal, and SIGPIPE for our own writing, which looks as if we had sent it. */
#include "analyze/launch/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t child_pid, own_helper;
static struct sigaction inherited[NSIG];
static bool is_taken[NSIG];

static bool is_for_program(int number, const siginfo_t *info)
{
    if (number == SIGALRM)
        return true; /* a timer of who executed us, which was meant for the program, too */
    return (info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL) &&
           info->si_pid != getpid() && info->si_pid != own_helper;
}

static void pass_on(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;

    (void)context;
    if (child_pid > 0 && is_for_program(number, info)) {
        if (info->si_code == SI_QUEUE)
            sigqueue(child_pid, number, info->si_value);
        else
            kill(child_pid, number);
    }
    errno = saved_errno;
}

/* SIGTTIN and SIGTTOU with a handler would make reading and writing begin again for ever. */
static bool can_be_taken(int number)
{
    static const int are_ours[] = { SIGKILL, SIGSTOP, SIGCHLD, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS,
                                    SIGTTIN, SIGTTOU };

    for (size_t i = 0; i < sizeof are_ours / sizeof are_ours[0]; i++)
        if (are_ours[i] == number)
            return false;
    return true;
}

void signals_take(void)
{
    struct sigaction action = { .sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART };
    struct sigaction by_default = { .sa_handler = SIG_DFL };

    for (int number = 1; number < NSIG; number++) {
        if (!can_be_taken(number) || sigaction(number, NULL, &inherited[number]) != 0)
            continue;
        is_taken[number] = inherited[number].sa_handler != SIG_IGN && sigaction(number, &action, NULL) == 0;
    }
    /* Ignored, it would take our child's status away. */
    sigaction(SIGCHLD, NULL, &inherited[SIGCHLD]);
    is_taken[SIGCHLD] = sigaction(SIGCHLD, &by_default, NULL) == 0;
}

void signals_give_back(void)
{
    signal(SIGTSTP, SIG_IGN); /* nor does one that waits stop what is no program yet: we would wait for it */
    for (int number = 1; number < NSIG; number++)
        if (is_taken[number])
            sigaction(number, &inherited[number], NULL);
}

void signals_to(pid_t pid)
{
    child_pid = pid;
}

void signals_not_from(pid_t pid)
{
    own_helper = pid;
}
