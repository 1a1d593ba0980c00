/* Numbers that look random and are the same in every run. */
#ifndef MALLOSCOPE_TESTS_UNIT_RANDOM_H
#define MALLOSCOPE_TESTS_UNIT_RANDOM_H

#include <stdint.h>

static uint64_t random_state = 0x2545f4914f6cdd1dull;

static inline uint64_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * 0x9e3779b97f4a7c15ull;
}

/* 0 to limit - 1. */
static inline uint64_t random_below(uint64_t limit)
{
    return (random_number() >> 16) % limit;
}

/* Of any length in bits, ends of the range included. */
static inline uint64_t random_magnitude(void)
{
    uint64_t bits = random_below(66);
    return bits == 65 ? UINT64_MAX - random_below(3) : bits == 0 ? 0 : random_number() >> (64 - (bits > 64 ? 64 : bits));
}

#endif
