/* The verdict as GitHub's Markdown, for a step's summary or a comment. A summary of more than
 * 1 MiB is not shown at all, so what there may be many of is cut. */
#include "analyze/check/outputs.h"
#include "analyze/check/wording.h"

#include "analyze/render/text.h"

#include <inttypes.h>
#include <string.h>

#define ROWS_MOST 100
#define FRAMES_MOST 9
#define SECTIONS_MOST 20
#define BYTES_MOST (512 << 10) /* no section begins beyond */

/* A name as code. A code span takes all as it is but ` and, in tables, |. */
static void write_code(FILE *to, const char *text)
{
    _cleanup_free_ char *safe = text_safe_utf8(text, WORDING_NAME_MOST);
    size_t bytes = strlen(safe);

    if (bytes && !strpbrk(safe, "`|") && safe[0] != ' ' && safe[bytes - 1] != ' ') {
        fprintf(to, "`%s`", safe);
        return;
    }
    fputs("<code>", to);
    for (const char *at = safe; *at; at++)
        if (*at > ' ' && *at < 127 && !strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", *at))
            fprintf(to, "&#%d;", *at);
        else
            fputc(*at, to);
    fputs("</code>", to);
}

/* A sentence with names in it: nothing in it becomes mark-up, a link or a mention. */
static void write_prose(FILE *to, const char *text)
{
    _cleanup_free_ char *safe = text_safe_utf8(text, 1000);

    for (const char *at = safe; *at; at++) {
        bool begins_link = *at == '@' || (*at == ':' && at[1] == '/') || (*at == '.' && at > safe && (at[-1] | 32) == 'w');
        if (begins_link)
            fprintf(to, "%c<!-- -->", *at);
        else if (strchr("\\`*_[]<>|#~&", *at))
            fprintf(to, "&#%d;", *at);
        else
            fputc(*at, to);
    }
}

static bool is_judged_against(const struct verdict *v, const struct verdict_metric *m)
{
    enum wording_outcome outcome = wording_outcome(v, m);
    return outcome == WORDING_FAILED || outcome == WORDING_REFUSED;
}

static bool is_shown_first(const struct verdict *v, const struct verdict_metric *m)
{
    return is_judged_against(v, m) || m->state == VERDICT_IS_IMPROVEMENT;
}

static void write_row(FILE *to, const struct verdict *v, const struct verdict_metric *m)
{
    bool measured = m->state != VERDICT_IS_NOT_MEASURED, compared = m->has_baseline && measured && !v->baseline_saved;
    const char *bold = is_judged_against(v, m) ? "**" : "";

    fputs("| ", to);
    write_code(to, m->name);
    fprintf(to, " | %s | %s", compared ? text_count(m->baseline) : "", measured ? text_count(m->value) : "");
    if (m->spread)
        fprintf(to, " to %s", text_count(m->maximum));
    fprintf(to, " | %s", compared ? wording_change(m->change) : "");
    if (compared && m->change && m->baseline)
        fprintf(to, " (%+.1f %%)", 100.0 * (double)m->change / (double)m->baseline);
    fprintf(to, " | %s | %s%s%s |\n", m->has_limit ? text_count(m->limit) : "", bold, verdict_state_name(m->state), bold);
}

static void write_table(FILE *to, const struct verdict *v)
{
    size_t rows = 0;

    if (!v->metric_count)
        return;
    fputs("| metric | baseline | now | change | limit | verdict |\n| --- | ---: | ---: | ---: | ---: | --- |\n", to);
    bool are_all = v->metric_count <= ROWS_MOST;
    for (int first = 1; first >= are_all; first--) /* of too many, those that matter */
        for (size_t i = 0; i < v->metric_count && rows < ROWS_MOST; i++)
            if (are_all || is_shown_first(v, &v->metrics[i]) == (first != 0)) {
                write_row(to, v, &v->metrics[i]);
                rows++;
            }
    if (rows < v->metric_count)
        fprintf(to, "\nand %s.\n", text_counted(v->metric_count - rows, "more metric"));
    fputc('\n', to);
}

static void write_frame(FILE *to, const struct verdict_frame *f)
{
    bool inside;
    _cleanup_free_ char *path = f->file && f->line ? wording_path(f, &inside) : NULL;
    _cleanup_free_ char *place = path ? format_text("%s:%" PRIu32, path, f->line) : NULL;

    write_code(to, f->function);
    if (place || *f->module) {
        fputs(place ? ", " : " in ", to);
        write_code(to, place ? place : f->module);
    }
    fputc('\n', to);
}

static void write_culprit(FILE *to, const struct verdict_metric *m, const struct verdict_culprit *c)
{
    _cleanup_free_ char *change = wording_culprit_change(m, c);

    fprintf(to, "1. **%s** in ", change);
    for (size_t i = 0; i < c->frame_count && i < FRAMES_MOST; i++) {
        fputs(i ? c->frames[i].is_apart ? "   - … from " : "   - from " : "", to);
        write_frame(to, &c->frames[i]);
    }
    if (c->frame_count > FRAMES_MOST)
        fprintf(to, "   - and %s\n", text_counted(c->frame_count - FRAMES_MOST, "more frame"));
}

static void write_section(FILE *to, const struct verdict *v, const struct verdict_metric *m)
{
    _cleanup_free_ char *sentence = wording_sentence(v, m);
    const struct verdict_problem *problem = wording_problem(v, m->name);

    fputs("#### ", to);
    write_code(to, m->name);
    fprintf(to, ": %s\n\n", verdict_state_name(m->state));
    write_prose(to, sentence);
    fputs("\n\n", to);
    if (problem) {
        write_prose(to, problem->text);
        fputs("\n\n", to);
    }
    const size_t shown = wording_culprits_shown(m);
    for (size_t i = 0; i < shown; i++)
        write_culprit(to, m, &m->culprits[i]);
    uint64_t more = m->culprit_count - shown + m->culprits_left_out;
    if (more)
        fprintf(to, "\nand %s with smaller changes.\n", text_counted(more, "more stack"));
    _cleanup_free_ char *offset = wording_offset(m);
    if (offset)
        fprintf(to, "\n%s.\n", offset);
    fputc('\n', to);
}

static void write_conditions(FILE *to, const struct verdict *v)
{
    const struct {
        const char *before, *text;
    } conditions[] = {
        { " within ", v->within }, { " from the mark ", v->mark }, { " without modules ", v->exclude_modules },
        { "; baseline ", v->baseline_file }, { "; budget ", v->budget_file }, { "; ", v->platform },
    };

    write_code(to, *v->program ? v->program : v->log_count ? v->logs[0] : "unknown program");
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++)
        if (conditions[i].text && *conditions[i].text) {
            fputs(conditions[i].before, to);
            write_code(to, conditions[i].text);
        }
    if (v->metric_count)
        fprintf(to, "; the least of %s", text_counted(v->runs, v->log_count ? "log" : "run"));
    fputs(".\n\n", to);
}

