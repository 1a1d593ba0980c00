/* advice growth|realloc|temporary|rounding|order: a program that does what `report` advises
 * against, beside much that is in order; or only the latter. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *volatile sink;

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

__attribute__((noinline)) static void *leaky(size_t size)
{
    return sink = malloc(size);
}

__attribute__((noinline)) static void *turned_over(size_t size)
{
    return sink = malloc(size);
}

/* 1.6 seconds, in which a cache of 200 blocks turns over; where it leaks, 100 bytes a turn. */
static void run(int leaks)
{
    void *cache[200] = { NULL };
    double end = seconds() + 1.6;

    for (unsigned i = 0; seconds() < end; i++) {
        free(cache[i % 200]);
        cache[i % 200] = turned_over(500 + i % 100);
        if (leaks)
            leaky(100);
        nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
    }
    for (int i = 0; i < 200; i++)
        free(cache[i]);
}

__attribute__((noinline)) static void append(size_t size)
{
    char *block = NULL;

    for (size_t room = 64; room < size; room += 64)
        sink = block = realloc(block, room);
    free(block);
}

__attribute__((noinline)) static void append_in_order(size_t size)
{
    char *block = NULL;

    for (size_t room = 64; room < size; room *= 2)
        sink = block = realloc(block, room);
    free(block);
}

__attribute__((noinline)) static void use_at_once(size_t size)
{
    sink = malloc(size);
    free(sink);
}

static void hold(size_t count, size_t size)
{
    void **blocks = malloc(count * sizeof *blocks);

    for (size_t i = 0; i < count; i++)
        blocks[i] = sink = malloc(size);
    for (size_t i = 0; i < count; i++)
        free(blocks[i]);
    free(blocks);
}

int main(int count, char **arguments)
{
    const char *mode = count > 1 ? arguments[1] : "";

    hold(10000, 40);                 /* in order: nothing is lost by rounding, ... */
    for (int i = 0; i < 5000; i++)   /* ... few of all, ... */
        use_at_once(48);
    for (int i = 0; i < 20; i++)     /* ... and doubling */
        append_in_order(1 << 18);
    if (strcmp(mode, "realloc") == 0)
        for (int i = 0; i < 20; i++)
            append(20000);
    if (strcmp(mode, "temporary") == 0)
        for (int i = 0; i < 40000; i++)
            use_at_once(48);
    if (strcmp(mode, "rounding") == 0)
        hold(100000, 5);
    if (strcmp(mode, "growth") == 0 || strcmp(mode, "order") == 0)
        run(mode[0] == 'g');
    return 0;
}
