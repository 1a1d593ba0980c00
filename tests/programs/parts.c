/* parts: allocations in parts, between marks and in two threads:
 *
 *   before any mark   7 blocks of 1,000 bytes, of which 3 are freed after mark "two"
 *   from "one" on     100 of 10 bytes, 60 freed at once
 *   from "two" on     50 of 20 bytes in a thread of its own, none freed
 *   "one" again, last
 *
 * Says on descriptor 3 the tid of the main thread, and that of the other one. */
#include "interpose/malloscope.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *volatile kept;

static void *other(void *unused)
{
    for (int i = 0; i < 50; i++)
        kept = malloc(20);
    dprintf(3, "%ld\n", (long)syscall(SYS_gettid));
    return unused;
}

int main(void)
{
    void *early[7];
    pthread_t thread;

    dprintf(3, "%ld\n", (long)syscall(SYS_gettid));
    for (int i = 0; i < 7; i++)
        early[i] = malloc(1000);
    malloscope_mark("one");
    for (int i = 0; i < 100; i++) {
        kept = malloc(10);
        if (i < 60)
            free(kept);
    }
    malloscope_mark("two");
    pthread_create(&thread, NULL, other, NULL);
    pthread_join(thread, NULL);
    for (int i = 0; i < 3; i++)
        free(early[i]);
    malloscope_mark("one");
    return 0;
}
