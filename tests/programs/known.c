/* known: allocations whose sizes and counts tests/cli/test_reports.py knows.
 *   600 x 10 bytes freed at once, 300 x 99 freed at once, 100 x 100 kept until the
 *   end, 50 x 5,000 leaked, 10 blocks of 64 grown to 200,000 by realloc and leaked,
 *   one malloc that fails. */
#include <stdint.h>
#include <stdlib.h>

static void *volatile sink;

__attribute__((noinline)) static void take(size_t size)
{
    sink = malloc(size);
}

__attribute__((noinline)) static void temporary(int count, size_t size)
{
    for (int i = 0; i < count; i++) {
        take(size);
        free(sink);
    }
}

__attribute__((noinline)) static void leak(int count, size_t size)
{
    for (int i = 0; i < count; i++)
        take(size);
}

int main(void)
{
    void *kept[100];

    for (int i = 0; i < 100; i++) {
        take(100);
        kept[i] = sink;
    }
    temporary(600, 10);
    temporary(300, 99);
    leak(50, 5000);
    for (int i = 0; i < 10; i++) {
        take(64);
        sink = realloc(sink, 200000);
    }
    take(PTRDIFF_MAX);
    for (int i = 0; i < 100; i++)
        free(kept[i]);
    return 7;
}
