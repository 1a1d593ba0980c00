/* Pairs of numbers -> their place in an array: a session of `make` has tens of
 * thousands of processes, and each chunk must find its own. Memory: 24 bytes for
 * each place, at most half of them used. */
#ifndef MALLOSCOPE_LOG_INDEX_H
#define MALLOSCOPE_LOG_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct index_place {
    uint64_t first, second;
    uint32_t number; /* + 1; 0: empty */
};

struct index {
    struct index_place *places;
    size_t used, capacity;
};

void index_release(struct index *x);

/* The number of a pair; UINT32_MAX: it has none. */
uint32_t index_find(const struct index *x, uint64_t first, uint64_t second);

/* Gives a number below UINT32_MAX to a pair, in place of the one that it may have. */
void index_add(struct index *x, uint64_t first, uint64_t second, uint32_t number);

#endif
