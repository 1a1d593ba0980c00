/* Words for a verdict. Numbers are exact everywhere: who is told that 13.0 KiB have become
 * 13.0 KiB learns nothing. */
#include "analyze/check/wording.h"

#include "analyze/render/text.h"

#include <inttypes.h>
#include <string.h>

const struct verdict_problem *wording_problem(const struct verdict *v, const char *metric)
{
    for (size_t i = 0; i < v->problem_count; i++) {
        const char *of = v->problems[i].metric;
        if (metric ? of && strcmp(of, metric) == 0 : !of)
            return &v->problems[i];
    }
    return NULL;
}

enum wording_outcome wording_outcome(const struct verdict *v, const struct verdict_metric *m)
{
    if (m->state == VERDICT_IS_REGRESSION || (m->state == VERDICT_IS_IMPROVEMENT && v->fail_on_improvement))
        return WORDING_FAILED;
    if ((m->state == VERDICT_IS_UNSTABLE && !v->allow_unstable) || wording_problem(v, m->name))
        return WORDING_REFUSED;
    return m->state == VERDICT_IS_NEW || m->state == VERDICT_IS_NOT_MEASURED ? WORDING_SKIPPED : WORDING_PASSED;
}

const char *wording_verdict(const struct verdict *v)
{
    switch (v->exit_code) {
    case VERDICT_EXIT_REGRESSION:
        return "regression";
    case VERDICT_EXIT_NOT_MEASURABLE:
        return "not measurable";
    case VERDICT_EXIT_IMPROVEMENT:
        return "improvement";
    default:
        return v->baseline_saved ? "saved" : "within";
    }
}

static size_t count_of(const struct verdict *v, enum verdict_state state)
{
    size_t count = 0;

    for (size_t i = 0; i < v->metric_count; i++)
        count += v->metrics[i].state == state;
    return count;
}

char *wording_headline(const struct verdict *v)
{
    size_t regressions = count_of(v, VERDICT_IS_REGRESSION), improvements = count_of(v, VERDICT_IS_IMPROVEMENT);
    const char *of = text_counted(v->metric_count, "metric");

    if (v->exit_code == VERDICT_EXIT_NOT_MEASURABLE) {
        const struct verdict_problem *p = v->problem_count ? &v->problems[0] : NULL;
        return format_text("malloscope check: not measurable%s%s", p ? ": " : "", p ? verdict_problem_name(p->kind) : "");
    }
    if (v->exit_code == VERDICT_EXIT_REGRESSION)
        return format_text("malloscope check: %zu of %s beyond %s", regressions, of, regressions == 1 ? "its limit" : "their limits");
    if (v->exit_code == VERDICT_EXIT_IMPROVEMENT)
        return format_text("malloscope check: %zu of %s improved, the baseline is out of date", improvements, of);
    if (v->baseline_saved)
        return format_text("malloscope check: the baseline was saved, %s", of);
    if (improvements)
        return format_text("malloscope check: passed, %zu of %s improved", improvements, of);
    return format_text("malloscope check: passed, %s", of);
}

const char *wording_change(int64_t change)
{
    uint64_t size = change < 0 ? 0 - (uint64_t)change : (uint64_t)change;
    char *text = (char *)text_count(size); /* in a buffer of its own, with room in front */

    if (change)
        *--text = change < 0 ? '-' : '+';
    return text;
}

const char *wording_value(const struct verdict_metric *m, uint64_t value)
{
    static const char *const singular[] = { "call", "byte", "block" };
    const char *unit = verdict_unit(m->kind);

    return text_counted(value, unit[0] == 'c' ? singular[0] : unit[1] == 'y' ? singular[1] : singular[2]);
}

/* " (+7, +7.0 %)" */
static char *against_baseline(const struct verdict_metric *m)
{
    _cleanup_free_ char *share = m->baseline && m->change
                                     ? format_text(", %+.1f %%", 100.0 * (double)m->change / (double)m->baseline)
                                     : NULL;

    return format_text(", baseline %s (%s%s)", text_count(m->baseline), m->change ? wording_change(m->change) : "as before",
                       share ? share : "");
}

