/* Verdicts made by hand, for who shows them: one of each state, and names as hostile as they come. */
#ifndef MALLOSCOPE_TESTS_UNIT_MADE_VERDICT_H
#define MALLOSCOPE_TESTS_UNIT_MADE_VERDICT_H

#include "analyze/check/verdict.h"

#include <string.h>

/* Quotes, mark-up of every kind, a line that would be a command, controls, a torn and a wrong
 * character, a reversal, a separator, and what no XML has. */
#define MADE_HOSTILE                                                                              \
    "a\"'<b>&amp;\n::error file=x,line=1::owned\r%0A%25,x:y|`` *_[l](http://e.org) @all #1 ]]>-->" \
    "\x1b[2J\x01\x7f\xff\xc3(\xed\xa0\x80\xe2\x80\xae\xe2\x80\xa8\xef\xbf\xbf\xc3\xa9\xf0\x9f\x98\x80<!--"

static inline char *made(const char *text)
{
    return text ? copy_text(text, strlen(text)) : NULL;
}

static inline char *made_long(const char *start, size_t bytes)
{
    char *text = alloc_zeroed(bytes + 1, 1);
    memset(text, 'n', bytes);
    memcpy(text, start, strlen(start));
    return text;
}

static inline struct verdict_metric *made_metric(struct verdict *v, const char *name, enum verdict_kind kind, enum verdict_scope scope,
                                                 enum verdict_state state, uint64_t baseline, uint64_t value, uint64_t maximum)
{
    size_t capacity = v->metric_count;
    v->metrics = grow(v->metrics, &capacity, v->metric_count + 1, sizeof *v->metrics);
    struct verdict_metric *m = &v->metrics[v->metric_count++];

    *m = (struct verdict_metric){
        .name = made(name), .kind = kind, .scope = scope, .scope_name = made(scope == VERDICT_ALL ? "" : "scope"), .state = state,
        .value = value, .minimum = value, .maximum = maximum, .spread = maximum - value, .has_baseline = baseline > 0,
        .baseline = baseline, .change = baseline ? (int64_t)(value - baseline) : 0, .tolerance_percent = 1, .tolerance_absolute = 1,
        .tolerance = 1, .allowed = 1, .has_limit = baseline > 0, .limit = baseline + 1,
        .limit_from = baseline ? VERDICT_FROM_BASELINE : VERDICT_FROM_NOWHERE,
    };
    return m;
}

static inline struct verdict_culprit *made_culprit(struct verdict_metric *m, uint64_t before, uint64_t now)
{
    size_t capacity = m->culprit_count;
    m->culprits = grow(m->culprits, &capacity, m->culprit_count + 1, sizeof *m->culprits);
    struct verdict_culprit *c = &m->culprits[m->culprit_count++];

    *c = (struct verdict_culprit){ .before = before, .now = now, .change = (int64_t)(now - before), .has_before = m->has_baseline,
                                   .is_new = m->has_baseline && !before, .is_gone = m->has_baseline && !now };
    return c;
}

static inline void made_frame(struct verdict_culprit *c, const char *function, const char *module, const char *file, uint32_t line)
{
    size_t capacity = c->frame_count;
    c->frames = grow(c->frames, &capacity, c->frame_count + 1, sizeof *c->frames);
    c->frames[c->frame_count++] = (struct verdict_frame){ made(function), made(module), made(file), line };
}

static inline void made_problem(struct verdict *v, enum verdict_problem_kind kind, const char *metric, const char *text)
{
    size_t capacity = v->problem_count;
    v->problems = grow(v->problems, &capacity, v->problem_count + 1, sizeof *v->problems);
    v->problems[v->problem_count++] = (struct verdict_problem){ kind, made(metric), made(text) };
}

static inline void made_note(struct verdict *v, const char *text)
{
    size_t capacity = v->note_count;
    v->notes = grow(v->notes, &capacity, v->note_count + 1, sizeof *v->notes);
    v->notes[v->note_count++] = made(text);
}

