/* The verdict as GitHub's workflow commands: an annotation for each place in the source that
 * accounts for something, and one without a place for what has none. GitHub shows ten of a kind
 * for a step, so several metrics that one line made worse are one annotation. */
#include "analyze/check/outputs.h"
#include "analyze/check/wording.h"

#include "analyze/render/text.h"

#include <inttypes.h>
#include <string.h>

#define SHOWN_MOST 10 /* of a level */
#define FRAMES_MOST 9

enum level {
    LEVEL_ERROR,
    LEVEL_NOTICE,
    LEVELS,
};

struct annotation {
    enum level level;
    char *path;    /* NULL: no place */
    uint32_t line;
    char *title, *message;
    const struct verdict_metric *last; /* that has added to it */
    const struct verdict_culprit *stack; /* of what was added last; to be written once for all that have the same */
};

struct annotations {
    struct annotation *list;
    size_t count, capacity;
};

/* "OLD<between>MORE"; frees the old one. */
static char *joined(char *old, const char *between, const char *more)
{
    char *text = old && *old ? format_text("%s%s%s", old, between, more) : format_text("%s", more);
    free(old);
    return text;
}

/* The one of this level at this place, made where there is none yet; without a place, the one of
 * this metric. Owns the path from here on. */
static struct annotation *at_place(struct annotations *all, enum level level, char *path, uint32_t line, const struct verdict_metric *m)
{
    for (size_t i = 0; i < all->count; i++) {
        struct annotation *a = &all->list[i];
        if (a->level != level)
            continue;
        if (path ? a->path && a->line == line && strcmp(a->path, path) == 0 : m && !a->path && a->last == m) {
            free(path);
            return a;
        }
    }
    all->list = grow(all->list, &all->capacity, all->count + 1, sizeof *all->list);
    struct annotation *a = &all->list[all->count++];
    *a = (struct annotation){ .level = level, .path = path, .line = line };
    return a;
}

static void add_message(struct annotation *a, const char *indent, const char *text)
{
    _cleanup_free_ char *line = format_text("%s%s", indent, text);
    a->message = joined(a->message, "\n", line);
}

static void add_without_place(struct annotations *all, enum level level, const char *title, const char *text)
{
    struct annotation *a = at_place(all, level, NULL, 0, NULL);

    a->title = joined(NULL, "", title);
    a->message = text_safe_utf8(text, 1000);
}

static bool is_same_stack(const struct verdict_culprit *a, const struct verdict_culprit *b)
{
    bool is_same = a->frame_count == b->frame_count;

    for (size_t i = 0; is_same && i < a->frame_count; i++)
        is_same = strcmp(a->frames[i].function, b->frames[i].function) == 0 && a->frames[i].line == b->frames[i].line;
    return is_same;
}

static void end_stack(struct annotation *a)
{
    const struct verdict_culprit *c = a->stack;

    for (size_t i = 0; c && i < c->frame_count && i < FRAMES_MOST; i++) {
        _cleanup_free_ char *frame = wording_frame(&c->frames[i]);
        add_message(a, i ? c->frames[i].is_apart ? "  ... from " : "      from " : "    in ", frame);
    }
    a->stack = NULL;
}

/* Where a culprit is; path NULL: nowhere. */
struct spot {
    char *path;
    uint32_t line;
};

static struct spot *find_spots(const struct verdict_metric *m)
{
    struct spot *spots = alloc_zeroed(m->culprit_count + 1, sizeof *spots);

    for (size_t i = 0; i < m->culprit_count; i++) {
        bool inside;
        const struct verdict_frame *place = wording_place(&m->culprits[i]);
        spots[i] = (struct spot){ place ? wording_path(place, &inside) : NULL, place ? place->line : 0 };
    }
    return spots;
}

/* What the stacks that lead to one place come to. */
static int64_t change_at(const struct verdict_metric *m, const struct spot *spots, const struct annotation *a)
{
    int64_t sum = 0;

    for (size_t i = 0; i < m->culprit_count; i++)
        if (spots[i].path ? a->path && spots[i].line == a->line && strcmp(spots[i].path, a->path) == 0 : !a->path)
            sum += m->culprits[i].change;
    return sum;
}

