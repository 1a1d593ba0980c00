#include "analyze/model/growth.h"

#include <string.h>

#define MEAN_LEAST 6 /* blocks in a slice: fewer may be even by chance */

bool growth_begin(struct growth *g, uint32_t process, uint64_t from_us, uint64_t to_us, uint64_t live_bytes)
{
    if (live_bytes <= g->live_bytes)
        return false;
    for (size_t i = 0; i < g->count; i++)
        g->number_of[g->of[i].leaf] = 0;
    g->count = 0;
    g->process = process;
    g->from_us = from_us;
    g->to_us = to_us > from_us ? to_us : from_us + 1;
    g->live_bytes = live_bytes;
    return true;
}

void growth_take(struct growth *g, uint32_t leaf, uint64_t born_us, uint64_t bytes)
{
    uint64_t at = born_us > g->from_us ? born_us - g->from_us : 0, time = g->to_us - g->from_us;
    size_t slice = at < time ? (size_t)((double)at / (double)time * GROWTH_SLICES) : GROWTH_SLICES - 1;

    g->number_of = grow(g->number_of, &g->number_capacity, leaf + 1, sizeof *g->number_of);
    if (!g->number_of[leaf]) {
        g->of = grow(g->of, &g->capacity, g->count + 1, sizeof *g->of);
        g->of[g->count++] = (struct growth_leaf){ .leaf = leaf };
        g->number_of[leaf] = (uint32_t)g->count;
    }
    struct growth_leaf *of = &g->of[g->number_of[leaf] - 1];
    of->blocks[slice < GROWTH_SLICES ? slice : GROWTH_SLICES - 1]++;
    of->bytes += bytes;
}

void growth_release(struct growth *g)
{
    free(g->of);
    free(g->number_of);
    *g = (struct growth){ 0 };
}

bool growth_is_steady(const uint64_t blocks[GROWTH_SLICES])
{
    const size_t first = 1, end = GROWTH_SLICES - 1;
    uint64_t sum = 0, least = UINT64_MAX, most = 0;

    for (size_t i = first; i < end; i++) {
        sum += blocks[i];
        least = blocks[i] < least ? blocks[i] : least;
        most = blocks[i] > most ? blocks[i] : most;
    }
    double mean = (double)sum / (double)(end - first);
    return mean >= MEAN_LEAST && (double)least >= mean / 4 && (double)most <= mean * 3;
}
