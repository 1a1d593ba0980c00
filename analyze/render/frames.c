#include "analyze/render/frames.h"

#include "analyze/render/identity.h"
#include "analyze/render/short_names.h"
#include "analyze/render/text.h"

#include <inttypes.h>
#include <string.h>

#define PERIOD_MOST 8 /* functions that call each other in turn */

enum site_role frames_site(const struct symbols_frame *names, size_t count, size_t *ret_index)
{
    enum site_role role = SITE_ASKS;

    *ret_index = 0;
    for (size_t i = 0; i < count; i++) {
        *ret_index = i;
        role = frames_role(&names[i], i + 1 == count);
        if (site_role_asks(role))
            break;
    }
    return role;
}

static struct frame *add_frame(struct frames *f, uint32_t location)
{
    f->of = grow(f->of, &f->capacity, f->count + 1, sizeof *f->of);
    f->of[f->count] = (struct frame){ .location = location, .turns = 1, .period = 1 };
    return &f->of[f->count++];
}

static void add_location(struct frames *f, const struct namer *namer, uint32_t location)
{
    const struct symbols_frame *names;
    size_t count = location ? namer->frames(namer->data, location, &names) : 0;

    if (!count)
        add_frame(f, location);
    for (size_t i = 0; i < count; i++) {
        struct frame *frame = add_frame(f, location);
        frame->function = names[i].function;
        frame->signature = names[i].signature;
        frame->source = names[i].file;
        frame->line = names[i].line;
        frame->is_inlined = i + 1 < count;
        frame->role = frames_role(&names[i], !frame->is_inlined);
    }
}

static size_t site_of(const struct code *code, const struct frames *f)
{
    struct site_search search = { 0 };
    uint32_t site = 0, i = 0;

    for (bool is_found = false; !is_found; i++) {
        uint32_t file = code->locations[f->of[i].location].file;
        enum site_role role = frames_role_in(code->files[file].path, f->of[i].role, f->of[i].function);
        is_found = site_search_ends(&search, i, role, file, i + 1 == f->count, &site);
    }
    return site;
}

void frames_of(struct facts *facts, const struct namer *namer, uint32_t node, struct frames *ret_frames)
{
    const struct stacks *s = &facts->told.stacks;
    struct frames f = { 0 };

    if (stack_is_root(s, node))
        add_frame(&f, 0);
    for (; !stack_is_root(s, node); node = s->nodes[node].parent)
        add_location(&f, namer, code_location(&facts->told.code, s->nodes[node].pc));
    f.site = site_of(&facts->told.code, &f);
    *ret_frames = f;
}

void frames_release(struct frames *f)
{
    free(f->of);
    *f = (struct frames){ 0 };
}

/* --- folding ---------------------------------------------------------------------- */

static bool are_same(const struct code *code, const struct frame *a, const struct frame *b)
{
    if (!a->function || !b->function)
        return !a->function && !b->function && a->location == b->location;
    return code->locations[a->location].file == code->locations[b->location].file &&
           identity_is_same(&(struct identity){ a->function, a->signature, a->source },
                            &(struct identity){ b->function, b->signature, b->source });
}

/* A function of which a compiler has inlined one part, and left the other as a function of that name: each has its line. */
static bool are_parts(const struct frame *inner, const struct frame *outer)
{
    return inner->is_inlined != outer->is_inlined;
}

/* How often the period frames from `at` on follow each other. */
static uint32_t turns_from(const struct code *code, const struct frames *f, size_t at, size_t period)
{
    size_t same = 0;

    while (at + period + same < f->count && are_same(code, &f->of[at + same], &f->of[at + period + same]))
        same++;
    return (uint32_t)(same / period) + 1;
}

