/* A metric's failure -> the sites that it comes from, with the lines (places.c). */
#include "analyze/check/judge.h"

#include "analyze/check/places.h"
#include "analyze/render/text.h"

#include <string.h>

#define CULPRITS_MOST 10

struct suspect {
    const struct measured_site *measured; /* NULL: no run has it */
    const struct baseline_site *baseline; /* NULL: the baseline has it not, or there is none */
    uint64_t before, now;
};

struct suspects {
    struct suspect *of;
    size_t count, capacity;
};

static int64_t change_of(const struct suspect *s)
{
    return (int64_t)(s->now - s->before);
}

static const char *key_of(const struct suspect *s)
{
    return s->measured ? s->measured->key : s->baseline->key;
}

static void add(struct suspects *s, const struct suspect *suspect)
{
    s->of = grow(s->of, &s->capacity, s->count + 1, sizeof *s->of);
    s->of[s->count++] = *suspect;
}

/* A limit may be broken by what the baseline has as well: then who allocates is told, not who does it more. */
static bool is_compared(const struct verdict_metric *metric)
{
    return metric->has_baseline && (metric->state != VERDICT_IS_REGRESSION || metric->change > 0);
}

/* --- which --------------------------------------------------------------------------------- */

static void gather(const struct judge *j, const struct measured *m, const struct verdict_metric *metric, struct suspects *ret)
{
    const struct baseline *b = is_compared(metric) ? j->baseline : NULL;
    const char *own = judge_own_module(m);

    for (size_t i = 0; i < m->site_count; i++) {
        struct suspect s = { .measured = &m->sites[i], .baseline = b ? baseline_find(b, m->sites[i].key) : NULL };
        uint64_t most;
        if (!judge_site_counts(metric, s.measured, s.measured->key, own))
            continue;
        measured_range(m, s.measured, metric->kind, &s.now, &most);
        s.before = s.baseline ? s.baseline->values[metric->kind] : 0;
        if (metric->state == VERDICT_IS_UNSTABLE) {
            s.before = s.now;
            s.now = most;
        }
        add(ret, &s);
    }
    for (size_t i = 0; b && metric->state != VERDICT_IS_UNSTABLE && i < b->site_count; i++)
        if (!measured_find(m, b->sites[i].key) && judge_site_counts(metric, NULL, b->sites[i].key, own))
            add(ret, &(struct suspect){ .baseline = &b->sites[i], .before = b->sites[i].values[metric->kind] });
}

static int by_more(const void *left, const void *right)
{
    int64_t a = change_of(left), b = change_of(right);
    return a != b ? (a > b ? -1 : 1) : strcmp(key_of(left), key_of(right));
}

static int by_less(const void *left, const void *right)
{
    int64_t a = change_of(left), b = change_of(right);
    return a != b ? (a < b ? -1 : 1) : strcmp(key_of(left), key_of(right));
}

/* Those that have gone the metric's way. */
static void keep(struct suspects *s, bool is_less)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->count; i++)
        if (is_less ? change_of(&s->of[i]) < 0 : change_of(&s->of[i]) > 0)
            s->of[kept++] = s->of[i];
    s->count = kept;
    if (kept)
        qsort(s->of, kept, sizeof *s->of, is_less ? by_less : by_more);
}

/* --- in words ---------------------------------------------------------------------------------- */

static char *copied(const char *text)
{
    return text ? copy_text(text, strlen(text)) : NULL;
}

/* place: NULL: its line is no longer there, and the others are not those that led to it. */
static void take_frames(struct verdict_culprit *c, const struct measured_site *site, const struct measured_place *place)
{
    size_t count = site->frame_count;

    c->frame_count = count;
    c->frames = alloc_zeroed(count, sizeof *c->frames);
    for (size_t i = 0; i < count; i++) {
        const struct verdict_frame *f = place ? &place->frames[i] : &site->places[0].frames[i];
        c->frames[i] = (struct verdict_frame){ copied(f->function), copied(f->module), copied(place ? f->file : NULL), place ? f->line : 0 };
    }
}

/* Names are all that there is. */
static void take_names(struct verdict_culprit *c, const struct baseline_site *site, const char *own)
{
    size_t count = 0, capacity = 0;

    for (const char *at = site->key, *end; (end = strchr(at, '\n')); at = end + 1) {
        c->frames = grow(c->frames, &capacity, count + 1, sizeof *c->frames);
        judge_split_frame(at, own, &c->frames[count].function, &c->frames[count].module);
        count++;
    }
    c->frame_count = count;
    if (site->file && site->place_count) {
        c->frames[0].file = copied(site->places[0].source ? site->places[0].source : site->file);
        c->frames[0].line = (uint32_t)strtoul(site->places[0].lines, NULL, 10);
    }
}

static void take(const struct suspect *s, const struct verdict_metric *metric, const char *own, struct verdict_culprit *ret)
{
    *ret = (struct verdict_culprit){ .before = s->before, .now = s->now, .change = change_of(s),
                                     .has_before = is_compared(metric) || metric->state == VERDICT_IS_UNSTABLE,
                                     .is_new = is_compared(metric) && metric->state != VERDICT_IS_UNSTABLE && !s->baseline, .is_gone = !s->measured };
    if (s->measured)
        take_frames(ret, s->measured, places_find(s->measured, s->baseline, metric->kind, metric->state == VERDICT_IS_IMPROVEMENT));
    else
        take_names(ret, s->baseline, own);
}

void culprits_find(const struct judge *j, const struct measured *m, struct verdict_metric *metric)
{
    struct suspects suspects = { 0 };

    if (metric->state != VERDICT_IS_REGRESSION && metric->state != VERDICT_IS_IMPROVEMENT && metric->state != VERDICT_IS_UNSTABLE)
        return;
    gather(j, m, metric, &suspects);
    keep(&suspects, metric->state == VERDICT_IS_IMPROVEMENT);
    metric->culprit_count = suspects.count < CULPRITS_MOST ? suspects.count : CULPRITS_MOST;
    metric->culprits_left_out = suspects.count - metric->culprit_count;
    metric->culprits = alloc_zeroed(metric->culprit_count + 1, sizeof *metric->culprits);
    for (size_t i = 0; i < metric->culprit_count; i++)
        take(&suspects.of[i], metric, judge_own_module(m), &metric->culprits[i]);
    free(suspects.of);
}
