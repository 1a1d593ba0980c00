/* leaking: allocations that are never freed, each on a line that says so:
 *   LEAK BLOCKS BYTES KIND
 * KIND: `lost`, nothing points to them at the end; `interior`, only something into their
 * middle does; `kept`, a global variable does. tests/cli/test_leaks.py reads these lines. With
 * an argument it ends otherwise: kill, exec, forks, wait (for the end of its input). */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

struct node {
    struct node *next;
    char data[40];
};

static void *volatile sink;
static void *volatile kept;
static char *volatile interior;
static struct node *volatile list;

static NOINLINE void *wrapped(size_t size)
{
    return malloc(size); /* LEAK 5 350 lost */
}

static NOINLINE void lose(void)
{
    for (int i = 0; i < 3; i++)
        sink = malloc(100); /* LEAK 3 300 lost */
    sink = calloc(4, 25); /* LEAK 1 100 lost */
    sink = strdup("forgotten"); /* LEAK 1 10 lost */
    sink = NULL;
}

static NOINLINE void lose_list(void)
{
    for (int i = 0; i < 5; i++) {
        struct node *node = malloc(sizeof *node); /* LEAK 5 240 lost */
        node->next = list;
        list = node;
    }
    list = NULL;
}

static NOINLINE void grow_and_lose(void)
{
    void *block = malloc(10);
    for (int size = 20; size <= 640; size *= 2)
        block = realloc(block, (size_t)size); /* LEAK 1 640 lost */
    sink = block;
    sink = NULL;
}

static NOINLINE void keep(void)
{
    kept = malloc(1000); /* LEAK 1 1000 kept */
    interior = malloc(64); /* LEAK 1 64 interior */
    interior += 8;
}

static NOINLINE void free_all(void)
{
    void *blocks[50];

    for (int i = 0; i < 50; i++)
        blocks[i] = malloc(300);
    for (int i = 0; i < 50; i++)
        free(blocks[i]);
    for (int i = 0; i < 20; i++) {
        sink = malloc(30);
        free(sink);
    }
    sink = NULL;
}

static void *in_thread(void *unused)
{
    for (int i = 0; i < 7; i++)
        sink = malloc(33); /* LEAK 7 231 lost */
    sink = NULL;
    return unused;
}

static NOINLINE void leak_all(void)
{
    pthread_t thread;

    lose();
    for (int i = 0; i < 5; i++)
        sink = wrapped(70);
    sink = NULL;
    lose_list();
    grow_and_lose();
    keep();
    free_all();
    pthread_create(&thread, NULL, in_thread, NULL);
    pthread_join(thread, NULL);
}

/* One child ends by exit, one by _exit. */
static void leak_in_forks(void)
{
    for (int by_exit = 0; by_exit < 2; by_exit++) {
        if (fork() == 0) {
            sink = malloc(11);
            if (by_exit)
                exit(0);
            _exit(0);
        }
        wait(NULL);
    }
}

/* What an earlier function has left on the stack would keep blocks from being lost. */
static NOINLINE void wipe_stack(void)
{
    volatile char room[16384];
    memset((char *)room, 0, sizeof room);
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    char byte;

    leak_all();
    wipe_stack();
    if (strcmp(how, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(how, "exec") == 0)
        execl("/proc/self/exe", argv[0], NULL);
    if (strcmp(how, "forks") == 0)
        leak_in_forks();
    if (strcmp(how, "wait") == 0)
        while (read(0, &byte, 1) > 0)
            ;
    return 0;
}
