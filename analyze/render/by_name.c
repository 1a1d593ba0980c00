/* Leaves of each log's stacks -> rows that all logs share. Names are numbered by their texts,
 * rows by the numbers of their names. */
#include "analyze/render/by_name.h"

#include "analyze/hash.h"
#include "analyze/render/frames.h"
#include "analyze/render/text.h"

#include <inttypes.h>
#include <string.h>

/* What one log's locations are in the table. */
struct adding {
    struct by_name *b;
    const struct by_name_source *source;
    struct names {
        uint32_t *of; /* frames, the innermost first; NULL: not asked yet */
        size_t count;
        size_t site;  /* the first that does not only pass allocations on; count: all do */
    } *names; /* by location */
    size_t capacity;
    uint32_t *path;
    size_t path_count, path_capacity;
};

static const char *base_name(const char *path)
{
    return *path ? text_base_name(path) : path;
}

/* --- names ------------------------------------------------------------------------- */

static bool is_same_frame(const struct by_name *b, const struct by_name_frame *x, const struct by_name_frame *y)
{
    return strcmp(x->function, y->function) == 0 && strcmp(x->module, y->module) == 0 &&
           (!b->options.lines || (x->line == y->line && strcmp(x->source, y->source) == 0));
}

static uint64_t hash_frame(const struct by_name *b, const struct by_name_frame *frame)
{
    uint64_t hash = hash_add_text(hash_add_text(0, frame->function), frame->module);
    return b->options.lines ? hash_add_text(hash_add(hash, frame->line), frame->source) : hash;
}

static char *copied(const char *text)
{
    return copy_text(text, strlen(text));
}

static uint32_t frame_number(struct by_name *b, const struct by_name_frame *frame)
{
    uint64_t hash = hash_frame(b, frame);
    struct hash_search s = hash_table_search(&b->frame_table, hash);

    while (hash_table_next(&b->frame_table, &s))
        if (is_same_frame(b, &b->frames[s.number], frame))
            return s.number;
    b->frames = grow(b->frames, &b->frame_capacity, b->frame_count + 1, sizeof *b->frames);
    b->frames[b->frame_count] = (struct by_name_frame){ copied(frame->module), copied(frame->function), copied(frame->source),
                                                        frame->path ? copied(frame->path) : NULL, frame->line, frame->is_named };
    hash_table_add(&b->frame_table, hash, (uint32_t)b->frame_count);
    return (uint32_t)b->frame_count++;
}

static const char *module_name(const struct by_name *b, const char *path)
{
    const char *name = base_name(path);

    return b->renamed && strcmp(name, b->renamed) == 0 ? b->program : name;
}

static uint32_t frame_of(const struct adding *a, uint32_t location, const struct symbols_frame *name)
{
    const struct code *code = &a->source->facts->told.code;
    const struct code_location *place = &code->locations[location];
    const char *module = module_name(a->b, code->files[place->file].path);
    char unnamed[300] = "(no file)";

    if (name && name->function)
        return frame_number(a->b, &(struct by_name_frame){
            .module = (char *)module, .function = (char *)name->function, .source = (char *)(name->file ? base_name(name->file) : ""),
            .path = (char *)name->file, .line = name->line, .is_named = true });
    if (!location)
        strcpy(unnamed, "(no stack)");
    else if (place->file)
        snprintf(unnamed, sizeof unnamed, "%.250s+0x%" PRIx64, module, place->address);
    return frame_number(a->b, &(struct by_name_frame){ .module = (char *)module, .function = unnamed, .source = (char *)"" });
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
            names->of[i] = frame_of(a, location, count ? &frames[i] : NULL);
        if (count && !frames_site(frames, count, &names->site))
            names->site = count;
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

static struct by_name_row *row_of(struct by_name *b, const uint32_t *frames, size_t count)
{
    size_t key_bytes = key_count(b, count) * sizeof *frames;
    uint64_t hash = hash_add_bytes(0, frames, key_bytes);
    struct hash_search s = hash_table_search(&b->row_table, hash);

    while (hash_table_next(&b->row_table, &s)) {
        struct by_name_row *row = &b->rows[s.number];
        if (key_count(b, row->frame_count) * sizeof *frames == key_bytes && memcmp(row->frames, frames, key_bytes) == 0)
            return row;
    }
    b->rows = grow(b->rows, &b->row_capacity, b->row_count + 1, sizeof *b->rows);
    struct by_name_row *row = &b->rows[b->row_count];
    *row = (struct by_name_row){ .frame_count = count, .frames = alloc_zeroed(count, sizeof *frames) };
    memcpy(row->frames, frames, count * sizeof *frames);
    hash_table_add(&b->row_table, hash, (uint32_t)b->row_count++);
    return row;
}

static void find_path(struct adding *a, uint32_t leaf)
{
    struct facts *f = a->source->facts;
    const struct stacks *s = &f->told.stacks;
    uint32_t at = s->leaves[leaf].node;
    bool is_site = !a->b->options.stacks, passes_on = is_site;

    a->path_count = 0;
    for (bool none = stack_is_root(s, at); none || !stack_is_root(s, at); none = false, at = s->nodes[at].parent) {
        uint32_t location = none ? 0 : code_location(&f->told.code, s->nodes[at].pc);
        const struct names *names = names_of(a, location);
        size_t from = passes_on ? names->site : 0;
        if (from == names->count) { /* all of them only pass it on */
            if (!none && !stack_is_root(s, s->nodes[at].parent))
                continue;
            from = names->count - 1;
        }
        passes_on = false;
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
    struct by_name_row *row = row_of(a->b, a->path, a->path_count);
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
        free(row->frames);
        row->frame_count = a->path_count;
        row->frames = alloc_zeroed(a->path_count, sizeof *row->frames);
        memcpy(row->frames, a->path, a->path_count * sizeof *row->frames);
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
        b->program = copied(name);
        return;
    }
    free(b->renamed);
    b->renamed = NULL;
    if (side && strcmp(name, b->program) != 0 && !has_module(f, b->program) && !knows_module(b, name))
        b->renamed = copied(name);
}

void by_name_init(struct by_name *b, const struct by_name_options *options)
{
    *b = (struct by_name){ .options = *options };
}

void by_name_add(struct by_name *b, const struct by_name_source *source)
{
    struct adding a = { .b = b, .source = source };
    struct facts *f = source->facts;

    name_program(b, f, source->side);
    code_locate_all(&f->told.code);
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
        free(b->frames[i].source);
        free(b->frames[i].path);
    }
    for (size_t i = 0; i < b->row_count; i++)
        free(b->rows[i].frames);
    free(b->frames);
    free(b->rows);
    hash_table_release(&b->frame_table);
    hash_table_release(&b->row_table);
    free(b->program);
    free(b->renamed);
    *b = (struct by_name){ 0 };
}
