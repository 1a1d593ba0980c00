/* Numbers -> states. A metric's value is the least of its runs: what disturbs a program makes it allocate more. What
 * its runs differ by is allowed on top of its tolerance, and where they differ by more than that, it is no measure. */
#include "analyze/check/judge.h"

#include "analyze/hash.h"
#include "analyze/render/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define PERCENT_UNSTABLE 1.0 /* the tolerance, by default, of what is not the same in each run */

/* --- building -------------------------------------------------------------------------- */

/* There may be thousands. */
struct listing {
    struct verdict *v;
    size_t capacity;
    struct hash_table table;
};

/* A metric of this name, if there is none yet. */
static void list_metric(struct listing *l, const struct metric_id *id)
{
    struct verdict *v = l->v;
    _cleanup_free_ char *name = metric_id_name(id);
    uint64_t hash = hash_add_text(0, name);
    struct hash_search s = hash_table_search(&l->table, hash);

    while (hash_table_next(&l->table, &s))
        if (strcmp(v->metrics[s.number].name, name) == 0)
            return;
    v->metrics = grow(v->metrics, &l->capacity, v->metric_count + 1, sizeof *v->metrics);
    hash_table_add(&l->table, hash, (uint32_t)v->metric_count);
    v->metrics[v->metric_count++] = (struct verdict_metric){
        .name = name, .kind = id->kind, .scope = id->scope, .scope_name = copy_text(id->scope_name, strlen(id->scope_name)),
        .state = VERDICT_IS_NEW };
    name = NULL;
}

/* Files and options may have any numbers: no sum is beyond what JSON has. */
static uint64_t sum_of(uint64_t a, uint64_t b)
{
    return a > INT64_MAX || b > INT64_MAX - a ? INT64_MAX : a + b;
}

/* --- values ------------------------------------------------------------------------------- */

uint64_t judge_value(const struct measured *m, const struct verdict_metric *metric, size_t run)
{
    uint64_t sum = 0;

    if (metric->scope == VERDICT_ALL || metric->scope == VERDICT_MARK)
        return m->totals[run][metric->kind];
    if (metric->scope == VERDICT_SITE)
        return measured_sum_value(measured_find_sum(&m->functions, metric->scope_name), run, metric->kind);
    for (size_t i = 0; i < m->modules.count; i++)
        if (judge_is_module(m->modules.of[i].name, m->modules.of[i].is_own, metric->scope_name))
            sum += measured_sum_value(&m->modules.of[i], run, metric->kind);
    return sum;
}

static void take_values(const struct measured *m, struct verdict_metric *metric)
{
    metric->minimum = UINT64_MAX;
    metric->maximum = 0;
    for (size_t run = 0; run < m->run_count; run++) {
        uint64_t value = judge_value(m, metric, run);
        metric->minimum = value < metric->minimum ? value : metric->minimum;
        metric->maximum = value > metric->maximum ? value : metric->maximum;
    }
    metric->minimum = m->run_count ? metric->minimum : 0;
    metric->value = metric->minimum;
    metric->spread = metric->maximum - metric->minimum;
}

static void add_range(struct verdict_metric *metric, const struct baseline_range *range)
{
    metric->baseline = sum_of(metric->baseline, range->least);
    metric->baseline_spread = sum_of(metric->baseline_spread, range->most - range->least);
}

/* What a baseline has not of a function or module is 0 there. But it has nothing of functions that only pass on. */
static bool take_baseline_sums(const struct baseline *b, const struct measured *m, struct verdict_metric *metric)
{
    if (metric->scope == VERDICT_SITE) {
        const struct baseline_sum *sum = baseline_find_sum(&b->functions, metric->scope_name);
        const struct measured_sum *now = measured_find_sum(&m->functions, metric->scope_name);
        if (sum)
            add_range(metric, &sum->values[metric->kind]);
        return sum || !now || now->is_site;
    }
    for (size_t i = 0; i < b->modules.count; i++) {
        const struct baseline_sum *sum = &b->modules.of[i];
        bool is_own = strcmp(sum->name, BASELINE_PROGRAM) == 0;
        if (judge_is_module(is_own ? judge_own_module(m) : sum->name, is_own, metric->scope_name))
            add_range(metric, &sum->values[metric->kind]);
    }
    return true;
}

