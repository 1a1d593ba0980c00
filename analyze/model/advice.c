#include "analyze/model/advice.h"

#include <string.h>

/* Growth. Of which processes: model/floors.h. */
#define GROWTH_BYTES_LEAST 65536
#define GROWTH_SHARE_LEAST 0.01 /* of what the process leaves */
#define GROWTH_TOGETHER 4       /* sites of a process: so many do not leak, it builds something up */

/* Realloc. Of which blocks: model/chains.h. */
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

struct grown {
    uint64_t blocks[GROWTH_SLICES], bytes;
};

/* What each site has kept of the process, if that is growth; else bytes is 0. Returns how many have some. */
static size_t grown_sites(const struct facts *f, const struct sites *s, const struct growth_process *p, struct grown *ret_of)
{
    size_t count = 0;

    memset(ret_of, 0, s->count * sizeof *ret_of);
    for (size_t i = 0; i < p->count; i++) {
        uint32_t site = s->of_leaf[p->of[i].leaf];
        if (site == SITE_NONE)
            continue;
        for (size_t k = 0; k < GROWTH_SLICES; k++)
            ret_of[site].blocks[k] += p->of[i].blocks[k];
        ret_of[site].bytes += p->of[i].bytes;
    }
    for (size_t i = 0; i < s->count; i++) {
        ret_of[i].bytes = settings_rounded(&f->settings, ret_of[i].bytes);
        if (ret_of[i].bytes < GROWTH_BYTES_LEAST || !growth_is_steady(ret_of[i].blocks) ||
            (double)ret_of[i].bytes < GROWTH_SHARE_LEAST * (double)settings_rounded(&f->settings, p->live_bytes))
            ret_of[i].bytes = 0;
        count += ret_of[i].bytes != 0;
    }
    return count;
}

/* Adds what a site has kept of one process to what it has of others. */
static void add_grown(struct advice *a, const struct growth_process *p, const struct grown *grown)
{
    uint64_t time_us = p->to_us - p->from_us;

    for (size_t k = 0; k < GROWTH_SLICES; k++)
        a->blocks += grown->blocks[k];
    a->bytes += grown->bytes;
    a->time_us = time_us > a->time_us ? time_us : a->time_us;
    a->rate_bytes += (uint64_t)((double)grown->bytes * 1e6 / (double)time_us);
    a->processes++;
}

/* Where many sites grow, the largest speaks for all. */
static void find_growth_of(const struct facts *f, const struct sites *s, const struct growth_process *p, struct grown *grown,
                           struct advice *by_site)
{
    size_t count = grown_sites(f, s, p, grown), largest = 0;
    uint64_t sum = 0;

    for (size_t i = 0; i < s->count; i++) {
        sum += grown[i].bytes;
        largest = grown[i].bytes > grown[largest].bytes ? i : largest;
    }
    for (size_t i = 0; i < s->count; i++)
        if (grown[i].bytes && (count < GROWTH_TOGETHER || i == largest))
            add_grown(&by_site[i], p, &grown[i]);
    if (count >= GROWTH_TOGETHER) {
        struct advice *a = &by_site[largest];
        a->others = count - 1 > a->others ? count - 1 : a->others;
        a->others_bytes += sum - grown[largest].bytes;
    }
}

static void find_growth(const struct facts *f, const struct sites *s, struct found *found)
{
    _cleanup_free_ struct grown *grown = alloc_zeroed(s->count + 1, sizeof *grown);
    _cleanup_free_ struct advice *by_site = alloc_zeroed(s->count + 1, sizeof *by_site);

    for (size_t i = 0; i < f->growth.count; i++)
        find_growth_of(f, s, &f->growth.processes[i], grown, by_site);
    for (uint32_t i = 0; i < s->count; i++)
        if (by_site[i].processes) {
            by_site[i].kind = ADVICE_GROWTH;
            by_site[i].site = i;
            add(found, &by_site[i]);
        }
}

/* --- the others ---------------------------------------------------------------------- */

static void find_realloc(const struct facts *f, const struct sites *s, struct found *found)
{
    _cleanup_free_ struct advice *by_site = alloc_zeroed(s->count + 1, sizeof *by_site);

    for (size_t i = 0; i < f->chains.count; i++) {
        const struct chains_stack *stack = &f->chains.of[i];
        uint32_t site = s->of_leaf[stack->leaf];
        if (site == SITE_NONE)
            continue;
        by_site[site].blocks += stack->steps;
        by_site[site].bytes += stack->copied_bytes;
        by_site[site].chains += stack->chains;
        by_site[site].final_bytes += stack->final_bytes;
    }
    for (uint32_t i = 0; i < s->count; i++) {
        struct advice *a = &by_site[i];
        a->kind = ADVICE_REALLOC;
        a->site = i;
        if ((a->blocks >= REALLOC_CALLS_LEAST || a->bytes >= REALLOC_BYTES_LEAST) &&
            ((double)a->blocks >= REALLOC_CALLS_SHARE * (double)f->allocations ||
             (double)a->bytes >= REALLOC_BYTES_SHARE * (double)f->allocated_bytes))
            add(found, a);
    }
}

static void find_temporary(const struct facts *f, uint32_t index, const struct stack_costs *c, struct found *found)
{
    bool is_usual = !facts_threshold_is_set(&f->temporary_within); /* what temporary means */
    uint64_t at_once = is_usual ? c->temporary : 0, within = 1;

    if ((double)at_once < TEMPORARY_SHARE * (double)c->allocations) {
        at_once = c->brief;
        within = BRIEF_ALLOCATIONS;
    }
    if (c->least != c->most || c->allocations < TEMPORARY_COUNT_LEAST ||
        (double)at_once < TEMPORARY_SHARE * (double)c->allocations ||
        (double)c->allocations < TEMPORARY_OF_ALL * (double)f->allocations)
        return;
    add(found, &(struct advice){ .kind = ADVICE_TEMPORARY, .site = index, .blocks = c->allocations, .bytes = c->most,
                                 .share = (double)at_once / (double)c->allocations, .within = within });
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
static int by_weight(const void *left, const void *right, void *data)
{
    const struct sites *s = data;
    const struct advice *a = left, *b = right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    uint64_t mine = a->kind == ADVICE_TEMPORARY ? a->blocks : a->bytes, other = b->kind == ADVICE_TEMPORARY ? b->blocks : b->bytes;
    uint32_t place = s->sites[a->site].location, other_place = s->sites[b->site].location;
    return mine != other ? (mine > other ? -1 : 1) : place < other_place ? -1 : place > other_place;
}

static void choose(const struct sites *s, struct found *found, struct advices *ret_advices)
{
    size_t of_kind = 0;

    if (found->count)
        qsort_r(found->of, found->count, sizeof *found->of, by_weight, (void *)s);
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
    find_realloc(f, s, &found);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct stack_costs *c = &s->sites[i].sum;
        if (settings_all_recorded(&f->settings) && !f->told.was_paused) /* else what comes between two allocations is not known */
            find_temporary(f, i, c, &found);
        find_rounding(f, i, c, &found);
        ret_advices->rounding_bytes += lost_at_peak(f, c);
    }
    choose(s, &found, ret_advices);
    free(found.of);
}
