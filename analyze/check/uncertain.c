/* What a limit of a function or a module cannot see. A function without a name may be the one that is limited, unless that one
 * is known by its name, from a stack or a module's symbols; and what has no stack may be of any function and module. A limit
 * that only such allocations keep from being exceeded is not kept for sure: a build that begins to strip would turn all of them off. */
#include "analyze/check/judge.h"

#include "analyze/render/frames.h"
#include "analyze/render/text.h"

#include <string.h>

static const char *const unnamed[] = { MEASURED_NO_STACK, MEASURED_NO_FILE, MEASURED_NO_NAME };
#define UNNAMED (sizeof unnamed / sizeof *unnamed)

static bool is_unnamed(const char *function)
{
    bool is = false;

    for (size_t i = 0; i < UNNAMED; i++)
        is |= strcmp(function, unnamed[i]) == 0;
    return is;
}

/* Runtimes' functions are nobody's who limits the program's. And a name that a library has as well, by chance, in a function that allocates
 * nothing, says nothing of the program. */
static bool may_be(const struct measured *m, const struct verdict_metric *metric, size_t run, const struct measured_sum *of)
{
    if (metric->scope == VERDICT_MODULE || strcmp(of->name, MEASURED_NO_STACK) == 0)
        return strcmp(of->name, MEASURED_NO_STACK) == 0;
    if (measured_knows(m, metric->scope_name, run, false))
        return of->is_own && !measured_knows(m, metric->scope_name, run, true) &&
               !measured_sum_value(measured_find_sum(&m->functions, metric->scope_name), run, VERDICT_ALLOCATIONS);
    return !frames_is_runtime(of->name);
}

static uint64_t hidden_in(const struct measured *m, const struct verdict_metric *metric, size_t run, const struct measured_sum **ret_most)
{
    uint64_t sum = 0, most = 0;

    *ret_most = NULL;
    for (size_t i = 0; i < m->unnamed.count; i++) {
        const struct measured_sum *of = &m->unnamed.of[i];
        uint64_t value = may_be(m, metric, run, of) ? measured_sum_value(of, run, metric->kind) : 0;
        sum += value;
        if (value > most) {
            most = value;
            *ret_most = of;
        }
    }
    return sum;
}

uint64_t judge_hidden(const struct measured *m, const struct verdict_metric *metric, size_t run)
{
    const struct measured_sum *most;
    return hidden_in(m, metric, run, &most);
}

/* What the baseline had of that: its limit is of the rest. */
static uint64_t hidden_before(const struct judge *j, const struct verdict_metric *metric)
{
    uint64_t all = 0;

    for (size_t i = 0; i < (metric->scope == VERDICT_MODULE ? 1 : UNNAMED); i++) {
        const struct baseline_sum *sum = baseline_find_sum(&j->baseline->functions, unnamed[i]);
        all += sum ? sum->values[metric->kind].least : 0;
    }
    return all;
}

static char *reason_of(const struct verdict_metric *metric, uint64_t hidden, const struct measured_sum *most, uint64_t limit)
{
    bool no_stack = strcmp(most->name, MEASURED_NO_STACK) == 0;
    _cleanup_free_ char *whose = no_stack ? copy_text("", 0) : format_text(" (most in %s)", most->name);

    return format_text("%s %s of %s%s may be of %s, and with them it is more than %s", text_count(hidden), verdict_unit(metric->kind),
                       no_stack ? "what has no stack" : "functions without names", whose, metric->scope_name, text_count(limit));
}

/* Those of a baseline's functions are compared with what had no name there, too (--metrics sites). False: there is none. */
static bool limit_of(const struct judge *j, const struct verdict_metric *metric, uint64_t *ret_limit)
{
    bool is_compared = metric->scope == VERDICT_SITE && metric->limit_from == VERDICT_FROM_BASELINE && j->sites;
    const struct limit *given = is_compared ? judge_least_given(j, metric) : NULL;

    *ret_limit = given ? given->most : metric->limit;
    return (metric->scope == VERDICT_SITE || metric->scope == VERDICT_MODULE) && metric->has_limit && (given || !is_compared);
}

char *judge_uncertain(const struct judge *j, const struct measured *m, const struct verdict_metric *metric)
{
    uint64_t possible = UINT64_MAX, hidden = 0, limit;
    const struct measured_sum *most = NULL, *most_here;

    if (!limit_of(j, metric, &limit) || is_unnamed(metric->scope_name))
        return NULL;
    uint64_t before = metric->limit_from == VERDICT_FROM_BASELINE && limit == metric->limit ? hidden_before(j, metric) : 0;
    for (size_t run = 0; run < m->run_count; run++) { /* compared is the least of the runs */
        uint64_t more = hidden_in(m, metric, run, &most_here);
        more = more > before ? more - before : 0;
        uint64_t value = judge_value(m, metric, run) + more;
        if (value < possible) {
            possible = value;
            hidden = more;
            most = most_here;
        }
    }
    return hidden && possible > limit && m->run_count ? reason_of(metric, hidden, most, limit) : NULL;
}
