/* peers [realloc]: allocations along some call paths, the same in every run, for
 * comparing tools: no output, no threads, nothing that depends on time or addresses.
 * With an argument, reallocs too. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 500

static void *kept[KEPT];

__attribute__((noinline)) static void *small(unsigned n)
{
    return malloc(1 + n % 97);
}

__attribute__((noinline)) static void *medium(unsigned n)
{
    return calloc(3, 100 + n % 300);
}

__attribute__((noinline)) static void *large(unsigned n)
{
    return malloc(5000 + n * 7 % 20000);
}

__attribute__((noinline)) static void put(unsigned slot, void *block)
{
    free(kept[slot]);
    kept[slot] = block;
}

__attribute__((noinline)) static void first_phase(void)
{
    for (unsigned n = 0; n < 20000; n++) {
        unsigned random = n * 2654435761u >> 7;
        put(random % KEPT, random % 5 == 0 ? large(n) : random % 3 == 0 ? medium(n) : small(n));
    }
}

__attribute__((noinline)) static void second_phase(void)
{
    for (unsigned n = 0; n < 10000; n++) {
        void *block = small(n);
        if (n % 10 == 0)
            put(n % KEPT, medium(n));
        free(block);
    }
}

__attribute__((noinline)) static void grow_some(void)
{
    for (unsigned slot = 0; slot < KEPT; slot += 3)
        for (unsigned step = 1; step < 6; step++)
            kept[slot] = realloc(kept[slot], 64 * step);
}

int main(int argc, char **argv)
{
    (void)argv;
    first_phase();
    second_phase();
    if (argc > 1)
        grow_some();
    for (unsigned slot = 0; slot < KEPT; slot += 2)
        put(slot, NULL);
    return 0;
}
