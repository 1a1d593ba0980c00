/* The innermost frames: 1,000 functions with frames of different sizes that all call
 * malloc, every second one through one of ten functions between it and the caller. */
#ifndef BENCH_LEAVES_H
#define BENCH_LEAVES_H
#include <stddef.h>

#define LEAF_COUNT 1000

typedef void *leaf(size_t bytes);
typedef void *twig(leaf *next, size_t bytes);
extern leaf *const leaves[LEAF_COUNT];
extern twig *const twigs[10];

/* Inline, so that it is no frame. The block is freed with free. */
static inline void *leaf_malloc(unsigned number, size_t bytes)
{
    number %= LEAF_COUNT;
    return number % 2 ? twigs[number / 2 % 10](leaves[number], bytes) : leaves[number](bytes);
}
#endif