/* ", at most 102 (baseline + 2)"; NULL: there is no limit. */
static char *up_to(const struct verdict_metric *m)
{
    if (m->state == VERDICT_IS_UNSTABLE && m->limit_from == VERDICT_FROM_BASELINE)
        return format_text(", tolerance %s", text_count(m->tolerance));
    if (m->has_limit && m->limit_from == VERDICT_FROM_BASELINE && m->limit > m->baseline)
        return format_text(", at most %s (baseline + %s)", text_count(m->limit), text_count(m->limit - m->baseline));
    if (m->has_limit)
        return format_text(", at most %s (%s)", text_count(m->limit), verdict_source_name(m->limit_from));
    return NULL;
}

char *wording_figures(const struct verdict *v, const struct verdict_metric *m)
{
    if (m->state == VERDICT_IS_NOT_MEASURED)
        return format_text("not measured");
    _cleanup_free_ char *least = m->spread ? format_text("%s to ", text_count(m->minimum)) : NULL;
    _cleanup_free_ char *runs = m->spread ? format_text(" in %s", text_counted(v->runs, v->log_count ? "log" : "run")) : NULL;
    _cleanup_free_ char *before = m->has_baseline && !v->baseline_saved ? against_baseline(m) : NULL;
    _cleanup_free_ char *limit = v->baseline_saved ? NULL : up_to(m);
    return format_text("%s%s%s%s%s", least ? least : "", wording_value(m, m->maximum), runs ? runs : "", before ? before : "", limit ? limit : "");
}

char *wording_sentence(const struct verdict *v, const struct verdict_metric *m)
{
    _cleanup_free_ char *figures = wording_figures(v, m);
    /* else the figures say it, or the problem does */
    bool has_reason = (m->state == VERDICT_IS_NOT_MEASURED || m->state == VERDICT_IS_WITHIN) && m->reason && !wording_problem(v, m->name);
    _cleanup_free_ char *reason = has_reason ? text_safe_utf8(m->reason, 1000) : NULL;

    return format_text("%s%s%s", figures, reason ? ": " : "", reason ? reason : "");
}

char *wording_culprit_change(const struct verdict_metric *m, const struct verdict_culprit *c)
{
    if (m->state == VERDICT_IS_UNSTABLE)
        return format_text("%s to %s from run to run", text_count(c->before), wording_value(m, c->now));
    _cleanup_free_ char *differs = c->spread ? format_text(", differs by %s from run to run", text_count(c->spread)) : copy_text("", 0);
    if (!c->has_before)
        return format_text("%s%s", wording_value(m, c->now), differs);
    return format_text("%s → %s (%s%s%s)", text_count(c->before), wording_value(m, c->now), wording_change(c->change),
                       c->is_new ? ", new" : c->is_gone ? ", gone" : c->is_line_gone ? ", a line that is gone" : "", differs);
}

size_t wording_culprits_shown(const struct verdict_metric *m)
{
    return m->culprit_count < WORDING_CULPRITS_MOST ? m->culprit_count : WORDING_CULPRITS_MOST;
}

char *wording_offset(const struct verdict_metric *m)
{
    return m->offset_sites ? format_text("%s%s in %s", m->offset < 0 ? "-" : "+", wording_value(m, m->offset < 0 ? 0 - (uint64_t)m->offset : (uint64_t)m->offset),
                                         text_counted(m->offset_sites, "other site")) : NULL;
}

char *wording_frame(const struct verdict_frame *f)
{
    bool inside;
    _cleanup_free_ char *function = text_safe_utf8(f->function, WORDING_NAME_MOST);
    _cleanup_free_ char *path = f->file ? wording_path(f, &inside) : NULL, *module = text_safe_utf8(f->module, WORDING_NAME_MOST);

    if (path && f->line)
        return format_text("%s  %s:%" PRIu32, function, path, f->line);
    return format_text("%s%s%s", function, *module ? "  in " : "", module);
}
