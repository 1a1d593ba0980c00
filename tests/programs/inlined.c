/* inlined  allocates in functions that are inlined into others, with debug information
 * in any build. tests/cli/test_symbols.py reads the line numbers from this file:
 * a comment that ends in a name marks the line. */
#include <stdlib.h>

static void *volatile sink;

static inline __attribute__((always_inline)) void leaf(size_t bytes)
{
    sink = malloc(bytes); /* leaf */
}

static inline __attribute__((always_inline)) void middle(size_t bytes)
{
    leaf(bytes + 1); /* middle */
    sink = sink;
}

static __attribute__((noinline)) void work(size_t bytes)
{
    middle(bytes); /* work */
    sink = sink;
}

static __attribute__((noinline)) void plain(size_t bytes)
{
    sink = malloc(bytes); /* plain */
    sink = sink;
}

int main(void)
{
    work(1000); /* main work */
    plain(2000); /* main plain */
    return sink == NULL;
}
