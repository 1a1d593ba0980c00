/* by_rbx [COUNT [aside]]: allocates 1001 bytes COUNT times (default 5) under a function whose frame only its register
 * rbx tells, which an unwinder that follows two registers cannot find; once in a thread with a small stack before that.
 * aside: instead of that thread, 1002 bytes in a signal's handler on another stack, called from under the function,
 * and 1003 bytes in the same handler at the end.
 * Prints how many of libunwind and liblzma are mapped before, and after. x86-64. */
#include "through_rbx.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))

static void *volatile kept;
static size_t bytes_aside; /* to be taken by the handler; 0: not by it */

static NOINLINE void handler(int signal)
{
    (void)signal;
    kept = malloc(bytes_aside);
    free(kept);
}

static NOINLINE void take(void)
{
    if (bytes_aside) {
        raise(SIGUSR1);
        return;
    }
    kept = malloc(1001);
    free(kept);
}

static int libraries(void)
{
    char line[4096];
    FILE *maps = fopen("/proc/self/maps", "r");
    int count = 0;

    while (maps && fgets(line, sizeof line, maps))
        count += (strstr(line, "libunwind.so") || strstr(line, "liblzma.so")) && strstr(line, " 00000000 ");
    if (maps)
        fclose(maps);
    return count;
}

static void through_rbx_aside(size_t bytes)
{
    static char stack[256 << 10];
    stack_t aside = { .ss_sp = stack, .ss_size = sizeof stack };
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };

    sigaltstack(&aside, NULL);
    sigaction(SIGUSR1, &action, NULL);
    bytes_aside = bytes;
    through_rbx(take);
    bytes_aside = 0;
}

static void *in_thread(void *unused)
{
    (void)unused;
    through_rbx(take);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_attr_t small;
    pthread_t thread;
    int before = libraries();
    const int is_aside = argc > 2;

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 32768);
    if (is_aside)
        through_rbx_aside(1002);
    else if (pthread_create(&thread, &small, in_thread, NULL) == 0)
        pthread_join(thread, NULL);
    for (int i = argc > 1 ? atoi(argv[1]) : 5; i > 0; i--)
        through_rbx(take);
    if (is_aside)
        through_rbx_aside(1003);
    printf("%d %d\n", before, libraries());
    return 0;
}
