/* Limits that nothing can exceed. A misspelt name has 0 for good, and so has one that was right once. And a function whose last act is
 * an allocation has none of it where the compiler made a jump of that call: its frame is gone then, and its caller is the one that asks. */
#include "analyze/check/judge.h"

#include "analyze/check/frame_name.h"

#include <string.h>

static unsigned asked(const struct judge *j, const char *name, bool is_module)
{
    unsigned found = 0;

    for (size_t i = 0; i < j->asked_count; i++)
        if (j->asked[i].is_module == is_module && strcmp(j->asked[i].name, name) == 0)
            found |= j->asked[i].found;
    return found;
}

static bool is_module_met(const struct judge *j, const char *name)
{
    const struct measured_sums *now = &j->measured->modules;
    const struct baseline_sums *before = j->baseline ? &j->baseline->modules : NULL;
    bool is_met = strcmp(name, BASELINE_PROGRAM) == 0;

    for (size_t i = 0; i < now->count && !is_met; i++)
        is_met = judge_is_module(now->of[i].name, now->of[i].is_own, name);
    for (size_t i = 0; before && i < before->count && !is_met; i++)
        is_met = judge_is_module(before->of[i].name, false, name);
    return is_met;
}

static bool is_met(const struct judge *j, const struct verdict_metric *metric)
{
    const char *name = metric->scope_name;

    if (metric->scope == VERDICT_MODULE)
        return is_module_met(j, name);
    return measured_find_sum(&j->measured->known, name) || measured_find_sum(&j->measured->functions, name) ||
           (j->baseline && baseline_find_sum(&j->baseline->functions, name)) || strcmp(name, MEASURED_NO_NAME) == 0 ||
           strcmp(name, MEASURED_NO_STACK) == 0 || strcmp(name, MEASURED_NO_FILE) == 0;
}

char *judge_tail_call(const struct judge *j, const struct verdict_metric *metric)
{
    const struct limit *given = metric->scope == VERDICT_SITE ? judge_least_given(j, metric) : NULL;

    if (!given || !(asked(j, metric->scope_name, false) & SYMBOLS_TAIL_ASK))
        return NULL;
    for (size_t run = 0; run < j->measured->run_count; run++)
        if (j->measured->totals[run][metric->kind] <= given->most) /* compared is the least of the runs: all that there was is within it */
            return NULL;
    return format_text("the last act of %s is an allocation, of which the compiler made a jump: that leaves no frame, and counts for its callers",
                       metric->scope_name);
}

void judge_tell_tail_calls(const struct judge *j, struct verdict *v)
{
    for (size_t i = 0; i < v->metric_count; i++) {
        const struct verdict_metric *m = &v->metrics[i];
        if (m->scope == VERDICT_MODULE && m->state != VERDICT_IS_REGRESSION && judge_least_given(j, m) && asked(j, m->scope_name, true) & SYMBOLS_TAIL_ASK)
            verdict_add_note(v, "%s: functions of it have an allocation as their last act, of which the compiler made a jump: that leaves no frame, and "
                                "counts for their callers (-fno-optimize-sibling-calls)", m->name);
    }
    if (v->within && asked(j, v->within, false) & SYMBOLS_TAIL_CALL)
        verdict_add_note(v, "--within %s: the last act of it is a call of which the compiler made a jump: that leaves no frame, and what is called there "
                            "does not count; build with -fno-optimize-sibling-calls, or name a caller", v->within);
}

void judge_tell_no_lines(const struct judge *j, struct verdict *v)
{
    bool had = false, has = false, any = false;

    for (size_t i = 0; j->baseline && i < j->baseline->site_count; i++)
        had |= j->baseline->sites[i].file && !frame_name_module(j->baseline->sites[i].key, strcspn(j->baseline->sites[i].key, "\n"));
    for (size_t i = 0; i < j->measured->site_count; i++) {
        const struct measured_site *site = &j->measured->sites[i];
        any |= site->is_own;
        has |= site->is_own && *site->places[0].source;
    }
    if (had && any && !has)
        verdict_add_note(v, "the baseline was made of a build with debug information, and this one has none: functions that were inlined have no names, and "
                            "what they allocate is their callers'");
}

void judge_tell_unknown(const struct judge *j, struct verdict *v)
{
    for (size_t i = 0; j->measured->run_count && i < v->metric_count; i++) {
        const struct verdict_metric *m = &v->metrics[i];
        if ((m->scope != VERDICT_SITE && m->scope != VERDICT_MODULE) || !judge_least_given(j, m) || m->state == VERDICT_IS_NOT_MEASURED || is_met(j, m) ||
            asked(j, m->scope_name, m->scope == VERDICT_MODULE) & SYMBOLS_HAVE)
            continue;
        const char *so = judge_hidden(j->measured, m, j->measured->run_count - 1) ? "nothing is known to count for this limit" : "this limit cannot fail";
        verdict_add_note(v, m->scope == VERDICT_SITE ? "%s: no function of this name is in any stack, nor among the symbols: it is misspelt, gone, or was "
                                                       "inlined, so that %s"
                                                     : "%s: no module of this name was loaded, so that %s", m->name, so);
    }
}
