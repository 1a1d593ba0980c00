/* fork_amid_load WAY [FIFO]: one thread allocates under a function whose frame only its register rbx tells, for which
 * libunwind is loaded; main forks. FIFO stands for libunwind, and so loading it takes until somebody writes to it. x86-64.
 *   amid   the fork comes while it is loaded, which takes 30 ms more
 *   long   the fork comes while it is loaded, which takes until that fork and another one are over; and sleep is coarse
 *   first  the thread allocates while main is in the fork, and once more afterwards
 * Prints whether the fork has waited for it, and for `long` the milliseconds of either fork; for `first` whether libunwind is there in the fork, and afterwards. */
#include "through_rbx.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void *volatile kept;
static const char *fifo;
static pthread_t loader;
static bool there_in_fork;
static atomic_bool forks, is_loaded;

static void take(void)
{
    kept = malloc(1001);
    free(kept);
}

static void *take_in_thread(void *unused)
{
    through_rbx(take);
    return unused;
}

static void *write_soon(void *unused)
{
    while (!forks)
        usleep(1000);
    usleep(30000);
    int fd = open(fifo, O_WRONLY | O_CLOEXEC);
    is_loaded = true;
    close(fd);
    return unused;
}

static bool is_there(void)
{
    char line[4096];
    FILE *maps = fopen("/proc/self/maps", "r");
    bool found = false;

    while (maps && fgets(line, sizeof line, maps))
        found |= strstr(line, "libunwind.so") != NULL;
    if (maps)
        fclose(maps);
    return found;
}

static void take_amid_fork(void)
{
    pthread_create(&loader, NULL, take_in_thread, NULL);
    pthread_join(loader, NULL);
    there_in_fork = is_there();
}

static bool fork_waits(void)
{
    forks = true;
    pid_t child = fork();
    bool result = is_loaded;
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    return result;
}

static long ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
    pthread_t writer;

    if (argc < 2)
        return 2;
    if (strcmp(argv[1], "first") == 0) {
        pthread_atfork(take_amid_fork, NULL, NULL);
        fork_waits();
        take_in_thread(NULL);
        printf("%d %d\n", there_in_fork, is_there());
        return 0;
    }
    fifo = argv[2];
    if (strcmp(argv[1], "amid") == 0) /* no thread is made while the loader is at it */
        pthread_create(&writer, NULL, write_soon, NULL);
    pthread_create(&loader, NULL, take_in_thread, NULL);
    usleep(300000);
    if (strcmp(argv[1], "long") != 0) {
        printf("%d\n", fork_waits());
    } else {
        prctl(PR_SET_TIMERSLACK, 20000000ul);
        long begun = ms();
        bool waited = fork_waits();
        long between = ms();
        waited |= fork_waits();
        printf("%d %ld %ld\n", waited, between - begun, ms() - between);
        close(open(fifo, O_WRONLY | O_CLOEXEC));
    }
    pthread_join(loader, NULL);
    return 0;
}
