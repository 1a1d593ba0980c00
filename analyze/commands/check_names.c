#include "analyze/commands/check_names.h"

#include "analyze/check/passing.h"
#include "analyze/render/frames.h"
#include "analyze/render/text.h"

#include <string.h>

void check_logs_want_name(struct check_logs *c, const char *name, bool is_module)
{
    for (size_t i = 0; i < c->asked_count; i++)
        if (c->asked[i].is_module == is_module && strcmp(c->asked[i].name, name) == 0)
            return;
    c->asked = grow(c->asked, &c->asked_capacity, c->asked_count + 1, sizeof *c->asked);
    c->asked[c->asked_count++] = (struct symbols_asked){ copy_text(name, strlen(name)), is_module, 0 };
}

/* A function that is limited, and in no stack, is still none of those without names if some module has it among its symbols. */
static void look_for_limited(struct check_logs *c, const struct facts *f, const struct naming *naming)
{
    const struct told_process *first = f->by_start_count ? f->processes[f->by_start[0]].told : NULL;
    struct measured *m = &c->measured;

    for (size_t i = 0; i < c->limits->count; i++) {
        const struct metric_id *id = &c->limits->of[i].id;
        const struct verdict_metric metric = { .kind = id->kind, .scope = id->scope, .scope_name = id->scope_name };
        if (id->scope != VERDICT_SITE || !judge_hidden(m, &metric, m->run_count - 1))
            continue;
        bool in_program = first && first->exe && symbols_define(naming_symbols(naming), text_base_name(first->exe), id->scope_name);
        if (in_program || symbols_define(naming_symbols(naming), NULL, id->scope_name))
            measured_know(m, id->scope_name, in_program);
    }
}

static bool passes_on(const char *function, const char *source)
{
    return passing_role(&(struct passing){ function, function, "", source, true, false }) == SITE_PASSES_ON;
}

/* "push_back" of "std::vector<int, std::allocator<int> >::push_back". */
static const char *last_part(const char *function)
{
    const char *part = function;
    int depth = 0;

    for (const char *at = function; *at; at++) {
        depth += (*at == '<') - (*at == '>');
        if (!depth && at[0] == ':' && at[1] == ':')
            part = at + 2;
    }
    return part;
}

/* Of C++'s library by parts of their names: most of it asks for nothing as its last act. What fopen and its like ask for is the C library's own in
 * any case, and never their caller's. */
static bool asks(const char *function, const char *source)
{
    static const char *const parts[] = { "alloc", "_M_create", "_M_insert", "_M_default_append", "_M_append", "_M_mutate", "_M_replace", "_M_assign",
                                         "emplace", "push_", "reserve", "resize", "insert", "append", "assign", "operator+", "operator=",
                                         "make_shared", "make_unique", "to_string" };

    if (!passes_on(function, source) || strncmp(function, "operator delete", 15) == 0)
        return false;
    if (!strstr(function, "::") || strncmp(function, "alloc::", 7) == 0 || strncmp(function, "<alloc::", 8) == 0)
        return true;
    const char *part = last_part(function);
    bool is_other = strstr(part, "dealloc") || strstr(function, "ostream") || *part == '~' || strncmp(part, "operator==", 10) == 0 ||
                    strstr(function, "operator<") || strstr(function, "operator>");
    for (size_t i = 0; i < sizeof parts / sizeof *parts && !is_other; i++)
        if (strstr(part, parts[i]))
            return true;
    return false;
}

static bool is_module(const void *program, const char *file_name, const char *name)
{
    return judge_is_module(file_name, strcmp(file_name, program) == 0, name);
}

/* Once for each program: it takes time. */
static void ask_for_names(struct check_logs *c, const struct facts *f, struct naming *naming)
{
    const struct told_process *first = f->by_start_count ? f->processes[f->by_start[0]].told : NULL;
    const char *program = first && first->exe ? first->exe : "";

    if (c->asked_of && strcmp(c->asked_of, program) == 0)
        return;
    free(c->asked_of);
    c->asked_of = copy_text(program, strlen(program));
    symbols_ask(naming_symbols_of_all(naming), &(struct symbols_asking){ passes_on, asks, is_module, frames_is_runtime, text_base_name(c->asked_of) },
                c->asked, c->asked_count);
}

void check_names_look_up(struct check_logs *c, const struct facts *f, struct naming *naming)
{
    look_for_limited(c, f, naming);
    ask_for_names(c, f, naming);
}
