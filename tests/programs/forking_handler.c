/* forking_handler CHILDREN: a timer's handler forks, and its child returns from it into the
 * malloc or free that was interrupted, goes on with it and allocates a little more. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEPT 64

static volatile sig_atomic_t is_child, children;

static void set_timer(suseconds_t period)
{
    setitimer(ITIMER_REAL, &(struct itimerval){ { 0, period }, { 0, period } }, NULL);
}

static void on_alarm(int number)
{
    int error = errno;
    pid_t pid = is_child ? -1 : fork();

    (void)number;
    if (pid == 0) {
        is_child = 1;
        set_timer(0);
    }
    children += pid > 0;
    errno = error;
}

int main(int argc, char **argv)
{
    struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
    static void *kept[KEPT];
    unsigned random = 1;
    int most = argc > 1 ? atoi(argv[1]) : 10, failed = 0, status;

    sigaction(SIGALRM, &action, NULL);
    set_timer(2300);
    while (!is_child && children < most) {
        random = random * 1103515245 + 12345;
        void **block = &kept[random >> 16 & (KEPT - 1)];
        free(*block);
        *block = malloc(100 + (random >> 8 & 4095));
    }
    if (is_child) {
        for (int i = 0; i < 50; i++)
            free(malloc(6001));
        _exit(0);
    }
    set_timer(0);
    while (wait(&status) > 0 || errno == EINTR)
        failed += status != 0;
    printf("%d children failed\n", failed);
    return 0;
}
