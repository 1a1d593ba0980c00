/* A metric's failure -> the sites that it comes from, with the lines (places.c). */
#include "analyze/check/judge.h"

#include "analyze/check/pairing.h"
#include "analyze/check/places.h"
#include "analyze/render/text.h"

#include <string.h>

#define CULPRITS_MOST 100
#define RENAMED_MOST 3

/* A site, or of one that is the same in each run each of its lines. */
struct suspect {
    const struct measured_site *measured; /* NULL: no run has it */
    const struct baseline_site *baseline; /* NULL: the baseline has it not, or there is none */
    const char *passed;   /* the function that is limited: of the site only what has passed through that counts; NULL: all does */
    bool is_coarser;      /* the baseline: of paired_site */
    bool is_line;
    const struct measured_place *place;      /* the line's; NULL: it is gone: */
    const struct baseline_place *place_gone;
    uint64_t before, now, spread;
    int64_t toward;       /* the change, of more than 0 where it went the metric's way */
    int64_t accounts_for; /* what of that is certain */
    bool is_new;
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

static void add_one(struct suspects *s, const struct suspect *suspect)
{
    s->of = grow(s->of, &s->capacity, s->count + 1, sizeof *s->of);
    s->of[s->count++] = *suspect;
}

/* Lines are of the last run: where that is not what is compared, the site stays one. So it does where work has only moved from line to line. */
static void add(struct suspects *s, const struct suspect *suspect, const struct verdict_metric *metric)
{
    _cleanup_free_ struct places_change *changes = NULL;
    size_t count = 0;
    uint64_t was = 0, is = 0;

    if (suspect->measured && !suspect->spread && !suspect->is_coarser && suspect->now != suspect->before && metric->state != VERDICT_IS_UNSTABLE)
        count = places_changes(suspect->measured, suspect->baseline, metric->kind, &changes);
    for (size_t i = 0; i < count; i++) {
        if (suspect->passed) /* compared with nothing: none is gone */
            changes[i].is = measured_passed(changes[i].now, suspect->passed, metric->kind);
        was += changes[i].was;
        is += changes[i].is;
    }
    if (!count || was != suspect->before || is != suspect->now) {
        add_one(s, suspect);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct suspect line = *suspect;
        line.is_line = true;
        line.before = changes[i].was;
        line.now = changes[i].is;
        line.place = changes[i].now;
        line.place_gone = changes[i].now ? NULL : changes[i].before;
        if (line.before != line.now)
            add_one(s, &line);
    }
}

/* A limit may be broken by what the baseline has as well: then who allocates is told, not who does it more. */
static bool is_compared(const struct verdict_metric *metric)
{
    return metric->has_baseline && (metric->state != VERDICT_IS_REGRESSION || metric->change > 0);
}

/* --- which --------------------------------------------------------------------------------- */

static const struct pairing *pairing_of(const struct judge *j)
{
    if (!j->pairing->count)
        pairing_make(j->pairing, j->measured, j->baseline);
    return j->pairing;
}

/* What passes through is known of the last run. */
static void range_of(const struct measured *m, const struct suspect *s, const struct verdict_metric *metric, uint64_t *ret_least, uint64_t *ret_most)
{
    measured_range(m, s->measured, metric->kind, ret_least, ret_most);
    if (!s->passed)
        return;
    const uint64_t spread = *ret_most - *ret_least < metric->spread ? *ret_most - *ret_least : metric->spread;
    *ret_least = 0;
    for (size_t i = 0; i < s->measured->place_count; i++)
        *ret_least += measured_passed(&s->measured->places[i], s->passed, metric->kind);
    *ret_most = *ret_least + spread;
}

/* A site may be in the metric's scope only under its old name, or only under its new one. */
static void gather(const struct judge *j, const struct measured *m, const struct verdict_metric *metric, struct suspects *ret)
{
    const struct baseline *b = is_compared(metric) ? j->baseline : NULL;
    const char *own = judge_own_module(m);
    const bool is_unstable_before = b && metric->state == VERDICT_IS_UNSTABLE && metric->baseline_spread > metric->spread;
    struct pairing unpaired = { 0 };
    const struct pairing *pairing = b ? pairing_of(j) : &unpaired;

    if (!b)
        pairing_make(&unpaired, m, NULL);
    for (size_t i = 0; i < pairing->count; i++) {
        const struct paired_site *p = &pairing->of[i];
        struct suspect s = { .measured = p->measured, .baseline = p->baseline, .is_coarser = p->is_coarser };
        bool now = s.measured && judge_site_counts(metric, s.measured, s.measured->key, own);
        bool before = s.baseline && judge_site_counts(metric, now ? s.measured : NULL, s.baseline->key, own);
        uint64_t most = 0, spread_before = 0;
        if (!now && (!before || (metric->state == VERDICT_IS_UNSTABLE && !is_unstable_before)))
            continue;
        if (now && !metric->has_baseline)
            s.passed = judge_only_passed(metric, s.measured) ? metric->scope_name : NULL;
        if (now)
            range_of(m, &s, metric, &s.now, &most);
        else
            s.measured = NULL;
        if (before) {
            s.before = s.baseline->values[metric->kind];
            spread_before = s.baseline->most[metric->kind] - s.before;
        } else if (s.measured) {
            s.is_new = true;
        }
        s.spread = now && most - s.now > spread_before ? most - s.now : spread_before;
        if (is_unstable_before) {
            s.now = s.before + spread_before;
        } else if (metric->state == VERDICT_IS_UNSTABLE) {
            s.before = s.now;
            s.now = most;
        }
        s.baseline = before ? s.baseline : NULL;
        add(ret, &s, metric);
    }
    pairing_release(&unpaired);
}

static const char *lines_of(const struct suspect *s)
{
    return s->place ? s->place->lines : s->place_gone ? s->place_gone->lines : "";
}

static int by_weight(const void *left, const void *right)
{
    const struct suspect *a = left, *b = right;

    if (a->accounts_for != b->accounts_for)
        return a->accounts_for > b->accounts_for ? -1 : 1;
    if (a->toward != b->toward)
        return a->toward > b->toward ? -1 : 1;
    int keys = strcmp(key_of(a), key_of(b));
    return keys ? keys : strverscmp(lines_of(a), lines_of(b));
}

/* Work that goes now to one site and now to another changes each of them, and not what they come to together: that is the metric's
 * change without what the steady ones have changed. Where it is none, it is no culprit; else each accounts for no more than
 * that, nor for what it differs by from run to run. */
static void weigh(const struct verdict_metric *metric, struct suspects *s, bool is_less)
{
    uint64_t rest = (uint64_t)metric->change; /* edited baselines may have any numbers: no sum runs over */
    size_t kept = 0;

    for (size_t i = 0; i < s->count; i++)
        rest -= s->of[i].spread ? 0 : (uint64_t)change_of(&s->of[i]);
    const int64_t together = (int64_t)(is_less ? 0 - rest : rest);
    const uint64_t noise = metric->spread > metric->baseline_spread ? metric->spread : metric->baseline_spread;
    for (size_t i = 0; i < s->count; i++) {
        struct suspect *one = &s->of[i];
        one->accounts_for = is_less ? -change_of(one) : change_of(one);
        if (one->spread && (together <= 0 || (uint64_t)together <= noise))
            continue;
        if (one->spread) {
            int64_t beyond = one->accounts_for > 0 && one->spread < (uint64_t)one->accounts_for ? one->accounts_for - (int64_t)one->spread : 0;
            one->accounts_for = beyond < together ? beyond : together;
        }
        s->of[kept++] = *one;
    }
    s->count = kept;
}

/* Those that have gone the metric's way; what has gone the other way is a sum. Where none of those that differ from run to run has gone it,
 * by its least, any of them may have: something has, or none of them would be left. */
static void keep(struct suspects *s, struct verdict_metric *metric, bool is_less)
{
    size_t kept = 0;
    const struct suspect *last = NULL;
    bool any_differing = !is_compared(metric) || metric->state == VERDICT_IS_UNSTABLE;

    for (size_t i = 0; i < s->count; i++) {
        s->of[i].toward = is_less ? -change_of(&s->of[i]) : change_of(&s->of[i]);
        any_differing |= s->of[i].spread && s->of[i].toward > 0;
    }
    for (size_t i = 0; i < s->count; i++) {
        const struct suspect *one = &s->of[i];
        if (one->toward < 0 && !one->spread) {
            metric->offset = (int64_t)((uint64_t)metric->offset + (uint64_t)change_of(one));
            metric->offset_sites += !last || key_of(last) != key_of(one); /* the lines of one are beside each other */
            last = one;
        }
        if (one->toward > 0 || (one->spread && !any_differing))
            s->of[kept++] = *one;
    }
    s->count = kept;
    if (kept)
        qsort(s->of, kept, sizeof *s->of, by_weight);
}

/* --- in words ---------------------------------------------------------------------------------- */

static char *copied(const char *text)
{
    return text ? copy_text(text, strlen(text)) : NULL;
}

/* place: NULL: its line is no longer there, and the others are not those that led to it. */
static void take_frames(struct verdict_culprit *c, const struct measured_site *site, const struct measured_place *place)
{
    size_t count = place ? place->frame_count : site->frame_count;

    c->frame_count = count;
    c->frames = alloc_zeroed(count, sizeof *c->frames);
    for (size_t i = 0; i < count; i++) {
        const struct verdict_frame *f = place ? &place->frames[i] : &site->places[0].frames[i];
        c->frames[i] = (struct verdict_frame){ copied(f->function), copied(f->module), copied(place ? f->file : NULL), place ? f->line : 0,
                                               f->is_apart };
    }
}

/* measured: whose files the baseline does not tell; NULL: nor does any run. */
static void take_old_line(struct verdict_culprit *c, const struct baseline_site *site, const struct baseline_place *place,
                          const struct measured_site *measured)
{
    const char *at = place->lines;

    for (size_t i = 0; i < c->frame_count; i++, at += *at == ' ') {
        uint32_t line = (uint32_t)strtoul(at, NULL, 10);
        const char *file = i ? (measured ? measured->places[0].frames[i].file : NULL) : place->source ? place->source : site->file;
        at += strcspn(at, " ");
        if (!file || !*file || !line)
            continue;
        c->frames[i].file = copied(file);
        c->frames[i].line = line;
        return;
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
    if (site->place_count)
        take_old_line(c, site, &site->places[0], NULL);
}

/* The line by which most has passed through the function that is limited. */
static const struct measured_place *most_passed(const struct suspect *s, enum verdict_kind kind)
{
    const struct measured_place *most = NULL;
    uint64_t most_value = 0;

    for (size_t i = 0; i < s->measured->place_count; i++) {
        uint64_t value = measured_passed(&s->measured->places[i], s->passed, kind);
        if (!most || value > most_value) {
            most = &s->measured->places[i];
            most_value = value;
        }
    }
    return most;
}

static const struct measured_place *place_of(const struct suspect *s, const struct verdict_metric *metric, const struct baseline_place **ret_gone)
{
    *ret_gone = s->place_gone;
    if (s->is_line)
        return s->place;
    return s->passed ? most_passed(s, metric->kind)
                     : places_find(s->measured, s->baseline, metric->kind, metric->state == VERDICT_IS_IMPROVEMENT, ret_gone);
}

static void take_measured(struct verdict_culprit *c, const struct suspect *s, const struct verdict_metric *metric)
{
    const struct baseline_place *gone;

    take_frames(c, s->measured, place_of(s, metric, &gone));
    if (gone)
        take_old_line(c, s->baseline, gone, s->measured);
    c->is_line_gone = gone && verdict_culprit_place(c);
}

static void take(const struct suspect *s, const struct verdict_metric *metric, const char *own, struct verdict_culprit *ret)
{
    *ret = (struct verdict_culprit){ .before = s->before, .now = s->now, .change = change_of(s), .spread = s->spread,
                                     .has_before = is_compared(metric) || metric->state == VERDICT_IS_UNSTABLE,
                                     .is_new = is_compared(metric) && metric->state != VERDICT_IS_UNSTABLE && s->is_new, .is_gone = !s->measured };
    if (s->measured)
        take_measured(ret, s, metric);
    else
        take_names(ret, s->baseline, own);
}

void culprits_find(const struct judge *j, const struct measured *m, struct verdict_metric *metric)
{
    struct suspects suspects = { 0 };

    if (metric->state != VERDICT_IS_REGRESSION && metric->state != VERDICT_IS_IMPROVEMENT && metric->state != VERDICT_IS_UNSTABLE)
        return;
    const bool is_less = metric->state == VERDICT_IS_IMPROVEMENT;
    gather(j, m, metric, &suspects);
    if (is_compared(metric) && metric->state != VERDICT_IS_UNSTABLE)
        weigh(metric, &suspects, is_less);
    keep(&suspects, metric, is_less);
    metric->culprit_count = suspects.count < CULPRITS_MOST ? suspects.count : CULPRITS_MOST;
    metric->culprits_left_out = suspects.count - metric->culprit_count;
    metric->culprits = alloc_zeroed(metric->culprit_count + 1, sizeof *metric->culprits);
    for (size_t i = 0; i < metric->culprit_count; i++)
        take(&suspects.of[i], metric, judge_own_module(m), &metric->culprits[i]);
    free(suspects.of);
}

static bool is_told(const struct pairing *p, size_t number)
{
    for (size_t i = 0; i < number; i++)
        if (p->of[i].was && strcmp(p->of[i].was, p->of[number].was) == 0 && strcmp(p->of[i].is, p->of[number].is) == 0)
            return true;
    return false;
}

/* Who measures again judges again. */
static void add_note_once(struct verdict *v, char *note)
{
    bool is_there = false;

    for (size_t i = 0; i < v->note_count; i++)
        is_there |= strcmp(v->notes[i], note) == 0;
    if (!is_there)
        verdict_add_note(v, "%s", note);
    free(note);
}

void culprits_tell_renamed(const struct judge *j, struct verdict *v)
{
    size_t told = 0, culprits = 0;
    bool are_apart = false; /* sites are compared by name: there the two are two functions */

    for (size_t i = 0; i < v->metric_count; i++)
        if (v->metrics[i].has_baseline && v->metrics[i].state != VERDICT_IS_UNSTABLE && v->metrics[i].culprit_count) {
            culprits++;
            are_apart |= v->metrics[i].scope == VERDICT_SITE;
        }
    if (!culprits || !j->baseline)
        return;
    const struct pairing *p = pairing_of(j);
    for (size_t i = 0; i < p->count; i++)
        if (p->of[i].was && !is_told(p, i) && ++told <= RENAMED_MOST)
            add_note_once(v, format_text(are_apart ? "%s may be what %s was in the baseline, under another name, and is compared as another function; if "
                                                     "that is right, make the baseline anew with --update"
                                                   : "%s is taken to be what %s was in the baseline, under another name", p->of[i].is, p->of[i].was));
    if (told > RENAMED_MOST)
        add_note_once(v, format_text("%s of another name likewise", text_counted(told - RENAMED_MOST, "more function")));
}
