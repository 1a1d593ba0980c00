/* Numbers that are the same in each run (xorshift32: never 0, if not seeded with 0). */
#ifndef BENCH_RANDOM_H
#define BENCH_RANDOM_H
#include <stddef.h>
#include <stdint.h>

static inline uint32_t random_next(uint32_t *state)
{
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    return *state = x ^ x << 5;
}

/* What the benchmarks allocate: 16 to 256 bytes. */
static inline size_t random_bytes(uint32_t random)
{
    return 16 + (random >> 8) % 241;
}
#endif
