/* Leaves of each log's stacks -> rows that all logs share. Names are numbered by their texts,
 * rows by the numbers of their names. */
#include "analyze/render/by_name.h"

#include "analyze/hash.h"
#include "analyze/render/by_name_frames.h"
#include "analyze/render/frames.h"
#include "analyze/render/text.h"

#include <inttypes.h>
#include <string.h>

/* What one log's locations are in the table. */
struct adding {
    struct by_name *b;
    const struct by_name_source *source;
    struct names {
        struct step {
            uint32_t frame, line;
        } *of;        /* the innermost first; NULL: not asked yet */
        size_t count;
        size_t site;  /* frames_site()'s */
        enum site_role role;
    } *names; /* by location */
    size_t capacity;
    struct step *path;
    size_t path_count, path_capacity;
    size_t root_bytes, first_root_bytes; /* where its tree of sources is elsewhere than the first log's: both paths' lengths */
    const char *main_path;               /* begins with the first of them */
};

static const char *base_name(const char *path)
{
    return *path ? text_base_name(path) : path;
}

/* --- names ------------------------------------------------------------------------- */

static const char *module_name(const struct by_name *b, const char *path)
{
    const char *name = base_name(path);

    return b->renamed && strcmp(name, b->renamed) == 0 ? b->program : name;
}

static char *home_of(const struct adding *a, const char *path)
{
    if (!a->main_path || strncmp(path, a->main_path, a->root_bytes) != 0 || path[a->root_bytes] != '/')
        return by_name_copied(path);
    return format_text("%.*s%s", (int)a->first_root_bytes, a->b->main_path, path + a->root_bytes);
}

static uint32_t frame_of(const struct adding *a, uint32_t location, const struct symbols_frame *name, bool is_real)
{
    const struct code *code = &a->source->facts->told.code;
    const struct code_location *place = &code->locations[location];
    const char *module = module_name(a->b, code->files[place->file].path);
    _cleanup_free_ char *home = name && name->file ? home_of(a, name->file) : NULL;
    char unnamed[300] = "(no file)";

    if (name && name->function)
        return by_name_frame_number(a->b, &(struct by_name_frame){
            .module = (char *)module, .function = (char *)name->function,
            .signature = (char *)(name->signature ? name->signature : name->function),
            .source = (char *)(name->file ? base_name(name->file) : ""),
            .path = (char *)name->file, .home = home, .line = name->line, .is_named = true, .is_real = is_real });
    if (!location)
        strcpy(unnamed, "(no stack)");
    else if (place->file)
        snprintf(unnamed, sizeof unnamed, "%.250s+0x%" PRIx64, module, place->address);
    return by_name_frame_number(a->b, &(struct by_name_frame){ .module = (char *)module, .function = unnamed, .signature = unnamed,
                                                           .source = (char *)"" });
}

static const struct names *names_of(struct adding *a, uint32_t location)
{
    a->names = grow(a->names, &a->capacity, location + 1, sizeof *a->names);
    struct names *names = &a->names[location];
    if (!names->of) {
        const struct symbols_frame *frames = NULL;
        const struct namer *namer = a->source->namer;
        size_t count = location ? namer->frames(namer->data, location, &frames) : 0;
        names->count = count ? count : 1;
        names->of = alloc_zeroed(names->count, sizeof *names->of);
        for (size_t i = 0; i < names->count; i++)
            names->of[i] = (struct step){ frame_of(a, location, count ? &frames[i] : NULL, i + 1 == names->count), count ? frames[i].line : 0 };
        const struct code *code = &a->source->facts->told.code;
        enum site_role role = frames_site(frames, count, &names->site);
        names->role = frames_role_in(code->files[code->locations[location].file].path, role, count && frames[names->site].function);
    }
    return names;
}

/* --- rows ---------------------------------------------------------------------------- */

static size_t key_count(const struct by_name *b, size_t frame_count)
{
    return b->options.stacks || !frame_count ? frame_count : 1;
}

size_t by_name_key_count(const struct by_name *b, const struct by_name_row *row)
{
    return key_count(b, row->frame_count);
}

static bool is_row_of(const struct by_name *b, const struct by_name_row *row, const struct step *path, size_t keys)
{
    if (key_count(b, row->frame_count) != keys)
        return false;
    for (size_t i = 0; i < keys; i++)
        if (row->frames[i] != path[i].frame)
            return false;
    return true;
}

/* The frames of a path, and their lines but for those of what the row is known by. */
static void take_path(struct by_name *b, struct by_name_row *row, unsigned side, const struct step *path, size_t count)
{
    size_t keys = key_count(b, count);
    uint32_t *frames = alloc_zeroed(count, sizeof *frames);

    for (size_t i = 0; i < count; i++)
        frames[i] = path[i].frame;
    for (unsigned s = 0; s < BY_NAME_SIDES; s++) {
        uint32_t *lines = alloc_zeroed(count, sizeof *lines);
        for (size_t i = 0; i < count; i++)
            lines[i] = i < keys ? (row->lines[s] ? row->lines[s][i] : 0) : s == side ? path[i].line : 0;
        free(row->lines[s]);
        row->lines[s] = lines;
    }
    free(row->frames);
    row->frames = frames;
    row->frame_count = count;
}

