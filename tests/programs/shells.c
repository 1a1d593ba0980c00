/* shells ENVIRONMENT WAY COMMAND: what the C library's own shell makes of COMMAND, after
 * this program has changed its environment, and that nothing else changes.
 *
 *   ENVIRONMENT  as_is; clear; unset: LD_PRELOAD; own: LD_PRELOAD is another library's;
 *                none: environ is NULL; array: of this program's; odd: and has odd entries
 *   WAY          system; read, write, read_close_on_exec: popen; two: streams at once; fclose;
 *                interrupted; signals; cancelled */
#include "truth.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

extern char **environ;

static void change_environment(const char *how)
{
    static char *array[] = { (char *)"A=b", (char *)"PATH=/usr/bin:/bin", NULL };
    static char *odd[] = { (char *)"NONE", (char *)"PATH=/usr/bin:/bin", (char *)"a.b=1", (char *)"Q=it's \"$A\" `b` \\ \n", NULL };

    if (strcmp(how, "clear") == 0)
        clearenv();
    else if (strcmp(how, "unset") == 0)
        unsetenv("LD_PRELOAD");
    else if (strcmp(how, "own") == 0)
        setenv("LD_PRELOAD", "libm.so.6", 1);
    else if (strcmp(how, "none") == 0)
        environ = NULL;
    else if (strcmp(how, "array") == 0)
        environ = array;
    else if (strcmp(how, "odd") == 0)
        environ = odd;
}

static char **environment;
static size_t variables;
static atomic_bool enough, changed;

static size_t count_variables(void)
{
    size_t count = 0;

    for (char **at = environ; at && *at; at++)
        count++;
    return count;
}

/* The other thread that reads the environment all the time. */
static void *watch(void *unused)
{
    do {
        if (environ != environment || count_variables() != variables)
            changed = true;
    } while (!enough);
    return unused;
}

static void copy_out(FILE *from)
{
    char line[1000];

    while (fgets(line, sizeof line, from))
        say("> %s", line);
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static void *in_thread(void *command)
{
    say("not cancelled: %#x\n", system(command));
    return NULL;
}

static void cancelled(const char *command)
{
    pthread_t thread;
    void *result;

    pthread_create(&thread, NULL, in_thread, (void *)(uintptr_t)command);
    usleep(200000);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    say("%s, children: %d\n", result == PTHREAD_CANCELED ? "cancelled" : "ended", waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD ? 0 : 1);
}

static void in_signals(const char *command)
{
    struct sigaction action = { .sa_handler = count_signal }, now;

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGCHLD, &action, NULL);
    signal(SIGQUIT, SIG_IGN);
    say("%#x\n", system(command));
    sigaction(SIGINT, NULL, &now);
    say("%d signals, the handler is %s\n", (int)signals, now.sa_handler == count_signal ? "there" : "lost");
}

static void interrupted(const char *command)
{
    struct sigaction action = { .sa_handler = count_signal };

    sigaction(SIGALRM, &action, NULL);
    ualarm(100000, 0);
    int status = system(command);
    say("%#x, %d signals\n", status, (int)signals);
}

static void two(const char *command)
{
    FILE *first = popen(command, "r"), *second = popen(command, "re"), *third = popen(command, "r");

    copy_out(third);
    say("%#x\n", pclose(third));
    copy_out(first);
    copy_out(second);
    say("%#x %#x\n", pclose(second), pclose(first));
}

static void run(const char *way, const char *command)
{
    errno = 0;
    if (strcmp(way, "system") == 0)
        say("%#x errno %d\n", system(strcmp(command, "NULL") == 0 ? NULL : command), errno);
    else if (strcmp(way, "two") == 0)
        two(command);
    else if (strcmp(way, "interrupted") == 0)
        interrupted(command);
    else if (strcmp(way, "signals") == 0)
        in_signals(command);
    else if (strcmp(way, "cancelled") == 0)
        cancelled(command);
    else {
        FILE *stream = popen(command, strcmp(way, "read_close_on_exec") == 0 ? "re" : strcmp(way, "nonsense") == 0 ? "rw" :
                                      strcmp(way, "write") == 0 ? "w" : "r");
        if (!stream)
            say("errno %d\n", errno);
        else if (strcmp(way, "write") == 0)
            fputs("some\nlines\n", stream);
        else
            copy_out(stream);
        int (*volatile close_stream)(FILE *) = strcmp(way, "fclose") == 0 ? fclose : pclose; /* which does the same */
        if (stream)
            say("%#x errno %d\n", close_stream(stream), errno);
    }
}

int main(int argc, char **argv)
{
    pthread_t watcher;

    if (argc < 4)
        return 2;
    change_environment(argv[1]);
    environment = environ;
    variables = count_variables();
    sigset_t all, usual;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &usual);
    pthread_create(&watcher, NULL, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &usual, NULL);
    run(argv[2], argv[3]);
    enough = true;
    pthread_join(watcher, NULL);
    say("environment: %s\n", changed ? "changed" : "the same");
    return 0;
}