static void fold_recursion(const struct code *code, struct frames *f)
{
    size_t kept = f->site;

    for (size_t at = f->site; at < f->count;) {
        size_t period = 1;
        uint32_t turns = 1;
        for (size_t p = 1; p <= PERIOD_MOST && turns == 1; p++) {
            turns = turns_from(code, f, at, p);
            if (p == 1 && turns == 2 && are_parts(&f->of[at], &f->of[at + 1]))
                turns = 1;
            period = turns > 1 ? p : 1;
        }
        for (size_t i = 0; i < period; i++)
            f->of[kept + i] = f->of[at + i];
        f->of[kept + period - 1].turns = turns;
        f->of[kept + period - 1].period = (uint32_t)period;
        kept += period;
        at += period * turns;
    }
    f->count = kept;
}

bool frames_is_start(const char *function)
{
    static const char *const names[] = { "_start", "start_thread", "clone3", "__clone3", "clone", "__clone" };

    if (!function)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(function, names[i]) == 0)
            return true;
    return strncmp(function, "__libc_start_", 13) == 0;
}

/* Two of one name beside each other are no recursion, and must not look like one. */
static void find_overloads(struct frames *f)
{
    for (size_t i = f->site; i + 1 < f->count; i++) {
        struct frame *inner = &f->of[i], *outer = &f->of[i + 1];
        if (!inner->function || !outer->function || strcmp(inner->function, outer->function) != 0 ||
            strcmp(inner->signature, outer->signature) == 0)
            continue;
        inner->is_overload = outer->is_overload = true;
    }
}

void frames_fold(const struct code *code, struct frames *f)
{
    while (f->count > f->site + 1 && frames_is_start(f->of[f->count - 1].function))
        f->count--;
    fold_recursion(code, f);
    find_overloads(f);
}

/* --- words ------------------------------------------------------------------------ */

const char *frames_name(const struct code *code, const struct frame *frame)
{
    static char text[300];
    const struct code_location *place = &code->locations[frame->location];

    if (frame->function)
        return frame->is_overload ? frame->signature : frame->function;
    if (!frame->location)
        return "(no stack)";
    snprintf(text, sizeof text, "%.200s+0x%" PRIx64, place->file ? text_base_name(code->files[place->file].path) : "?",
             place->address);
    return text;
}

/* What follows the function: its source, else where it is in its module. */
static void place_text(const struct code *code, const struct frame *frame, char *text, size_t bytes)
{
    const struct code_location *place = &code->locations[frame->location];
    const char *end = frame->is_inlined ? " (inlined)" : "";

    *text = 0;
    if (frame->source && frame->line)
        snprintf(text, bytes, "  %s:%u%s", identity_file(frame->source), frame->line, end);
    else if (frame->source)
        snprintf(text, bytes, "  %s%s", identity_file(frame->source), end);
    else if (frame->function && place->file)
        snprintf(text, bytes, "  %s+0x%" PRIx64 "%s", text_base_name(code->files[place->file].path), place->address, end);
}

void frames_print(const struct code *code, const struct frame *frame, int columns)
{
    const char *name = frames_name(code, frame);
    char place[200];

    place_text(code, frame, place, sizeof place);
    int room = columns > text_width(place) + 24 ? columns - text_width(place) : 24;
    if (frame->function && text_width(name) > room)
        name = names_short(name);
    _cleanup_free_ char *shown = names_cut(name, (size_t)room);
    text_print_safe(shown, strlen(shown));
    text_print_safe(place, strlen(place));
}

int frames_columns(const struct code *code, const struct frame *frame)
{
    char place[200];

    place_text(code, frame, place, sizeof place);
    return text_width(frames_name(code, frame)) + text_width(place);
}

json_t *frames_json(const struct code *code, const struct frame *frame)
{
    const struct code_location *place = &code->locations[frame->location];

    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "module", text_json(code->files[place->file].path),
                     "offset", text_json_number(place->address), "function", frame->function ? text_json(frame->function) : json_null(),
                     "signature", frame->signature ? text_json(frame->signature) : json_null(),
                     "file", frame->source ? text_json(frame->source) : json_null(),
                     "line", frame->line ? json_integer(frame->line) : json_null(), "inlined", (int)frame->is_inlined);
}