static void take_lines(const struct by_name *b, struct by_name_row *row, unsigned side, const struct step *path)
{
    bool is_first = !row->logs[side] && !row->is_pending;

    for (size_t i = 0; i < key_count(b, row->frame_count); i++) {
        uint32_t *line = &row->lines[side][i];
        *line = is_first || *line == path[i].line ? path[i].line : BY_NAME_LINE_VARIES;
    }
}

static struct by_name_row *row_of(struct by_name *b, unsigned side, const struct step *path, size_t count)
{
    size_t keys = key_count(b, count);
    uint64_t hash = hash_add(0, keys);

    for (size_t i = 0; i < keys; i++)
        hash = hash_add(hash, path[i].frame);
    struct hash_search s = hash_table_search(&b->row_table, hash);
    while (hash_table_next(&b->row_table, &s))
        if (is_row_of(b, &b->rows[s.number], path, keys))
            return &b->rows[s.number];
    b->rows = grow(b->rows, &b->row_capacity, b->row_count + 1, sizeof *b->rows);
    struct by_name_row *row = &b->rows[b->row_count];
    *row = (struct by_name_row){ 0 };
    take_path(b, row, side, path, count);
    hash_table_add(&b->row_table, hash, (uint32_t)b->row_count++);
    return row;
}

/* The node at which the site of a stack is. */
static uint32_t find_site(struct adding *a, uint32_t node)
{
    const struct stacks *s = &a->source->facts->told.stacks;
    struct code *code = &a->source->facts->told.code;
    struct site_search search = { 0 };
    uint32_t site = node;

    for (; !stack_is_root(s, node); node = s->nodes[node].parent) {
        uint32_t location = code_location(code, s->nodes[node].pc);
        if (site_search_ends(&search, node, names_of(a, location)->role, code->locations[location].file,
                             stack_is_root(s, s->nodes[node].parent), &site))
            break;
    }
    return site;
}

static void find_path(struct adding *a, uint32_t leaf)
{
    struct facts *f = a->source->facts;
    const struct stacks *s = &f->told.stacks;
    uint32_t at = s->leaves[leaf].node;
    bool is_site = !a->b->options.stacks;

    a->path_count = 0;
    at = is_site ? find_site(a, at) : at;
    for (bool none = stack_is_root(s, at); none || !stack_is_root(s, at); none = false, at = s->nodes[at].parent) {
        uint32_t location = none ? 0 : code_location(&f->told.code, s->nodes[at].pc);
        const struct names *names = names_of(a, location);
        size_t from = is_site && !a->path_count ? names->site : 0;
        a->path = grow(a->path, &a->path_capacity, a->path_count + names->count, sizeof *a->path);
        for (size_t i = from; i < names->count; i++)
            a->path[a->path_count++] = names->of[i];
        if (none || (is_site && a->path_count > BY_NAME_CALLERS))
            break;
    }
    if (is_site && a->path_count > 1 + BY_NAME_CALLERS)
        a->path_count = 1 + BY_NAME_CALLERS;
}

/* Sums of the five costs, and of two numbers of calls and blocks, are all that a row is for. */
static void add_costs(struct stack_costs *sum, const struct stack_costs *c)
{
    sum->allocations += c->allocations;
    sum->bytes += c->bytes;
    sum->peak_bytes += c->peak_bytes;
    sum->leaked_bytes += c->leaked_bytes;
    sum->leaked_blocks += c->leaked_blocks;
    sum->temporary += c->temporary;
}

static bool is_realloc(const struct stack_leaf *leaf)
{
    return leaf->function == REC_FN_REALLOC || leaf->function == REC_FN_REALLOCARRAY;
}

static void add_leaf(struct adding *a, uint32_t leaf)
{
    const struct stack_costs *costs = &a->source->facts->costs.of[leaf];

    find_path(a, leaf);
    struct by_name_row *row = row_of(a->b, a->source->side, a->path, a->path_count);
    take_lines(a->b, row, a->source->side, a->path);
    if (!row->is_pending) {
        row->pending = (struct stack_costs){ 0 };
        row->pending_reallocations = 0;
        row->is_pending = true;
    }
    add_costs(&row->pending, costs);
    if (is_realloc(&a->source->facts->told.stacks.leaves[leaf]))
        row->pending_reallocations += costs->allocations;
    if (costs->bytes > row->heaviest_bytes) {
        row->heaviest_bytes = costs->bytes;
        take_path(a->b, row, a->source->side, a->path, a->path_count);
    }
}

