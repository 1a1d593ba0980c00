/* checked [MODE [FILE N]]: what `malloscope check` measures; built as two versions, the second with more allocations.
 *
 *   parse      by main     100 of 10 bytes, freed; VERSION 2: 10 more of 24 bytes at the line that says "planted"
 *   grow       by main     1 block, grown 5 times by realloc to 60 bytes, kept
 *   mark "ready"
 *   serve      by main     7 of 100 bytes, freed
 *   mark "done"
 *
 * and then, by MODE:
 *   steady     nothing more
 *   unsteady   in `unsteady`, N allocations of 16 bytes times how often it has run so far, which FILE says
 *   threads    four threads that allocate as often as they find a lock taken
 *   fails      ends with status 7
 *   aborts     by SIGABRT
 *   nothing    none of all this: it allocates nothing
 *   sleeps     for a minute */
#include "interpose/malloscope.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>

static void *volatile sink;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#if VERSION == 3 /* version 1, moved: other lines, other addresses */
__attribute__((noinline, used)) static int before_all(int value)
{
    for (int i = 0; i < value; i++)
        value ^= i * 3;
    return value;
}
#line 300
#endif

__attribute__((noinline)) static void parse(void)
{
    for (int i = 0; i < 100; i++) {
        sink = malloc(10);
        free(sink);
    }
#if VERSION == 2
    for (int i = 0; i < 10; i++)
        sink = malloc(24); /* planted */
#endif
}

__attribute__((noinline)) static void grow(void)
{
    void *block = malloc(10);

    for (int size = 20; size <= 60; size += 10)
        block = realloc(block, (size_t)size);
    sink = block;
}

__attribute__((noinline)) static void serve(void)
{
    for (int i = 0; i < 7; i++) {
        sink = malloc(100);
        free(sink);
    }
}

__attribute__((noinline)) static void unsteady(const char *file, int times)
{
    signed char run = 0; /* below 0 it is so, too */
    int fd = open(file, O_RDWR | O_CREAT, 0600);

    if (fd < 0 || pread(fd, &run, 1, 0) < 0)
        exit(2);
    for (int i = 0; i < run * times; i++)
        sink = malloc(16);
    run++;
    if (pwrite(fd, &run, 1, 0) != 1)
        exit(2);
    close(fd);
}

__attribute__((noinline)) static void *contend(void *unused)
{
    for (int i = 0; i < 20000; i++) {
        if (pthread_mutex_trylock(&lock) == 0)
            pthread_mutex_unlock(&lock);
        else
            free(malloc(32));
    }
    return unused;
}

__attribute__((noinline)) static void threads(void)
{
    pthread_t all[4];

    for (int i = 0; i < 4; i++)
        pthread_create(&all[i], NULL, contend, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(all[i], NULL);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "steady";

    if (strcmp(mode, "nothing") == 0)
        return 0;
    parse();
    grow();
    malloscope_mark("ready");
    serve();
    malloscope_mark("done");
    if (strcmp(mode, "unsteady") == 0)
        unsteady(argv[2], atoi(argv[3]));
    if (strcmp(mode, "threads") == 0)
        threads();
    if (strcmp(mode, "aborts") == 0)
        abort();
    if (strcmp(mode, "sleeps") == 0)
        sleep(60);
    return strcmp(mode, "fails") == 0 ? 7 : 0;
}
