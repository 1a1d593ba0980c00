/* Which frames of a stack are its site's, and by which names it is known. */
#include "analyze/check/site_frames.h"

#include "analyze/check/frame_name.h"
#include "analyze/check/passing.h"
#include "analyze/render/frames.h"
#include "analyze/render/text.h"

#include <inttypes.h>
#include <string.h>

char *measured_module_name(const char *file_name)
{
    const char *ending = strstr(file_name, ".so.");
    return copy_text(file_name, ending ? (size_t)(ending + 3 - file_name) : strlen(file_name));
}

static char *safe_copy(const char *text) /* as it would come back from a file of JSON */
{
    json_t *json = text_json(text);
    char *copy = copy_text(json_string_value(json), json_string_length(json));
    json_decref(json);
    return copy;
}

static struct passing passing_of(const struct by_name_frame *f)
{
    return (struct passing){ f->is_named ? f->function : NULL, f->signature, f->module, f->path, f->is_real, false };
}

static bool is_rust(struct site_namer *a, const char *module)
{
    if (a->module && strcmp(a->module, module) == 0)
        return a->is_rust;
    a->module = module;
    a->is_rust = false;
    for (size_t i = 0; i < a->table.frame_count && !a->is_rust; i++) {
        const struct passing p = passing_of(&a->table.frames[i]);
        a->is_rust = strcmp(p.module, module) == 0 && passing_shows_rust(&p);
    }
    return a->is_rust;
}

static struct passing passing_in(struct site_namer *a, uint32_t frame)
{
    struct passing p = passing_of(&a->table.frames[frame]);

    p.is_rust = p.function && !p.source && is_rust(a, p.module);
    return p;
}

static enum site_role role_of(struct site_namer *a, uint32_t frame)
{
    if (!a->roles[frame]) {
        const struct passing p = passing_in(a, frame);
        a->roles[frame] = (uint8_t)(1 + passing_role(&p));
    }
    return (enum site_role)(a->roles[frame] - 1);
}

/* A function that the program's author wrote. */
static bool is_authors(struct site_namer *a, uint32_t frame)
{
    const struct passing p = passing_in(a, frame);
    return site_is_own_module(&a->table, p.module) && !passing_is_runtimes(&p);
}

/* The number of its module, among those of the row. */
static uint32_t module_number(const struct by_name *b, const struct by_name_row *row, uint32_t at)
{
    uint32_t first = 0;

    while (strcmp(b->frames[row->frames[first]].module, b->frames[row->frames[at]].module) != 0)
        first++;
    return first;
}

static uint32_t find_site(struct site_namer *a, const struct by_name_row *row)
{
    struct site_search search = { 0 };
    uint32_t site = 0;

    for (uint32_t i = 0; i < row->frame_count; i++)
        if (site_search_ends(&search, i, role_of(a, row->frames[i]), module_number(&a->table, row, i), i + 1 == row->frame_count, &site))
            break;
    return site;
}

bool site_is_own_module(const struct by_name *b, const char *module)
{
    return b->program && strcmp(module, b->program) == 0;
}

static bool has_line(const struct by_name_frame *f)
{
    return f->path && f->line;
}

static bool is_one(const struct by_name_frame *a, const struct by_name_frame *b)
{
    return strcmp(a->function, b->function) == 0 && strcmp(a->module, b->module) == 0;
}

/* Whether the function of a row's frame is among the first so many of the site's. */
static bool is_among(const struct by_name *b, const struct by_name_row *row, const struct site_frames *frames, size_t count, uint32_t at)
{
    for (size_t i = 0; i < count; i++)
        if (is_one(&b->frames[row->frames[frames->at[i]]], &b->frames[row->frames[at]]))
            return true;
    return false;
}

/* Each way through a recursion would be a place of its own: there may be thousands, and none says more than that it calls itself. */
static bool is_again(const struct by_name *b, const struct by_name_row *row, const struct site_frames *frames, size_t number)
{
    return is_among(b, row, frames, number, frames->at[number]);
}

/* What is outside of main is another C library's on another machine. Of a library that is deep the lines inside of it say
 * nothing to who calls it: the program's own functions further out are what tells two callers apart. Templates are the library's, too. */
