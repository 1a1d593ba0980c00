/* A verdict -> text. Texts from outside are made safe: they may hold what moves a cursor. */
#include "analyze/check/table.h"

#include "analyze/check/wording.h"
#include "analyze/render/text.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define FIGURE 11 /* columns of a number, behind two of space */

/* +1,234 or -1,234; good for the next printf only. */
static const char *signed_count(int64_t change)
{
    static char text[2][40];
    static unsigned at;
    char *it = text[at++ % 2];

    snprintf(it, sizeof text[0], "%s%s", change < 0 ? "-" : change > 0 ? "+" : "", text_count(change < 0 ? 0 - (uint64_t)change : (uint64_t)change));
    return it;
}

/* --- rows ------------------------------------------------------------------------------ */

struct columns {
    int name;
    bool baseline, spread, limit;
};

static struct columns find_columns(const struct verdict *v)
{
    struct columns c = { .name = (int)strlen("metric") };

    for (size_t i = 0; i < v->metric_count; i++) {
        const struct verdict_metric *m = &v->metrics[i];
        int length = (int)strlen(m->name);
        c.name = length > c.name ? length : c.name;
        c.baseline |= m->has_baseline;
        c.spread |= m->spread || m->baseline_spread;
        c.limit |= m->has_limit;
    }
    c.name = c.name < 60 ? c.name : 60;
    return c;
}

static void print_heading(FILE *to, const struct columns *c)
{
    fprintf(to, "  %-*s", c->name, "metric");
    if (c->baseline)
        fprintf(to, "  %*s", FIGURE, "baseline");
    fprintf(to, "  %*s", FIGURE, "now");
    if (c->baseline)
        fprintf(to, "  %*s", FIGURE, "change");
    if (c->spread)
        fprintf(to, "  %*s", FIGURE, "spread");
    if (c->limit)
        fprintf(to, "  %*s", FIGURE, "at most");
    fputc('\n', to);
}

static void print_state(FILE *to, const struct verdict_metric *m)
{
    if ((m->state == VERDICT_IS_WITHIN && !m->reason) || (m->state == VERDICT_IS_NEW && !m->has_limit))
        return;
    fprintf(to, "  %s", verdict_state_name(m->state));
    if (m->state == VERDICT_IS_REGRESSION && m->limit_from != VERDICT_FROM_BASELINE)
        fprintf(to, " (%s)", verdict_source_name(m->limit_from));
}

static void print_row(FILE *to, const struct columns *c, const struct verdict_metric *m)
{
    bool is_known = m->state != VERDICT_IS_NOT_MEASURED;
    size_t length = strlen(m->name);

    fputs("  ", to);
    text_write_safe(to, m->name);
    fprintf(to, "%*s", (int)length < c->name ? c->name - (int)length : 0, "");
    if (c->baseline)
        fprintf(to, "  %*s", FIGURE, m->has_baseline ? text_count(m->baseline) : "-");
    fprintf(to, "  %*s", FIGURE, is_known ? text_count(m->value) : "-");
    if (c->baseline)
        fprintf(to, "  %*s", FIGURE, m->has_baseline ? signed_count(m->change) : "-");
    if (c->spread)
        fprintf(to, "  %*s", FIGURE, is_known ? text_count(m->spread) : "-");
    if (c->limit)
        fprintf(to, "  %*s", FIGURE, m->has_limit ? text_count(m->limit) : "-");
    print_state(to, m);
    fputc('\n', to);
}

/* As it is typed here. */
static const char *short_path(const char *file)
{
    char here[PATH_MAX];
    size_t length = getcwd(here, sizeof here) ? strlen(here) : 0;

    return length > 1 && strncmp(file, here, length) == 0 && file[length] == '/' ? file + length + 1 : file;
}

/* --- culprits ---------------------------------------------------------------------------- */

static void print_frame(FILE *to, const struct verdict_frame *f)
{
    text_write_safe(to, f->function);
    if (f->file) {
        fputs("  ", to);
        text_write_safe(to, short_path(f->file));
        if (f->line)
            fprintf(to, ":%" PRIu32, f->line);
    } else if (*f->module && !strchr(f->function, '+')) {
        fputs("  ", to);
        text_write_safe(to, f->module);
    }
    fputc('\n', to);
}