static void take_baseline(const struct judge *j, const struct measured *m, struct verdict_metric *metric)
{
    const struct baseline *b = j->baseline;

    if (!b || metric->scope == VERDICT_MARK || (metric->scope == VERDICT_ALL && !b->metrics[metric->kind].known))
        return;
    if (metric->scope == VERDICT_ALL) {
        add_range(metric, &b->metrics[metric->kind]);
        metric->has_baseline = true;
    } else {
        metric->has_baseline = b->has_sums && take_baseline_sums(b, m, metric);
    }
    if (metric->has_baseline)
        metric->change = (int64_t)(metric->value - metric->baseline);
}

/* One of the program's module may be for its own name, or for the baseline's. */
static const struct tolerance *tolerance_of(const struct judge *j, const struct verdict_metric *metric)
{
    char program[] = BASELINE_PROGRAM;
    const char *own = judge_own_module(j->measured);
    const struct metric_id id = { metric->kind, metric->scope, metric->scope_name }, of_program = { metric->kind, VERDICT_MODULE, program };
    const struct tolerance *t = limits_tolerance(j->limits, &id);
    bool is_group = !t || !strchr(t->name, '.');

    return is_group && metric->scope == VERDICT_MODULE && strcmp(metric->scope_name, own) == 0 ? limits_tolerance(j->limits, &of_program) : t;
}

static void take_tolerance(const struct judge *j, struct verdict_metric *metric)
{
    const struct tolerance *t = tolerance_of(j, metric);
    uint64_t spread = metric->spread > metric->baseline_spread ? metric->spread : metric->baseline_spread;
    uint64_t of = metric->has_baseline ? metric->baseline : metric->value;

    metric->tolerance_given = t;
    metric->tolerance_percent = t ? t->percent : spread ? PERCENT_UNSTABLE : 0;
    metric->tolerance_absolute = t ? t->absolute : 0;
    metric->tolerance = sum_of((uint64_t)fmin(floor((double)of * metric->tolerance_percent / 100), 9e18), metric->tolerance_absolute);
    metric->allowed = sum_of(metric->tolerance, spread);
}

/* Of --max and the budgets; NULL: there is none. */
const struct limit *judge_least_given(const struct judge *j, const struct verdict_metric *metric)
{
    const struct metric_id id = { metric->kind, metric->scope, metric->scope_name };
    const struct limit *least = NULL;

    for (size_t i = 0; i < j->limits->count; i++)
        if (metric_id_is(&j->limits->of[i].id, &id) && (!least || j->limits->of[i].most < least->most))
            least = &j->limits->of[i];
    return least;
}

static void take_limits(const struct judge *j, struct verdict_metric *metric)
{
    const struct limit *given = judge_least_given(j, metric);

    if (metric->has_baseline) {
        metric->has_limit = true;
        metric->limit = sum_of(metric->baseline, metric->allowed);
        metric->limit_from = VERDICT_FROM_BASELINE;
    }
    if (given && (!metric->has_limit || given->most < metric->limit)) {
        metric->has_limit = true;
        metric->limit = given->most;
        metric->limit_from = given->from;
    }
}

/* --- states --------------------------------------------------------------------------------- */

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void refuse(const struct judge *j, struct verdict_metric *m)
{
    bool is_baselines = m->baseline_spread > m->spread;

    m->state = VERDICT_IS_UNSTABLE;
    if (m->limit_from == VERDICT_FROM_BASELINE || !m->has_limit)
        m->reason = format_text("is not the same in each run: %s %zu run%s differ by %s, more than the tolerance of %s",
                                is_baselines ? "the baseline's" : "its", is_baselines ? (size_t)j->baseline->run_count : j->measured->run_count,
                                plural(is_baselines ? j->baseline->run_count : j->measured->run_count),
                                text_count(is_baselines ? m->baseline_spread : m->spread), text_count(m->tolerance));
    else
        m->reason = format_text("is not the same in each run: within %s in some (%s), beyond it in others (%s)",
                                verdict_source_name(m->limit_from), text_count(m->minimum), text_count(m->maximum));
}

