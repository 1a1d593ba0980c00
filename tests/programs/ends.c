/* ends HOW: three children each allocate a block of 1,000,000 bytes, one after the other, wait for each other, and
 * end, HOW: _exit, _Exit, quick_exit, exit, "exit in a thread" (that has not allocated), "aborted quick_exit" (by a handler),
 * exec (/bin/true), kill, or handler, which calls _exit from a signal handler while
 * the program allocates. So at one time there are 3,000,000 bytes. With "hold BYTES", no children: it allocates that
 * and ends when its standard input does; "vfork": as hold, after a vfork child has called _exit; "crowd": threads,
 * marks and forks. Without a word that is known it fails. With a second word, "wait": before they end, all wait until standard input ends. */
#include "interpose/malloscope.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 3
#define BYTES 1000000

static void *volatile kept;

static void wait_for_end(int fd)
{
    char byte;

    while (read(fd, &byte, 1) > 0)
        ;
}

static void on_signal(int number)
{
    (void)number;
    _exit(9);
}

static void *leave(void *unused)
{
    (void)unused;
    exit(3);
}

static void end(const char *how)
{
    if (strcmp(how, "_exit") == 0)
        _exit(3);
    if (strcmp(how, "_Exit") == 0)
        _Exit(3);
    if (strcmp(how, "quick_exit") == 0)
        quick_exit(3);
    if (strcmp(how, "aborted quick_exit") == 0) {
        at_quick_exit(abort);
        quick_exit(3);
    }
    if (strcmp(how, "exit in a thread") == 0) { /* that has not allocated */
        pthread_t thread;
        pthread_create(&thread, NULL, leave, NULL);
        pthread_join(thread, NULL);
    }
    if (strcmp(how, "exit") == 0)
        exit(3);
    if (strcmp(how, "exec") == 0)
        execl("/bin/true", "true", NULL);
    if (strcmp(how, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(how, "handler") == 0) {
        signal(SIGALRM, on_signal);
        ualarm(1000, 0);
        for (;;) {
            kept = malloc(100);
            free(kept);
        }
    }
    abort();
}

static int children(const char *how, int waits)
{
    int ready[2], go[2];
    char byte = 0;

    if (pipe(ready) != 0 || pipe(go) != 0)
        return 1;
    for (int i = 0; i < CHILDREN; i++) {
        if (fork() == 0) {
            close(go[1]);
            kept = malloc(BYTES);
            if (write(ready[1], &byte, 1) != 1)
                abort();
            wait_for_end(go[0]);
            end(how);
        }
        if (read(ready[0], &byte, 1) != 1)
            return 1;
    }
    if (waits) {
        dprintf(1, "ready\n");
        wait_for_end(0);
    }
    close(go[1]);
    while (wait(NULL) > 0)
        ;
    return 0;
}

static void *some(void *data)
{
    for (int i = 0; i < 200; i++) /* so that reading ahead is ahead */
        kept = malloc(10 + (size_t)data);
    return NULL;
}

static int crowd(void)
{
    pthread_t threads[4];
    char name[16];

    for (int round = 0; round < 40; round++) {
        for (size_t i = 0; i < 4; i++)
            if (pthread_create(&threads[i], NULL, some, (void *)i) != 0)
                return 1;
        for (size_t i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        snprintf(name, sizeof name, "m%d", round);
        malloscope_mark(name);
        if (round % 4 == 0 && fork() == 0) {
            some(NULL);
            _exit(0);
        }
        if (round % 4 == 0)
            wait(NULL);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";

    if (strcmp(how, "crowd") == 0)
        return crowd();
    if (strcmp(how, "vfork") == 0 && vfork() == 0)
        _exit(7);
    if (argc > 2 && (strcmp(how, "hold") == 0 || strcmp(how, "vfork") == 0)) {
        kept = malloc((size_t)atol(argv[2]));
        dprintf(1, "ready\n");
        wait_for_end(0);
        return 0;
    }
    return children(how, argc > 2);
}
