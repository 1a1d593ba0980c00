/* Names of what a verdict consists of, what is added to it, and its release. */
#include "analyze/check/verdict_make.h"

#include <stdarg.h>
#include <string.h>

const char *verdict_kind_name(enum verdict_kind kind)
{
    static const char *const names[VERDICT_KINDS] = {
        "allocations", "bytes", "peak", "leaked", "leaked_blocks", "temporary", "reallocations",
    };
    return names[kind];
}

const char *verdict_unit(enum verdict_kind kind)
{
    return verdict_is_bytes(kind) ? "bytes" : kind == VERDICT_LEAKED_BLOCKS ? "blocks" : "calls";
}

const char *verdict_state_name(enum verdict_state state)
{
    static const char *const names[VERDICT_STATES] = { "within", "regression", "improvement", "unstable", "new", "not measured" };
    return names[state];
}

const char *verdict_source_name(enum verdict_source source)
{
    static const char *const names[] = { "", "baseline", "--max", "budget" };
    return names[source];
}

const char *verdict_problem_name(enum verdict_problem_kind kind)
{
    static const char *const names[VERDICT_PROBLEM_KINDS] = {
        "not injected", "no events", "program failed", "incomplete", "no baseline", "unstable", "not found",
    };
    return names[kind];
}

const struct verdict_frame *verdict_culprit_place(const struct verdict_culprit *culprit)
{
    for (size_t i = 0; i < culprit->frame_count; i++)
        if (culprit->frames[i].file && culprit->frames[i].line)
            return &culprit->frames[i];
    return NULL;
}

static char *format_with(const char *format, va_list arguments)
{
    char *text = NULL;

    if (vasprintf(&text, format, arguments) < 0)
        abort(); /* there is no memory */
    return text;
}

void verdict_add_problem(struct verdict *v, enum verdict_problem_kind kind, const char *metric, const char *format, ...)
{
    va_list arguments;

    v->problems = reallocarray(v->problems, v->problem_count + 1, sizeof *v->problems);
    if (!v->problems)
        abort();
    va_start(arguments, format);
    v->problems[v->problem_count++] = (struct verdict_problem){ kind, metric ? copy_text(metric, strlen(metric)) : NULL,
                                                                format_with(format, arguments) };
    va_end(arguments);
}

void verdict_add_note(struct verdict *v, const char *format, ...)
{
    va_list arguments;

    v->notes = reallocarray(v->notes, v->note_count + 1, sizeof *v->notes);
    if (!v->notes)
        abort();
    va_start(arguments, format);
    v->notes[v->note_count++] = format_with(format, arguments);
    va_end(arguments);
}

static void release_culprit(struct verdict_culprit *c)
{
    for (size_t i = 0; i < c->frame_count; i++) {
        free(c->frames[i].function);
        free(c->frames[i].module);
        free(c->frames[i].file);
    }
    free(c->frames);
}

static void release_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    free(texts);
}

void verdict_release(struct verdict *v)
{
    for (size_t i = 0; i < v->metric_count; i++) {
        struct verdict_metric *m = &v->metrics[i];
        for (size_t k = 0; k < m->culprit_count; k++)
            release_culprit(&m->culprits[k]);
        free(m->culprits);
        free(m->name);
        free(m->scope_name);
        free(m->reason);
    }
    free(v->metrics);
    for (size_t i = 0; i < v->problem_count; i++) {
        free(v->problems[i].metric);
        free(v->problems[i].text);
    }
    free(v->problems);
    release_texts(v->notes, v->note_count);
    release_texts(v->logs, v->log_count);
    free(v->version);
    free(v->platform);
    free(v->program);
    free(v->baseline_file);
    free(v->budget_file);
    free(v->within);
    free(v->mark);
    free(v->exclude_modules);
    free(v->trust);
    *v = (struct verdict){ 0 };
}