/* In one line, with the site that differs most. */
static void tell_unstable(struct verdict *v, const struct verdict_metric *m)
{
    const struct verdict_culprit *first = m->culprit_count ? &m->culprits[0] : NULL;
    const struct verdict_frame *place = first ? verdict_culprit_place(first) : NULL;
    _cleanup_free_ char *at = place ? format_text(" at %s:%" PRIu32, text_base_name(place->file), place->line) : copy_text("", 0);
    _cleanup_free_ char *site = first ? format_text(", most in %s%s (%s to %s)", first->frames[0].function, at, text_count(first->before),
                                                    text_count(first->now)) : copy_text("", 0);

    verdict_add_problem(v, VERDICT_NOT_STABLE, m->name, "%s %s%s; make the program do the same each time, or give it more room "
                        "(--tolerance %s=P%%+N), leave it out (--metrics, --exclude-module), or say --allow-unstable",
                        m->name, m->reason, site, m->name);
}

/* What is compared with a baseline is no measure where runs differ by more than its tolerance. A limit by itself is doubtful
 * only where runs are on both sides of it. */
static bool is_unstable(const struct verdict_metric *m)
{
    uint64_t spread = m->spread > m->baseline_spread ? m->spread : m->baseline_spread;

    if (spread <= m->tolerance)
        return false;
    return m->has_baseline || (m->value <= m->limit && m->maximum > m->limit);
}

/* Who removes an allocation between another one and its free makes that one temporary: where nothing else has grown, more
 * temporary ones are no regression. */
static bool has_grown(const struct judge *j, const struct measured *measured, const struct verdict_metric *m)
{
    static const enum verdict_kind kinds[] = { VERDICT_ALLOCATIONS, VERDICT_BYTES, VERDICT_PEAK };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct verdict_metric of = { .kind = kinds[i], .scope = m->scope, .scope_name = m->scope_name };
        take_values(measured, &of);
        take_baseline(j, measured, &of);
        take_tolerance(j, &of);
        if (!of.has_baseline || of.value > sum_of(of.baseline, of.allowed))
            return true;
    }
    return false;
}

static void decide(const struct judge *j, const struct measured *measured, struct verdict_metric *m)
{
    bool beyond_given = m->has_limit && m->limit_from != VERDICT_FROM_BASELINE && m->value > m->limit;

    if (!m->has_limit) {
        m->state = VERDICT_IS_NEW;
        return;
    }
    const struct limit *given = judge_least_given(j, m);
    bool is_forgiven = m->kind == VERDICT_TEMPORARY && m->limit_from == VERDICT_FROM_BASELINE && m->value > m->limit && !has_grown(j, measured, m);
    bool is_doubtful = !j->allow_unstable && is_unstable(m);
    if ((is_forgiven || is_doubtful) && given && m->value > given->most) { /* whatever the baseline's limit is worth, this is beyond doubt */
        is_forgiven = false;
        m->limit = given->most;
        m->limit_from = given->from;
        beyond_given = true;
    }
    if (!beyond_given && is_doubtful) {
        refuse(j, m);
        return;
    }
    if (is_forgiven) {
        m->state = VERDICT_IS_WITHIN;
        m->reason = format_text("is %s, more than the baseline's %s, but allocations, bytes and peak have not grown", text_count(m->value),
                                text_count(m->baseline));
    } else if (m->value > m->limit) {
        m->state = VERDICT_IS_REGRESSION;
        m->reason = m->limit_from == VERDICT_FROM_BASELINE
                        ? format_text("is %s, and may be %s: the baseline's %s%s", text_count(m->value), text_count(m->limit), text_count(m->baseline),
                                      m->allowed ? " and what it may be off that" : "")
                        : format_text("is %s, and may be %s (%s)", text_count(m->value), text_count(m->limit), verdict_source_name(m->limit_from));
    } else if (m->has_baseline && m->baseline > m->value && m->baseline - m->value > m->allowed) {
        m->state = VERDICT_IS_IMPROVEMENT;
        m->reason = format_text("is %s, less than the baseline's %s", text_count(m->value), text_count(m->baseline));
    } else {
        m->state = VERDICT_IS_WITHIN;
    }
}

