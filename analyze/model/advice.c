#include "analyze/model/advice.h"

#include <string.h>

/* Growth. A shorter process has not run long enough to tell growth from setting up. */
#define GROWTH_TIME_LEAST_US 1000000
#define GROWTH_BYTES_LEAST 65536
#define GROWTH_SHARE_LEAST 0.01 /* of the peak */

/* Realloc. Doubling copies about as much as the block's final size, steps of an eighth (Python's
 * lists) eight times as much; steps of one size half as many times as there are steps. */
#define REALLOC_COPIED_LEAST 12.0 /* times the final size */
#define REALLOC_CALLS_LEAST 1000
#define REALLOC_BYTES_LEAST (1u << 20)
#define REALLOC_CALLS_SHARE 0.01  /* of all allocations */
#define REALLOC_BYTES_SHARE 0.05  /* of all bytes */

#define TEMPORARY_COUNT_LEAST 10000
#define TEMPORARY_SHARE 0.9       /* of the site's allocations */
#define TEMPORARY_OF_ALL 0.05     /* the site's allocations, of all */

#define ROUNDING_SHARE (1.0 / 3)  /* of what the site's blocks can hold */
#define ROUNDING_BYTES_LEAST 65536
#define ROUNDING_OF_PEAK 0.1

struct found {
    struct advice *of;
    size_t count, capacity;
};

static void add(struct found *f, const struct advice *advice)
{
    f->of = grow(f->of, &f->capacity, f->count + 1, sizeof *f->of);
    f->of[f->count++] = *advice;
}

/* --- growth ------------------------------------------------------------------------ */

/* The least sum of live bytes from one time to another. */
static uint64_t floor_of(const struct timeline *t, uint64_t from_us, uint64_t to_us)
{
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < t->count; i++)
        if ((i + 1) * t->bucket_ns > from_us * 1000 && i * t->bucket_ns < to_us * 1000 && t->buckets[i].live_bytes < least)
            least = t->buckets[i].live_bytes;
    return least;
}

/* Whether the floor of live bytes was higher in the last quarter of the process's time than in the one before. */
static bool floor_rises(const struct facts *f)
{
    const struct growth *g = &f->growth;
    uint64_t quarter = (g->to_us - g->from_us) / 4;
    uint64_t third = floor_of(&f->timeline, g->to_us - 2 * quarter, g->to_us - quarter);
    /* Not to the very end: then a process frees what it does free. */
    return third < floor_of(&f->timeline, g->to_us - quarter, g->to_us - quarter / 4);
}

static void find_growth(const struct facts *f, const struct sites *s, struct found *found)
{
    const struct growth *g = &f->growth;
    struct sum { uint64_t blocks[GROWTH_SLICES], bytes; } *sums = alloc_zeroed(s->count + 1, sizeof *sums);
    uint64_t time_us = g->to_us - g->from_us;

    for (size_t i = 0; i < g->count; i++) {
        uint32_t site = s->of_leaf[g->of[i].leaf];
        if (site == SITE_NONE)
            continue;
        for (size_t k = 0; k < GROWTH_SLICES; k++)
            sums[site].blocks[k] += g->of[i].blocks[k];
        sums[site].bytes += g->of[i].bytes;
    }
    if (g->count && time_us >= GROWTH_TIME_LEAST_US && floor_rises(f))
        for (uint32_t i = 0; i < s->count; i++) {
            uint64_t bytes = settings_rounded(&f->settings, sums[i].bytes), blocks = 0;
            if (bytes < GROWTH_BYTES_LEAST || (double)bytes < GROWTH_SHARE_LEAST * (double)f->peak_bytes ||
                !growth_is_steady(sums[i].blocks))
                continue;
            for (size_t k = 0; k < GROWTH_SLICES; k++)
                blocks += sums[i].blocks[k];
            add(found, &(struct advice){ .kind = ADVICE_GROWTH, .site = i, .blocks = blocks, .bytes = bytes, .time_us = time_us,
                                         .rate_bytes = (uint64_t)((double)bytes * 1e6 / (double)time_us) });
        }
    free(sums);
}

/* --- the others ---------------------------------------------------------------------- */