static inline void made_begin(struct verdict *v)
{
    *v = (struct verdict){ .version = made("0.1.0"), .platform = made("linux/x86_64/glibc"), .program = made("./prog input"), .runs = 3,
                           .warmups = 1, .baseline_file = made("alloc.json"), .trust = made("Trust: 1 process, all of its events.") };
}

/* Two metrics that one line made worse, one that is as it was. */
static inline void made_regression(struct verdict *v)
{
    made_begin(v);
    struct verdict_metric *m = made_metric(v, "allocations", VERDICT_ALLOCATIONS, VERDICT_ALL, VERDICT_IS_REGRESSION, 100, 110, 110);
    for (unsigned i = 0; i < 2; i++) { /* two stacks of one place */
        struct verdict_culprit *c = made_culprit(m, i ? 5 : 0, i ? 8 : 7);
        made_frame(c, "std::allocator<int>::allocate(unsigned long)", "prog", "/usr/include/c++/12/bits/new_allocator.h", 137);
        made_frame(c, "json_parse", "prog", "src/parser.c", 42);
        made_frame(c, i ? "reload" : "load", "prog", "src/load.c", 7 + i);
    }
    m->culprits_left_out = 2;
    m = made_metric(v, "bytes", VERDICT_BYTES, VERDICT_ALL, VERDICT_IS_REGRESSION, 13312, 13760, 13760);
    struct verdict_culprit *c = made_culprit(m, 0, 448);
    made_frame(c, "json_parse", "prog", "src/parser.c", 42);
    made_metric(v, "leaked_blocks", VERDICT_LEAKED_BLOCKS, VERDICT_ALL, VERDICT_IS_WITHIN, 1, 1, 1);
    v->exit_code = VERDICT_EXIT_REGRESSION;
}

static inline void made_within(struct verdict *v)
{
    made_begin(v);
    made_metric(v, "allocations", VERDICT_ALLOCATIONS, VERDICT_ALL, VERDICT_IS_WITHIN, 100, 100, 100);
    made_metric(v, "peak", VERDICT_PEAK, VERDICT_ALL, VERDICT_IS_NEW, 0, 4096, 4096);
    v->exit_code = VERDICT_EXIT_WITHIN;
}

static inline void made_improvement(struct verdict *v, bool fails)
{
    made_begin(v);
    struct verdict_metric *m = made_metric(v, "allocations", VERDICT_ALLOCATIONS, VERDICT_ALL, VERDICT_IS_IMPROVEMENT, 100, 80, 80);
    struct verdict_culprit *c = made_culprit(m, 20, 0);
    made_frame(c, "copies", "prog", NULL, 0);
    v->fail_on_improvement = fails;
    v->exit_code = fails ? VERDICT_EXIT_IMPROVEMENT : VERDICT_EXIT_WITHIN;
}

static inline void made_unstable(struct verdict *v, bool is_allowed)
{
    made_begin(v);
    struct verdict_metric *m = made_metric(v, "allocations", VERDICT_ALLOCATIONS, VERDICT_ALL, VERDICT_IS_UNSTABLE, 100, 100, 131);
    m->reason = made("it differs by 31 from run to run");
    struct verdict_culprit *c = made_culprit(m, 5, 36);
    made_frame(c, "racer", "prog", "src/race.c", 9);
    made_metric(v, "peak", VERDICT_PEAK, VERDICT_ALL, VERDICT_IS_NOT_MEASURED, 0, 0, 0)->reason = made("one of the logs is a sample");
    v->allow_unstable = is_allowed;
    if (is_allowed)
        return;
    made_problem(v, VERDICT_NOT_STABLE, "allocations", "allocations: 100 to 131 over 3 runs, more than the tolerance of 1: --tolerance allocations=31 takes it");
    v->exit_code = VERDICT_EXIT_NOT_MEASURABLE;
}