static void write_paragraph(FILE *to, const char *before, const char *text, const char *after)
{
    fputs(before, to);
    write_prose(to, text);
    fprintf(to, "%s\n\n", after);
}

static void write_all(FILE *to, const struct verdict *v)
{
    _cleanup_free_ char *headline = wording_headline(v);
    size_t sections = 0, left_out = 0;

    fprintf(to, "### %s\n\n", headline);
    write_conditions(to, v);
    for (size_t i = 0; i < v->problem_count && i < ROWS_MOST; i++)
        if (!v->problems[i].metric)
            write_paragraph(to, "> ", v->problems[i].text, "");
    write_table(to, v);
    for (size_t i = 0; i < v->metric_count; i++)
        if (v->metrics[i].state == VERDICT_IS_WITHIN && v->metrics[i].reason && sections++ < SECTIONS_MOST)
            write_section(to, v, &v->metrics[i]);
    sections = 0;
    for (int bad = 1; bad >= 0; bad--) /* then what is better */
        for (size_t i = 0; i < v->metric_count; i++) {
            if (!is_shown_first(v, &v->metrics[i]) || is_judged_against(v, &v->metrics[i]) != (bad != 0))
                continue;
            if (sections++ < SECTIONS_MOST && ftell(to) < BYTES_MOST)
                write_section(to, v, &v->metrics[i]);
            else
                left_out++;
        }
    if (left_out)
        fprintf(to, "What accounts for %s is left out.\n\n", text_counted(left_out, "more metric"));
    for (size_t i = 0; i < v->note_count && i < ROWS_MOST; i++)
        write_paragraph(to, "Note: ", v->notes[i], "");
    if (*v->trust)
        write_paragraph(to, "<sub>", v->trust, "</sub>");
}

void check_write_markdown(FILE *to, const struct verdict *v)
{
    _cleanup_free_ char *text = NULL;
    size_t bytes;
    FILE *memory = open_memstream(&text, &bytes); /* whose length is known as it grows */

    if (!memory)
        return;
    write_all(memory, v);
    fclose(memory);
    fwrite(text, 1, bytes, to);
}