static void find_realloc(const struct facts *f, uint32_t index, const struct stack_costs *c, struct found *found)
{
    /* A chain's blocks come to its copied bytes and its final size. */
    uint64_t chains = c->allocations > c->regrown ? c->allocations - c->regrown : 1;
    uint64_t final_bytes = c->bytes > c->regrown_from ? c->bytes - c->regrown_from : 1;

    if ((double)c->regrown_from < REALLOC_COPIED_LEAST * (double)final_bytes ||
        (c->regrown < REALLOC_CALLS_LEAST && c->regrown_from < REALLOC_BYTES_LEAST) ||
        ((double)c->regrown < REALLOC_CALLS_SHARE * (double)f->allocations &&
         (double)c->regrown_from < REALLOC_BYTES_SHARE * (double)f->allocated_bytes))
        return;
    add(found, &(struct advice){ .kind = ADVICE_REALLOC, .site = index, .blocks = c->regrown, .bytes = c->regrown_from,
                                 .chains = chains, .final_bytes = final_bytes });
}

static void find_temporary(const struct facts *f, uint32_t index, const struct stack_costs *c, struct found *found)
{
    if (c->least != c->most || c->allocations < TEMPORARY_COUNT_LEAST ||
        (double)c->temporary < TEMPORARY_SHARE * (double)c->allocations ||
        (double)c->allocations < TEMPORARY_OF_ALL * (double)f->allocations)
        return;
    add(found, &(struct advice){ .kind = ADVICE_TEMPORARY, .site = index, .blocks = c->allocations, .bytes = c->most,
                                 .share = (double)c->temporary / (double)c->allocations });
}

/* What a site loses at the peak, if its blocks then are as all of its blocks. */
static uint64_t lost_at_peak(const struct facts *f, const struct stack_costs *c)
{
    double each = c->allocations ? (double)c->rounding / (double)c->allocations : 0;
    return (uint64_t)(each * (double)c->peak_blocks / (double)f->settings.unit);
}

static void find_rounding(const struct facts *f, uint32_t index, const struct stack_costs *c, struct found *found)
{
    uint64_t lost = lost_at_peak(f, c);
    double share = c->bytes + c->rounding ? (double)c->rounding / (double)(c->bytes + c->rounding) : 0;

    if (share < ROUNDING_SHARE || lost < ROUNDING_BYTES_LEAST || (double)lost < ROUNDING_OF_PEAK * (double)f->peak_bytes)
        return;
    add(found, &(struct advice){ .kind = ADVICE_ROUNDING, .site = index, .bytes = lost, .share = share,
                                 .blocks = settings_rounded(&f->settings, c->peak_blocks) });
}

/* Kinds in their order; of one kind what weighs most. */
static int by_weight(const void *left, const void *right)
{
    const struct advice *a = left, *b = right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    uint64_t mine = a->kind == ADVICE_TEMPORARY ? a->blocks : a->bytes, other = b->kind == ADVICE_TEMPORARY ? b->blocks : b->bytes;
    return mine != other ? (mine > other ? -1 : 1) : a->site < b->site ? -1 : a->site > b->site;
}

static void choose(struct found *found, struct advices *ret_advices)
{
    size_t of_kind = 0;

    if (found->count)
        qsort(found->of, found->count, sizeof *found->of, by_weight);
    for (size_t i = 0; i < found->count && ret_advices->count < ADVICE_MOST; i++) {
        of_kind = i && found->of[i - 1].kind == found->of[i].kind ? of_kind + 1 : 1;
        if (of_kind <= ADVICE_OF_A_KIND)
            ret_advices->of[ret_advices->count++] = found->of[i];
    }
}

void advices_find(const struct facts *f, const struct sites *s, struct advices *ret_advices)
{
    struct found found = { 0 };

    *ret_advices = (struct advices){ 0 };
    find_growth(f, s, &found);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct stack_costs *c = &s->sites[i].sum;
        if (settings_all_recorded(&f->settings)) { /* of a sample, what comes between two allocations is not known */
            find_realloc(f, i, c, &found);
            find_temporary(f, i, c, &found);
        }
        find_rounding(f, i, c, &found);
        ret_advices->rounding_bytes += lost_at_peak(f, c);
    }
    choose(&found, ret_advices);
    free(found.of);
}