/* Of which run came nothing at all, where there was something; or there was no run. */
static void look_for_nothing(const struct judge *j, struct verdict *v)
{
    const struct measured *m = j->measured;

    if (!m->run_count)
        verdict_add_problem(v, VERDICT_NO_EVENTS, NULL, "no run was measured: there is nothing to judge");
    if (!j->baseline || !j->baseline->metrics[VERDICT_ALLOCATIONS].least)
        return;
    for (size_t run = 0; run < m->run_count; run++)
        if (!m->totals[run][VERDICT_ALLOCATIONS]) {
            verdict_add_problem(v, VERDICT_NO_EVENTS, NULL, "no allocation was measured in run %zu, and the baseline has %" PRIu64 ": this is "
                                "no improvement, but something else was measured; if it is right, make the baseline anew with --update",
                                run + 1, j->baseline->metrics[VERDICT_ALLOCATIONS].least);
            return;
        }
}

/* What is within only as far as it could be seen. */
static void doubt(const struct judge *j, struct verdict *v, struct verdict_metric *m)
{
    char *reason = judge_uncertain(j, j->measured, m);
    const char *remedy = "let names and stacks be there (symbols or a debug file, --call-graph)", *then = "they do not count";

    if (!reason) {
        reason = judge_tail_call(j, m);
        remedy = "limit a caller, build with -fno-optimize-sibling-calls";
        then = "it does not count";
    }
    if (!reason)
        return;
    if (j->allow_incomplete) {
        verdict_add_note(v, "%s: %s; %s", m->name, reason, then);
        free(reason);
        return;
    }
    verdict_add_problem(v, VERDICT_INCOMPLETE, m->name, "%s: cannot be measured: %s; %s, or say --allow-incomplete, and %s", m->name, reason, remedy,
                        then);
    free(m->reason);
    *m = (struct verdict_metric){ .name = m->name, .kind = m->kind, .scope = m->scope, .scope_name = m->scope_name,
                                  .state = VERDICT_IS_NOT_MEASURED, .reason = reason };
}

static void judge_metric(const struct judge *j, struct verdict *v, struct verdict_metric *m)
{
    const struct measured *of = j->measured;

    for (size_t i = 0; m->scope == VERDICT_MARK && i < j->mark_count; i++)
        if (strcmp(j->marks[i].name, m->scope_name) == 0) {
            of = &j->marks[i].measured;
            if (!j->marks[i].is_set) {
                m->state = VERDICT_IS_NOT_MEASURED;
                m->reason = format_text("the program did not set the mark %s in each run", m->scope_name);
            }
        }
    if (m->state == VERDICT_IS_NOT_MEASURED) {
        verdict_add_problem(v, VERDICT_NOT_FOUND, m->name, "%s: cannot be measured: %s", m->name, m->reason);
        return;
    }
    take_values(of, m);
    take_baseline(j, of, m);
    take_tolerance(j, m);
    take_limits(j, m);
    decide(j, of, m);
    if (m->state != VERDICT_IS_REGRESSION)
        doubt(j, v, m);
    culprits_find(j, of, m);
    if (m->state == VERDICT_IS_UNSTABLE)
        tell_unstable(v, m);
}

/* --- which metrics ---------------------------------------------------------------------------- */

static void add_scope(const struct judge *j, struct listing *l, enum verdict_scope scope)
{
    const struct measured_sums *now = scope == VERDICT_SITE ? &j->measured->functions : &j->measured->modules;
    const struct baseline_sums *before = !j->baseline ? NULL : scope == VERDICT_SITE ? &j->baseline->functions : &j->baseline->modules;
    char *own = (char *)judge_own_module(j->measured);
    _cleanup_free_ char *own_name = measured_module_name(own);

    for (size_t i = 0; i < now->count; i++)
        if (scope == VERDICT_MODULE || (now->of[i].is_site && !now->of[i].is_numbered))
            list_metric(l, &(struct metric_id){ VERDICT_ALLOCATIONS, scope, now->of[i].name });
    for (size_t i = 0; before && i < before->count; i++) {
        if (before->of[i].is_numbered)
            continue;
        bool is_own = scope == VERDICT_MODULE && strcmp(before->of[i].name, BASELINE_PROGRAM) == 0 && *own_name;
        list_metric(l, &(struct metric_id){ VERDICT_ALLOCATIONS, scope, is_own ? own_name : before->of[i].name });
    }
}

