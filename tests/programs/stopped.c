/* stopped on|thread|child COUNT [FIRST]: fills a log with FIRST pairs of 2000 bytes, by which a small one ends, and then makes
 * COUNT rounds of calls: goes on with them, or a thread does that begins then, or a forked child. Prints how many
 * events the rounds are: where all is recorded, where blocks of less than 1000 bytes are not. tests/shim/test_lost.py
 * compares. */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile sink;
static int count;
static volatile size_t too_much = SIZE_MAX / 4; /* volatile: the compiler would complain */

/* Reallocs first: what a child or a thread begins with is a case of its own. */
static void round_of_calls(int i)
{
    void *volatile held = NULL;

    free(reallocarray(NULL, 4, (size_t)(i % 7) + 5));              /* 2 events */
    held = reallocarray(malloc(10), (size_t)(i % 50) + 1, 20);     /* 1 + 2, of them of 1000 bytes and more: 1 in 50 */
    held = realloc(held, 1100 + (size_t)i % 100);                  /* 2; 1 more in 50 is large */
    sink = realloc(held, too_much);                            /* fails: 1 of a large block */
    sink = reallocarray(held, too_much, 16);                   /* 1 */
    free(realloc(held, 5));                                        /* 3; 1 large */
    sink = malloc(too_much);                                   /* fails: none, as all up to the next */
    sink = calloc(too_much, 16);
    sink = reallocarray(NULL, too_much, 16);
    free(calloc(5, 300));                                          /* 2 large */
    if (posix_memalign((void **)&held, 64, 100) == 0)
        free(held);                                                /* 2 */
    free(aligned_alloc(64, 1024));                                 /* 2 large */
    free(memalign(64, 100));                                       /* 2 */
    free(strdup("libc's own call"));                               /* 2 */
}

static void *rounds(void *argument)
{
    for (int i = 0; i < count; i++)
        round_of_calls(i);
    return argument;
}

int main(int argc, char **argv)
{
    pthread_t thread;

    if (argc < 3)
        return 2;
    count = atoi(argv[2]);
    for (int i = argc > 3 ? atoi(argv[3]) : 0; i; i--)
        free(malloc(2000));
    pid_t child = 0;
    if (strcmp(argv[1], "thread") == 0) {
        if (pthread_create(&thread, NULL, rounds, NULL) != 0 || pthread_join(thread, NULL) != 0)
            return 3;
    } else if (strcmp(argv[1], "child") == 0) {
        child = fork();
        if (child < 0)
            return 3;
        if (child == 0) {
            rounds(NULL);
            _exit(0);
        }
        waitpid(child, NULL, 0);
    } else {
        rounds(NULL);
    }
    int all = count * (2 + 3 + 2 + 1 + 1 + 3 + 2 + 2 + 2 + 2 + 2), large = count * (1 + 1 + 1 + 1 + 2 + 2);
    for (int i = 0; i < count; i++)
        large += 2 * (i % 50 == 49);
    char text[64];
    int length = snprintf(text, sizeof text, "%d %d\n", all, large);
    return write(1, text, (size_t)length) != length;
}
