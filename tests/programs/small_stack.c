/* Threads on the smallest stacks that there may be: what a tracer does in them
 * must fit beside the program. */
#include "truth.h"

#include <pthread.h>
#include <sys/wait.h>

static NOINLINE void deeper(int frames)
{
    if (frames)
        deeper(frames - 1);
    else
        t_free(t_malloc(50));
}

static void *work(void *unused)
{
    int status = 0;

    (void)unused;
    for (int i = 0; i < 100; i++) {
        deeper(i % 20);
        t_free(t_calloc(1, (size_t)i));
        t_free(t_realloc(t_malloc(4), 1000));
    }
    pid_t child = fork();
    if (child == 0) {
        t_free(t_malloc(5));
        _exit(0);
    }
    waitpid(child, &status, 0);
    say("child: status %#x\n", status);
    return NULL;
}

int main(void)
{
    pthread_attr_t small;
    pthread_t threads[4];

    pthread_attr_init(&small);
    if (pthread_attr_setstacksize(&small, (size_t)sysconf(_SC_THREAD_STACK_MIN)) != 0)
        say("BAD\n");
    for (int wave = 0; wave < 2; wave++) {
        for (int i = 0; i < 4; i++)
            pthread_create(&threads[i], &small, work, NULL);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
    }
    return 0;
}