static void print_culprit(FILE *to, const struct verdict_culprit *c, const struct verdict_metric *m)
{
    const char *told = c->is_gone ? ", gone" : c->is_line_gone ? ", a line that is gone" : c->is_new ? ", new" : "";

    _cleanup_free_ char *differs = c->spread ? format_text(", differs by %s from run to run", text_count(c->spread)) : copy_text("", 0);

    if (m->state == VERDICT_IS_UNSTABLE)
        fprintf(to, "    %s to %s  ", text_count(c->before), wording_value(m, c->now));
    else if (c->has_before && (m->state == VERDICT_IS_REGRESSION ? c->change <= 0 : c->change >= 0)) /* by its least; it differs */
        fprintf(to, "    %s -> %s%s  ", text_count(c->before), wording_value(m, c->now), differs);
    else if (c->has_before)
        fprintf(to, "    %s%s (%s -> %s%s%s)  ", c->change < 0 ? "-" : "+", wording_value(m, c->change < 0 ? 0 - (uint64_t)c->change : (uint64_t)c->change),
                text_count(c->before), text_count(c->now), told, differs);
    else
        fprintf(to, "    %s%s  ", wording_value(m, c->now), differs);
    print_frame(to, &c->frames[0]);
    for (size_t i = 1; i < c->frame_count; i++) {
        fputs(c->frames[i].is_apart ? "    ... from  " : "        from  ", to);
        print_frame(to, &c->frames[i]);
    }
}

static void print_culprits(FILE *to, const struct verdict_metric *m)
{
    fputc('\n', to);
    text_write_safe(to, m->name);
    fprintf(to, ": %s: ", verdict_state_name(m->state));
    text_write_safe(to, m->reason ? m->reason : "");
    fputc('\n', to);
    const size_t shown = wording_culprits_shown(m);
    for (size_t i = 0; i < shown; i++)
        print_culprit(to, &m->culprits[i], m);
    const size_t more = m->culprit_count - shown + m->culprits_left_out;
    if (more)
        fprintf(to, "    ... and %s\n", text_counted(more, "smaller one"));
    _cleanup_free_ char *offset = wording_offset(m);
    if (offset)
        fprintf(to, "    %s\n", offset);
}

/* --- all --------------------------------------------------------------------------------- */

static void print_head(FILE *to, const struct verdict *v)
{
    fputs("check: ", to);
    text_write_safe(to, *v->program ? v->program : "(unknown program)");
    if (v->log_count)
        fprintf(to, ": %s", text_counted(v->log_count, "log"));
    else
        fprintf(to, ": %s", text_counted(v->runs, "run"));
    fprintf(to, ", ");
    text_write_safe(to, v->platform);
    if (v->baseline_file) {
        fputs(", baseline ", to);
        text_write_safe(to, v->baseline_file);
    }
    if (v->within) {
        fputs(", within ", to);
        text_write_safe(to, v->within);
    }
    if (v->mark) {
        fputs(", from the mark ", to);
        text_write_safe(to, v->mark);
    }
    if (v->exclude_modules) {
        fputs(", without modules ", to);
        text_write_safe(to, v->exclude_modules);
    }
    fputc('\n', to);
}

static void print_sum(FILE *to, const struct verdict *v)
{
    uint64_t counts[VERDICT_STATES] = { 0 };

    for (size_t i = 0; i < v->metric_count; i++)
        counts[v->metrics[i].state]++;
    fputc('\n', to);
    if (v->exit_code == VERDICT_EXIT_NOT_MEASURABLE)
        fputs("Not measurable.\n", to);
    else if (counts[VERDICT_IS_REGRESSION])
        fprintf(to, "%s%s.\n", text_counted(counts[VERDICT_IS_REGRESSION], "regression"),
                v->baseline_saved ? "; the baseline is saved all the same" : "");
    else if (counts[VERDICT_IS_IMPROVEMENT] && !v->baseline_saved)
        fprintf(to, "%s: --update makes the baseline anew, so that they are kept.\n", text_counted(counts[VERDICT_IS_IMPROVEMENT], "improvement"));
    else
        fputs(v->baseline_saved ? "Saved.\n" : "Within limits.\n", to);
}

void table_print(FILE *to, const struct verdict *v)
{
    struct columns c = find_columns(v);

    print_head(to, v);
    if (v->metric_count) {
        fputc('\n', to);
        print_heading(to, &c);
    }
    for (size_t i = 0; i < v->metric_count; i++)
        print_row(to, &c, &v->metrics[i]);
    for (size_t i = 0; i < v->metric_count; i++)
        if (v->metrics[i].state == VERDICT_IS_REGRESSION || v->metrics[i].state == VERDICT_IS_IMPROVEMENT ||
            v->metrics[i].state == VERDICT_IS_UNSTABLE || (v->metrics[i].state == VERDICT_IS_WITHIN && v->metrics[i].reason))
            print_culprits(to, &v->metrics[i]);
    print_sum(to, v);
    for (size_t i = 0; i < v->note_count; i++) {
        fputs("Note: ", to);
        text_write_safe(to, v->notes[i]);
        fputc('\n', to);
    }
    if (v->trust && *v->trust)
        fprintf(to, "%s\n", v->trust);
}