/* problem: what the metric's says, in the place of its figures; NULL: they say it. */
static void add_culprit(struct annotations *all, const struct verdict *v, enum level level, const struct verdict_metric *m,
                        const struct spot *spots, size_t number, const struct verdict_problem *problem)
{
    const struct verdict_culprit *c = &m->culprits[number];
    const struct spot *spot = &spots[number];
    struct annotation *a = at_place(all, level, spot->path ? copy_text(spot->path, strlen(spot->path)) : NULL, spot->line, m);
    _cleanup_free_ char *name = text_safe_utf8(m->name, WORDING_NAME_MOST), *change = wording_culprit_change(m, c);

    if (a->last != m) { /* what the metric is in all, once */
        _cleanup_free_ char *sentence = wording_sentence(v, m);
        _cleanup_free_ char *line = problem ? text_safe_utf8(problem->text, 1000) : format_text("%s: %s", name, sentence);
        int64_t here = change_at(m, spots, a);
        bool is_hidden = (m->state == VERDICT_IS_REGRESSION && here <= 0) || (m->state == VERDICT_IS_IMPROVEMENT && here >= 0); /* by what differs */
        const char *by = m->state == VERDICT_IS_UNSTABLE ? "unstable" : is_hidden ? wording_change(m->change)
                         : c->has_before ? wording_change(here) : text_count((uint64_t)here);
        _cleanup_free_ char *title = format_text("%s %s%s", name, by, is_hidden ? " in all" : "");
        a->title = joined(a->title, ", ", title);
        if (a->stack && !is_same_stack(a->stack, c))
            end_stack(a);
        add_message(a, "", line);
        a->last = m;
    }
    if (a->stack && !is_same_stack(a->stack, c))
        end_stack(a);
    add_message(a, a->path ? "  here " : "  ", change);
    a->stack = c;
}

static void add_metric(struct annotations *all, const struct verdict *v, const struct verdict_metric *m)
{
    enum wording_outcome outcome = wording_outcome(v, m);
    const struct verdict_problem *problem = wording_problem(v, m->name);
    bool is_error = outcome == WORDING_FAILED || outcome == WORDING_REFUSED;

    if (!is_error && m->state != VERDICT_IS_IMPROVEMENT)
        return;
    _cleanup_free_ struct spot *spots = find_spots(m);
    for (size_t i = 0; i < m->culprit_count; i++)
        add_culprit(all, v, is_error ? LEVEL_ERROR : LEVEL_NOTICE, m, spots, i, i ? NULL : problem);
    for (size_t i = 0; i < m->culprit_count; i++)
        free(spots[i].path);
    if (!m->culprit_count) {
        _cleanup_free_ char *name = text_safe_utf8(m->name, WORDING_NAME_MOST), *sentence = wording_sentence(v, m);
        _cleanup_free_ char *title = format_text("%s: %s", name, verdict_state_name(m->state));
        add_without_place(all, is_error ? LEVEL_ERROR : LEVEL_NOTICE, title, problem ? problem->text : sentence);
    }
}

/* What a runner gives a meaning of its own: in all, and of a property also what ends it. */
static void write_escaped(FILE *to, const char *text, bool is_property)
{
    for (const char *at = text; *at; at++)
        if (*at == '%' || *at == '\r' || *at == '\n' || (is_property && (*at == ':' || *at == ',')))
            fprintf(to, "%%%02X", (unsigned char)*at);
        else
            fputc(*at, to);
}

static void write_annotation(FILE *to, const struct annotation *a)
{
    fputs(a->level == LEVEL_ERROR ? "::error " : "::notice ", to);
    if (a->path) {
        fputs("file=", to);
        write_escaped(to, a->path, true);
        fprintf(to, ",line=%" PRIu32 ",", a->line);
    }
    fputs("title=", to);
    _cleanup_free_ char *title = text_safe_utf8(a->title, WORDING_NAME_MOST);
    write_escaped(to, title, true);
    fputs("::", to);
    write_escaped(to, a->message, false);
    fputc('\n', to);
}

static void write_level(FILE *to, const struct annotations *all, enum level level)
{
    size_t count = 0, shown = 0;

    for (size_t i = 0; i < all->count; i++)
        count += all->list[i].level == level;
    size_t most = count > SHOWN_MOST ? SHOWN_MOST - 1 : count;
    for (size_t i = 0; i < all->count && shown < most; i++)
        if (all->list[i].level == level) {
            write_annotation(to, &all->list[i]);
            shown++;
        }
    if (most < count) /* the tenth says so */
        fprintf(to, "::%s title=malloscope check::and %s: the step's summary and --json have them\n", level == LEVEL_ERROR ? "error" : "notice",
                text_counted(count - most, "more place"));
}

void check_write_github(FILE *to, const struct verdict *v)
{
    struct annotations all = { 0 };

    for (size_t i = 0; i < v->problem_count; i++)
        if (!v->problems[i].metric) {
            _cleanup_free_ char *title = format_text("malloscope check: %s", verdict_problem_name(v->problems[i].kind));
            add_without_place(&all, LEVEL_ERROR, title, v->problems[i].text);
        }
    for (size_t i = 0; i < v->note_count; i++) /* of a limit that may hide something, before improvements */
        add_without_place(&all, LEVEL_NOTICE, "malloscope check: note", v->notes[i]);
    for (size_t i = 0; i < v->metric_count; i++)
        add_metric(&all, v, &v->metrics[i]);
    for (size_t i = 0; i < all.count; i++)
        end_stack(&all.list[i]);
    for (enum level level = 0; level < LEVELS; level++)
        write_level(to, &all, level);
    for (size_t i = 0; i < all.count; i++) {
        free(all.list[i].path);
        free(all.list[i].title);
        free(all.list[i].message);
    }
    free(all.list);
}
