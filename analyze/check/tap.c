/* The verdict as TAP 13: a test for the measuring, then one for each metric. Names are the same
 * in each run; what there is to say comes as comments. */
#include "analyze/check/outputs.h"
#include "analyze/check/wording.h"

#include "analyze/render/text.h"

#include <inttypes.h>
#include <string.h>

#define FRAMES_MOST 9 /* all of a site's */

/* In a test's line a # begins a directive, and a \ escapes. */
static void write_name(FILE *to, const char *name)
{
    _cleanup_free_ char *safe = text_safe_utf8(name, WORDING_NAME_MOST);

    for (const char *at = safe; *at; at++) {
        if (*at == '#' || *at == '\\')
            fputc('\\', to);
        fputc(*at, to);
    }
}

static void write_comment(FILE *to, const char *indent, const char *text)
{
    _cleanup_free_ char *safe = text_safe_utf8(text, 1000);

    fprintf(to, "# %s%s\n", indent, safe);
}

static void write_culprit(FILE *to, const struct verdict_metric *m, const struct verdict_culprit *c)
{
    _cleanup_free_ char *change = wording_culprit_change(m, c);

    write_comment(to, "  ", change);
    for (size_t i = 0; i < c->frame_count && i < FRAMES_MOST; i++) {
        _cleanup_free_ char *frame = wording_frame(&c->frames[i]);
        write_comment(to, i ? c->frames[i].is_apart ? "  ... from " : "      from " : "    in ", frame);
    }
}

static void write_metric(FILE *to, const struct verdict *v, const struct verdict_metric *m, size_t number)
{
    enum wording_outcome outcome = wording_outcome(v, m);
    bool is_ok = outcome == WORDING_PASSED || outcome == WORDING_SKIPPED;

    fprintf(to, "%s %zu - ", is_ok ? "ok" : "not ok", number);
    write_name(to, m->name);
    fputs(outcome == WORDING_SKIPPED ? m->state == VERDICT_IS_NEW ? " # SKIP nothing to compare it with\n" : " # SKIP not measured\n" : "\n", to);
    _cleanup_free_ char *sentence = wording_sentence(v, m);
    write_comment(to, "", sentence);
    const struct verdict_problem *problem = wording_problem(v, m->name);
    if (problem)
        write_comment(to, "", problem->text);
    const size_t shown = wording_culprits_shown(m), more = m->culprit_count - shown + m->culprits_left_out;
    for (size_t i = 0; i < shown; i++)
        write_culprit(to, m, &m->culprits[i]);
    if (more)
        fprintf(to, "#   and %s more\n", text_count(more));
    _cleanup_free_ char *offset = wording_offset(m);
    if (offset)
        write_comment(to, "  ", offset);
}

void check_write_tap(FILE *to, const struct verdict *v)
{
    bool is_measured = !wording_problem(v, NULL);

    fprintf(to, "TAP version 13\n1..%zu\n%s 1 - measured\n", v->metric_count + 1, is_measured ? "ok" : "not ok");
    for (size_t i = 0; i < v->problem_count; i++)
        if (!v->problems[i].metric)
            write_comment(to, "", v->problems[i].text);
    for (size_t i = 0; i < v->metric_count; i++)
        write_metric(to, v, &v->metrics[i], i + 2);
    for (size_t i = 0; i < v->note_count; i++)
        write_comment(to, "Note: ", v->notes[i]);
    if (*v->trust)
        write_comment(to, "", v->trust);
}