/* Only now are they numbers of their own: rounded in each stack, they would not add up. */
static void end_adding(struct by_name *b, const struct by_name_source *source)
{
    for (size_t i = 0; i < b->row_count; i++) {
        struct by_name_row *row = &b->rows[i];
        if (!row->is_pending)
            continue;
        for (enum cost cost = 0; cost < COST_COUNT; cost++)
            row->costs[source->side][cost] += settings_rounded(&source->facts->settings, cost_of(&row->pending, cost));
        row->leaked_blocks[source->side] += settings_rounded(&source->facts->settings, row->pending.leaked_blocks);
        row->reallocations[source->side] += settings_rounded(&source->facts->settings, row->pending_reallocations);
        row->logs[source->side]++;
        row->is_pending = false;
        row->heaviest_bytes = 0;
    }
}

/* --- programs ------------------------------------------------------------------------ */

static bool has_module(const struct facts *f, const char *name)
{
    for (size_t i = 1; i < f->told.code.file_count; i++)
        if (strcmp(base_name(f->told.code.files[i].path), name) == 0)
            return true;
    return false;
}

static bool knows_module(const struct by_name *b, const char *name)
{
    for (size_t i = 0; i < b->frame_count; i++)
        if (strcmp(b->frames[i].module, name) == 0)
            return true;
    return false;
}

/* Two builds of one program, on two sides, may have two names: where neither log has the other's, they are one. */
static void name_program(struct by_name *b, const struct facts *f, unsigned side)
{
    const struct told_process *first = f->by_start_count ? f->processes[f->by_start[0]].told : NULL;
    const char *name = first && first->exe ? base_name(first->exe) : "";

    if (!*name)
        return;
    if (!b->program) {
        b->program = by_name_copied(name);
        return;
    }
    free(b->renamed);
    b->renamed = NULL;
    if (side && strcmp(name, b->program) != 0 && !has_module(f, b->program) && !knows_module(b, name))
        b->renamed = by_name_copied(name);
}

static const char *find_main(const struct adding *a)
{
    const struct code *code = &a->source->facts->told.code;
    const struct symbols_frame *frames;

    for (uint32_t i = 1; i < code->location_count; i++) {
        if (!a->b->program || strcmp(module_name(a->b, code->files[code->locations[i].file].path), a->b->program) != 0)
            continue;
        size_t count = a->source->namer->frames(a->source->namer->data, i, &frames);
        for (size_t k = 0; k < count; k++)
            if (frames[k].function && frames[k].file && strcmp(frames[k].function, "main") == 0)
                return frames[k].file;
    }
    return NULL;
}

/* Where main is in both tells where the trees are: /old/src/x.c and /new/src/x.c are in /old and /new. */
static void find_root(struct adding *a)
{
    const char *path = find_main(a), *first = a->b->main_path;

    if (!path)
        return;
    if (!first) {
        a->b->main_path = by_name_copied(path);
        return;
    }
    size_t bytes = strlen(path), first_bytes = strlen(first);
    for (size_t same = 0; same < bytes && same < first_bytes && path[bytes - 1 - same] == first[first_bytes - 1 - same]; same++)
        if (path[bytes - 1 - same] == '/') {
            a->root_bytes = bytes - 1 - same;
            a->first_root_bytes = first_bytes - 1 - same;
            a->main_path = path;
        }
}

void by_name_init(struct by_name *b, const struct by_name_options *options)
{
    *b = (struct by_name){ .options = *options };
}

void by_name_add(struct by_name *b, const struct by_name_source *source)
{
    struct adding a = { .b = b, .source = source };
    struct facts *f = source->facts;

    b->log_count++;
    b->side = source->side;
    name_program(b, f, source->side);
    code_locate_all(&f->told.code);
    find_root(&a);
    for (uint32_t leaf = 0; leaf < f->told.stacks.leaf_count; leaf++)
        if (f->costs.of[leaf].allocations && (!source->wanted || source->wanted(source->wanted_data, leaf)))
            add_leaf(&a, leaf);
    end_adding(b, source);
    for (size_t i = 0; i < a.capacity; i++)
        free(a.names[i].of);
    free(a.names);
    free(a.path);
}

void by_name_release(struct by_name *b)
{
    for (size_t i = 0; i < b->frame_count; i++) {
        free(b->frames[i].module);
        free(b->frames[i].function);
        free(b->frames[i].signature);
        free(b->frames[i].source);
        free(b->frames[i].path);
        free(b->frames[i].old_path);
        free(b->frames[i].home);
    }
    for (size_t i = 0; i < b->row_count; i++) {
        free(b->rows[i].frames);
        for (unsigned side = 0; side < BY_NAME_SIDES; side++)
            free(b->rows[i].lines[side]);
    }
    free(b->frames);
    free(b->rows);
    hash_table_release(&b->frame_table);
    hash_table_release(&b->row_table);
    hash_table_release(&b->name_table);
    hash_table_release(&b->signature_table);
    free(b->program);
    free(b->main_path);
    free(b->renamed);
    *b = (struct by_name){ 0 };
}