void site_frames_find(struct site_namer *a, const struct by_name_row *row, struct site_frames *ret)
{
    const struct by_name *b = &a->table;
    size_t own = 0;
    uint32_t first = find_site(a, row), at = first;
    bool any_line = false, ends = false;

    *ret = (struct site_frames){ .count = 0 };
    for (; at < row->frame_count && !ends && (ret->count < MEASURED_DEPTH || own < MEASURED_OWN); at++) {
        const struct by_name_frame *f = &b->frames[row->frames[at]];
        bool is_own = is_authors(a, row->frames[at]);
        if (at > first && frames_is_start(f->function))
            break;
        bool is_new = is_own && !is_among(b, row, ret, ret->count, at);
        if (ret->count >= MEASURED_DEPTH && !is_new)
            continue;
        ret->at[ret->count++] = at;
        own += is_new;
        any_line |= has_line(f);
        ends = strcmp(f->function, "main") == 0;
    }
    ret->key_count = ret->count;
    for (; at < row->frame_count && !any_line && !ends && !frames_is_start(b->frames[row->frames[at]].function); at++)
        if (has_line(&b->frames[row->frames[at]])) {
            ret->at[ret->count++] = at;
            any_line = true;
        }
}

char *site_function_name(const struct by_name_frame *f)
{
    char *function = safe_copy(f->is_named ? f->function : *f->module ? MEASURED_NO_NAME : f->function);

    for (char *at = function; (at = strchr(at, '\n'));)
        *at = ' ';
    return function;
}

char *site_module_name(const struct by_name_frame *f)
{
    _cleanup_free_ char *module = measured_module_name(f->module);
    return safe_copy(module);
}

/* "json_parse", "png_read (libpng16.so)", "?? (libpng16.so)". */
static void write_name(FILE *to, const struct by_name *b, const struct by_name_frame *f)
{
    bool is_own = site_is_own_module(b, f->module);
    _cleanup_free_ char *function = site_function_name(f), *module = site_module_name(f);

    frame_name_write(to, function, is_own ? "" : module);
    fputc('\n', to);
}

void site_frames_key(const struct by_name *b, const struct by_name_row *row, const struct site_frames *frames, char **ret_key, char **ret_lines)
{
    size_t bytes;
    FILE *key = open_memstream(ret_key, &bytes);
    FILE *lines = open_memstream(ret_lines, &bytes);

    if (!key || !lines)
        abort(); /* there is no memory */
    for (size_t i = 0; i < frames->count; i++) {
        const struct by_name_frame *f = &b->frames[row->frames[frames->at[i]]];
        if (i < frames->key_count)
            write_name(key, b, f);
        fprintf(lines, "%s%" PRIu32, i ? " " : "", is_again(b, row, frames, i) ? 0 : f->line);
    }
    fclose(key);
    fclose(lines);
}

struct verdict_frame *site_frames_copy(const struct by_name *b, const struct by_name_row *row, const struct site_frames *of)
{
    struct verdict_frame *frames = alloc_zeroed(of->count, sizeof *frames);

    for (size_t i = 0; i < of->count; i++) {
        const struct by_name_frame *f = &b->frames[row->frames[of->at[i]]];
        bool has_place = f->path && !is_again(b, row, of, i);
        frames[i] = (struct verdict_frame){ copy_text(f->function, strlen(f->function)), copy_text(f->module, strlen(f->module)),
                                            has_place ? copy_text(f->path, strlen(f->path)) : NULL, has_place ? f->line : 0,
                                            i && of->at[i] > of->at[i - 1] + 1 };
    }
    return frames;
}

void site_namer_begin(struct site_namer *n)
{
    by_name_init(&n->table, &(struct by_name_options){ .stacks = true, .lines = true });
    n->roles = NULL;
    n->module = NULL;
}

void site_namer_add(struct site_namer *n, const struct by_name_source *source)
{
    by_name_add(&n->table, source);
    n->roles = alloc_zeroed(n->table.frame_count + 1, sizeof *n->roles);
}

void site_namer_release(struct site_namer *n)
{
    by_name_release(&n->table);
    free(n->roles);
}
