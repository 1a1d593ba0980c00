/* signals OPERATIONS: allocates in a storm of signals whose handler interrupts
 * every system call (no SA_RESTART) and does not allocate itself. */
#define TRUTH_BUFFERED
#include "truth.h"

#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t came;

static void handle(int number)
{
    (void)number;
    came++;
}

int main(int argc, char **argv)
{
    unsigned long operations = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
    struct sigaction action = { .sa_handler = handle };
    struct itimerval often = { { 0, 100 }, { 0, 100 } }, never = { { 0, 0 }, { 0, 0 } };
    void *blocks[64] = { NULL };

    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGPROF, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    setitimer(ITIMER_PROF, &often, NULL);
    for (unsigned long i = 0; i < operations; i++) {
        void **block = &blocks[i * 7 % 64];
        if (*block && i % 3 == 0) {
            *block = t_realloc(*block, i % 4000 + 1);
        } else {
            t_free(*block);
            *block = t_malloc(i % 3000);
        }
    }
    setitimer(ITIMER_REAL, &never, NULL);
    setitimer(ITIMER_PROF, &never, NULL);
    truth_flush();
    say("%s\n", came > 10 ? "signals came" : "no signals");
    return 0;
}
