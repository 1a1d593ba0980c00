/* The verdict as JUnit's XML: a test case for the measuring, and one for each metric. A regression
 * is a failure, what could not be judged an error, what has nothing to be judged by is skipped. */
#include "analyze/check/outputs.h"
#include "analyze/check/wording.h"

#include "analyze/render/text.h"

#include <inttypes.h>
#include <string.h>

/* Of a text that may have lines of ours. XML has no way at all to say a control character, so
 * those come as \x1b. */
static void write_text(FILE *to, const char *text, size_t most)
{
    _cleanup_free_ char *safe = text_safe_utf8(text, most);

    for (const char *at = safe; *at; at++) {
        const char *entity = *at == '&' ? "&amp;" : *at == '<' ? "&lt;" : *at == '>' ? "&gt;" : *at == '"' ? "&quot;" : NULL;
        if (entity)
            fputs(entity, to);
        else
            fputc(*at, to);
    }
}

static void write_attribute(FILE *to, const char *name, const char *value, size_t most)
{
    fprintf(to, " %s=\"", name);
    write_text(to, value, most);
    fputc('"', to);
}

static void write_property(FILE *to, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    fprintf(to, "      <property name=\"%s\"", name);
    write_attribute(to, "value", value, 1000);
    fputs("/>\n", to);
}

static void write_line(FILE *to, const char *indent, const char *text)
{
    fputs(indent, to);
    write_text(to, text, 1000);
    fputc('\n', to);
}

static void write_culprit(FILE *to, const struct verdict_metric *m, const struct verdict_culprit *c)
{
    _cleanup_free_ char *change = wording_culprit_change(m, c);

    write_line(to, "", change);
    for (size_t i = 0; i < c->frame_count; i++) {
        _cleanup_free_ char *frame = wording_frame(&c->frames[i]);
        write_line(to, i ? c->frames[i].is_apart ? "... from " : "    from " : "  in ", frame);
    }
}

/* <failure>, <error> or <skipped/>: what makes the case more than passed. */
static void write_result(FILE *to, const struct verdict *v, const struct verdict_metric *m, enum wording_outcome outcome)
{
    const char *element = outcome == WORDING_FAILED ? "failure" : "error";
    const struct verdict_problem *problem = wording_problem(v, m->name);
    _cleanup_free_ char *sentence = wording_sentence(v, m);

    if (outcome == WORDING_SKIPPED) {
        fputs("      <skipped", to);
        write_attribute(to, "message", m->reason ? m->reason : m->state == VERDICT_IS_NEW ? "nothing to compare it with" : "not measured", 1000);
        fputs("/>\n", to);
        return;
    }
    fprintf(to, "      <%s type=\"%s\"", element, verdict_state_name(m->state));
    write_attribute(to, "message", sentence, 1000);
    fputc('>', to);
    if (problem)
        write_line(to, "", problem->text);
    const size_t shown = wording_culprits_shown(m), more = m->culprit_count - shown + m->culprits_left_out;
    for (size_t i = 0; i < shown; i++)
        write_culprit(to, m, &m->culprits[i]);
    if (more)
        fprintf(to, "and %s more\n", text_count(more));
    _cleanup_free_ char *offset = wording_offset(m);
    if (offset)
        write_line(to, "", offset);
    fprintf(to, "</%s>\n", element);
}

static void begin_case(FILE *to, const struct verdict *v, const char *name)
{
    fputs("    <testcase", to);
    write_attribute(to, "classname", *v->program ? v->program : "malloscope.check", WORDING_NAME_MOST);
    write_attribute(to, "name", name, SIZE_MAX);
}

/* Where its first culprit is, for runners that make a link of it. */
static void write_place(FILE *to, const struct verdict_metric *m)
{
    const struct verdict_frame *place = m->culprit_count ? wording_place(&m->culprits[0]) : NULL;
    bool inside = false;
    _cleanup_free_ char *path = place ? wording_path(place, &inside) : NULL;

    if (inside) {
        write_attribute(to, "file", path, SIZE_MAX);
        fprintf(to, " line=\"%" PRIu32 "\"", place->line);
    }
}

static void write_case(FILE *to, const struct verdict *v, const struct verdict_metric *m)
{
    enum wording_outcome outcome = wording_outcome(v, m);

    begin_case(to, v, m->name);
    if (outcome == WORDING_PASSED) {
        _cleanup_free_ char *sentence = wording_sentence(v, m);
        fputs(">\n      <system-out>", to);
        write_text(to, sentence, 1000);
        fputs("</system-out>\n", to);
    } else {
        if (outcome != WORDING_SKIPPED)
            write_place(to, m);
        fputs(">\n", to);
        write_result(to, v, m, outcome);
    }
    fputs("    </testcase>\n", to);
}

/* The measuring itself. */
static void write_measured(FILE *to, const struct verdict *v)
{
    const struct verdict_problem *first = wording_problem(v, NULL);

    begin_case(to, v, "measured");
    fputs(first ? ">\n" : "/>\n", to);
    if (!first)
        return;
    fprintf(to, "      <error type=\"%s\"", verdict_problem_name(first->kind));
    write_attribute(to, "message", first->text, 1000);
    fputc('>', to);
    for (size_t i = 0; i < v->problem_count; i++)
        if (!v->problems[i].metric)
            write_line(to, "", v->problems[i].text);
    fputs("</error>\n    </testcase>\n", to);
}

void check_write_junit(FILE *to, const struct verdict *v)
{
    size_t counts[WORDING_SKIPPED + 1] = { 0 };

    for (size_t i = 0; i < v->metric_count; i++)
        counts[wording_outcome(v, &v->metrics[i])]++;
    counts[WORDING_REFUSED] += wording_problem(v, NULL) != NULL;
    _cleanup_free_ char *sums = format_text("tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\"", v->metric_count + 1,
                                            counts[WORDING_FAILED], counts[WORDING_REFUSED], counts[WORDING_SKIPPED]);
    _cleanup_free_ char *runs = format_text("%" PRIu64, v->runs);

    fprintf(to, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"malloscope check\" %s>\n  <testsuite name=\"malloscope check\" %s>\n", sums, sums);
    fputs("    <properties>\n", to);
    write_property(to, "malloscope", v->version);
    write_property(to, "verdict", wording_verdict(v));
    write_property(to, "platform", v->platform);
    write_property(to, "program", v->program);
    write_property(to, v->log_count ? "logs" : "runs", runs);
    write_property(to, "baseline", v->baseline_file);
    write_property(to, "budget", v->budget_file);
    write_property(to, "within", v->within);
    write_property(to, "mark", v->mark);
    write_property(to, "exclude-module", v->exclude_modules);
    fputs("    </properties>\n", to);
    write_measured(to, v);
    for (size_t i = 0; i < v->metric_count; i++)
        write_case(to, v, &v->metrics[i]);
    fputs("    <system-out>", to);
    for (size_t i = 0; i < v->note_count; i++)
        write_line(to, "Note: ", v->notes[i]);
    write_line(to, "", v->trust);
    fputs("</system-out>\n  </testsuite>\n</testsuites>\n", to);
}
