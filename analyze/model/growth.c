#include "analyze/model/growth.h"

#include <string.h>

#define MEAN_LEAST 6 /* blocks in a slice: fewer may be even by chance */

struct growth_process *growth_begin(struct growth *g, uint32_t process, uint64_t from_us, uint64_t to_us, uint64_t live_bytes)
{
    struct growth_process *p = &g->processes[0];

    for (size_t i = 0; g->last && i < g->last->count; i++)
        g->number_of[g->last->of[i].leaf] = 0;
    g->last = NULL;
    for (size_t i = 1; i < g->count; i++)
        if (g->processes[i].live_bytes < p->live_bytes)
            p = &g->processes[i];
    if (g->count < GROWTH_PROCESSES)
        p = &g->processes[g->count++];
    else if (live_bytes <= p->live_bytes)
        return NULL;
    g->last = p;
    p->count = 0;
    p->process = process;
    p->from_us = from_us;
    p->to_us = to_us > from_us ? to_us : from_us + 1;
    p->live_bytes = live_bytes;
    return p;
}

void growth_take(struct growth *g, struct growth_process *p, uint32_t leaf, uint64_t born_us, uint64_t bytes)
{
    uint64_t at = born_us > p->from_us ? born_us - p->from_us : 0, time = p->to_us - p->from_us;
    size_t slice = at < time ? (size_t)((double)at / (double)time * GROWTH_SLICES) : GROWTH_SLICES - 1;

    g->number_of = grow(g->number_of, &g->number_capacity, leaf + 1, sizeof *g->number_of);
    if (!g->number_of[leaf]) {
        p->of = grow(p->of, &p->capacity, p->count + 1, sizeof *p->of);
        p->of[p->count++] = (struct growth_leaf){ .leaf = leaf };
        g->number_of[leaf] = (uint32_t)p->count;
    }
    struct growth_leaf *of = &p->of[g->number_of[leaf] - 1];
    of->blocks[slice < GROWTH_SLICES ? slice : GROWTH_SLICES - 1]++;
    of->bytes += bytes;
}

void growth_release(struct growth *g)
{
    for (size_t i = 0; i < g->count; i++)
        free(g->processes[i].of);
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
