/* The hard problem is not to change what the program inherits: ignored signals
 * stay ignored, caught ones are back at their default, the signal mask is ours
 * when we were started, no descriptor is left over. The child is made before the
 * log, because its pid is in the log's name. */
#include "analyze/launch/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a user sends to us is for the program. What the terminal sends goes to
 * the program anyway, and we stay to write the end of the log. */
static const int passed_on[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGCONT, SIGALRM };
#define PASSED_ON (sizeof passed_on / sizeof passed_on[0])

static volatile sig_atomic_t child_pid;
static struct sigaction inherited[PASSED_ON], inherited_child, inherited_size;

static void pass_on(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;

    (void)context;
    if (child_pid > 0 && (info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL))
        kill(child_pid, number);
    errno = saved_errno;
}

static void take_signals(void)
{
    struct sigaction action = { .sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART };
    struct sigaction by_default = { .sa_handler = SIG_DFL }, ignored = { .sa_handler = SIG_IGN };

    for (size_t i = 0; i < PASSED_ON; i++) {
        sigaction(passed_on[i], NULL, &inherited[i]);
        if (inherited[i].sa_handler != SIG_IGN)
            sigaction(passed_on[i], &action, NULL);
    }
    /* Ignored, it would take our child's status away. */
    sigaction(SIGCHLD, &by_default, &inherited_child);
    /* A file size limit is an error to tell of, not our end. */
    sigaction(SIGXFSZ, &ignored, &inherited_size);
}

static void give_signals_back(void)
{
    for (size_t i = 0; i < PASSED_ON; i++)
        sigaction(passed_on[i], &inherited[i], NULL);
    sigaction(SIGCHLD, &inherited_child, NULL);
    sigaction(SIGXFSZ, &inherited_size, NULL);
}

static void become_program(int go, int failed, char **command)
{
    static char variable[8192]; /* stays: putenv keeps it */
    size_t used = 0;

    for (ssize_t got; (got = read(go, variable + used, sizeof variable - 1 - used)) > 0;)
        used += (size_t)got;
    if (!used)
        _exit(0); /* abandoned */
    putenv(variable);
    give_signals_back();
    execvp(command[0], command);
    int error = errno;
    if (write(failed, &error, sizeof error) < 0) { }
    _exit(127);
}

int child_make(char **command, struct child *ret_child)
{
    int go[2], failed[2];

    if (pipe2(go, O_CLOEXEC) != 0 || pipe2(failed, O_CLOEXEC) != 0)
        return -errno;
    take_signals();
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        close(go[1]);
        close(failed[0]);
        become_program(go[0], failed[1], command);
    }
    close(go[0]);
    close(failed[1]);
    child_pid = pid;
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

    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        ;
    child_pid = 0;
    return status;
}