static inline void made_nothing(struct verdict *v)
{
    made_begin(v);
    made_metric(v, "allocations", VERDICT_ALLOCATIONS, VERDICT_ALL, VERDICT_IS_NOT_MEASURED, 0, 0, 0);
    made_problem(v, VERDICT_NO_EVENTS, NULL, "./prog allocated nothing, where the baseline has 100 allocations");
    v->exit_code = VERDICT_EXIT_NOT_MEASURABLE;
}

/* Everything that is a text is hostile, or very long. */
static inline void made_hostile(struct verdict *v)
{
    *v = (struct verdict){ .version = made("0.1.0"), .platform = made(MADE_HOSTILE), .program = made(MADE_HOSTILE), .runs = 3,
                           .baseline_file = made(MADE_HOSTILE), .budget_file = made(MADE_HOSTILE), .within = made(MADE_HOSTILE),
                           .mark = made(MADE_HOSTILE), .exclude_modules = made(MADE_HOSTILE), .trust = made(MADE_HOSTILE) };
    v->logs = alloc_zeroed(1, sizeof *v->logs);
    v->logs[v->log_count++] = made(MADE_HOSTILE);
    struct verdict_metric *m = made_metric(v, "sites." MADE_HOSTILE ".bytes", VERDICT_BYTES, VERDICT_SITE, VERDICT_IS_REGRESSION, 100, UINT64_MAX / 2, UINT64_MAX / 2);
    free(m->scope_name);
    m->scope_name = made(MADE_HOSTILE);
    m->reason = made(MADE_HOSTILE);
    struct verdict_culprit *c = made_culprit(m, 0, 400);
    made_frame(c, MADE_HOSTILE, MADE_HOSTILE, "src/" MADE_HOSTILE, 5);
    char *name = made_long("v::w<", 100000);
    made_frame(c, name, name, NULL, 0);
    free(name);
    for (unsigned i = 0; i < 300; i++)
        made_frame(c, "deep", "", "deep.c", i + 1);
    m = made_metric(v, "sites.operator|.allocations # TODO \\#", VERDICT_ALLOCATIONS, VERDICT_SITE, VERDICT_IS_REGRESSION, 1, 4, 4);
    made_frame(made_culprit(m, 1, 4), "operator||", "", NULL, 0);
    char wide[300] = "`"; /* takes eight times the room in Markdown */
    memset(wide + 1, 0xff, sizeof wide - 2);
    for (unsigned i = 0; i < 150; i++) {
        _cleanup_free_ char *site = format_text("sites.f%u.allocations", i), *file = format_text("many/%u.c", i);
        m = made_metric(v, site, VERDICT_ALLOCATIONS, VERDICT_SITE, VERDICT_IS_REGRESSION, 1, 4, 4);
        for (unsigned k = 0; k < 12; k++) {
            c = made_culprit(m, 0, 1);
            for (unsigned frame = 0; frame < (i < 20 ? 9 : 1); frame++)
                made_frame(c, frame ? wide : MADE_HOSTILE, MADE_HOSTILE, file, k + 1);
        }
    }
    made_problem(v, VERDICT_INCOMPLETE, NULL, MADE_HOSTILE);
    made_note(v, MADE_HOSTILE);
    v->exit_code = VERDICT_EXIT_NOT_MEASURABLE;
}

/* By its name; false: there is none. */
static inline bool made_verdict(const char *name, struct verdict *ret_verdict)
{
    if (strcmp(name, "regression") == 0)
        made_regression(ret_verdict);
    else if (strcmp(name, "within") == 0)
        made_within(ret_verdict);
    else if (strcmp(name, "improvement") == 0 || strcmp(name, "improvement-fails") == 0)
        made_improvement(ret_verdict, name[11]);
    else if (strcmp(name, "unstable") == 0 || strcmp(name, "unstable-allowed") == 0)
        made_unstable(ret_verdict, name[8]);
    else if (strcmp(name, "nothing") == 0)
        made_nothing(ret_verdict);
    else if (strcmp(name, "hostile") == 0)
        made_hostile(ret_verdict);
    else
        return false;
    return true;
}

#endif