static int by_scope_and_name(const void *left, const void *right)
{
    const struct verdict_metric *a = left, *b = right;

    if (a->scope != b->scope)
        return a->scope < b->scope ? -1 : 1;
    int names = strcmp(a->scope_name, b->scope_name);
    return names ? names : (int)a->kind - (int)b->kind;
}

static void list_metrics(const struct judge *j, struct verdict *v)
{
    struct listing l = { .v = v };
    char none[] = "";

    for (enum verdict_kind kind = 0; kind < VERDICT_KINDS; kind++)
        if (j->kinds[kind])
            list_metric(&l, &(struct metric_id){ kind, VERDICT_ALL, none });
    for (size_t i = 0; i < j->limits->count; i++)
        list_metric(&l, &j->limits->of[i].id);
    if (j->sites)
        add_scope(j, &l, VERDICT_SITE);
    if (j->modules)
        add_scope(j, &l, VERDICT_MODULE);
    hash_table_release(&l.table);
    qsort(v->metrics, v->metric_count, sizeof *v->metrics, by_scope_and_name);
}

/* A misspelt one would have no effect. */
static void tell_unused_tolerances(const struct judge *j, struct verdict *v)
{
    for (size_t i = 0; i < j->limits->tolerance_count; i++) {
        const char *name = j->limits->tolerances[i].name;
        bool is_used = !strchr(name, '.') && !verdict_kind_parse(name, strlen(name), &(enum verdict_kind){ 0 }); /* all, sites, ... */
        for (size_t k = 0; k < v->metric_count && !is_used; k++)
            is_used = strcmp(v->metrics[k].name, name) == 0;
        if (!is_used)
            verdict_add_note(v, "--tolerance %s: no metric of this name is compared here, so that it has no effect", name);
    }
}

void verdict_set_exit_code(struct verdict *v)
{
    bool regressed = false, improved = false, doubtful = false;

    for (size_t i = 0; i < v->metric_count; i++) {
        regressed |= v->metrics[i].state == VERDICT_IS_REGRESSION;
        improved |= v->metrics[i].state == VERDICT_IS_IMPROVEMENT;
    }
    for (size_t i = 0; i < v->problem_count; i++)
        doubtful |= v->problems[i].kind != VERDICT_NOT_STABLE;
    v->exit_code = doubtful                            ? VERDICT_EXIT_NOT_MEASURABLE
                   : regressed                         ? VERDICT_EXIT_REGRESSION
                   : v->problem_count                  ? VERDICT_EXIT_NOT_MEASURABLE
                   : improved && v->fail_on_improvement ? VERDICT_EXIT_IMPROVEMENT
                                                       : VERDICT_EXIT_WITHIN;
}

void judge(struct judge *j, struct verdict *v)
{
    struct pairing pairing = { 0 };

    j->pairing = &pairing;
    if (j->baseline && !j->baseline->has_sums && (j->sites || j->modules))
        verdict_add_problem(v, VERDICT_NO_BASELINE, NULL, "the baseline has no \"functions\" and \"modules\", with which --metrics sites or "
                            "modules could be compared; make it anew with --update");
    list_metrics(j, v);
    tell_unused_tolerances(j, v);
    look_for_nothing(j, v);
    for (size_t i = 0; i < v->metric_count; i++)
        judge_metric(j, v, &v->metrics[i]);
    judge_tell_unknown(j, v);
    judge_tell_tail_calls(j, v);
    judge_tell_no_lines(j, v);
    culprits_tell_renamed(j, v);
    pairing_release(&pairing);
    verdict_set_exit_code(v);
}
