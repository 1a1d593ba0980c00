#include "analyze/model/code.h"

#include "analyze/hash.h"

#include <string.h>

struct module {
    uint32_t file; /* 0: not announced */
    uint64_t bias;
};

struct pc {
    uint64_t pc;
    uint32_t number; /* of its module; is_located: of its location */
    bool exact, is_located;
};

void code_init(struct code *c)
{
    *c = (struct code){ .modules.element_bytes = sizeof(struct module), .pcs.element_bytes = sizeof(struct pc) };
    c->files = grow(NULL, &c->file_capacity, 1, sizeof *c->files);
    c->files[c->file_count++].path = copy_text("", 0);
    c->locations = grow(NULL, &c->location_capacity, 1, sizeof *c->locations);
    c->location_count = 1;
}

void code_release(struct code *c)
{
    for (size_t i = 0; i < c->file_count; i++)
        free(c->files[i].path);
    free(c->files);
    hash_table_release(&c->file_table);
    free(c->locations);
    hash_table_release(&c->location_table);
    numbered_release(&c->modules);
    numbered_release(&c->pcs);
    *c = (struct code){ 0 };
}

static bool is_file(const struct code_file *file, struct text path, struct text build_id)
{
    return file->build_id_bytes == build_id.bytes && memcmp(file->build_id, build_id.data, build_id.bytes) == 0 &&
           strlen(file->path) == path.bytes && memcmp(file->path, path.data, path.bytes) == 0;
}

/* No system has longer paths, but a chunk that unpacks from some hundred bytes may have one of a megabyte: of such
 * a one the beginning is kept, and that it was longer shows. */
#define PATH_BYTES_MOST 8192
#define CUT_MARK "..."

static uint32_t file_of(struct code *c, struct text path, struct text build_id)
{
    char cut[PATH_BYTES_MOST];

    path.bytes = strnlen(path.data, path.bytes);
    if (path.bytes > PATH_BYTES_MOST) {
        memcpy(cut, path.data, sizeof cut);
        memcpy(cut + sizeof cut - strlen(CUT_MARK), CUT_MARK, strlen(CUT_MARK));
        path = (struct text){ cut, sizeof cut };
    }
    if (build_id.bytes > sizeof c->files->build_id)
        build_id.bytes = sizeof c->files->build_id;
    uint64_t hash = hash_add_bytes(hash_add_bytes(0, path.data, path.bytes), build_id.data, build_id.bytes);
    struct hash_search s = hash_table_search(&c->file_table, hash);
    while (hash_table_next(&c->file_table, &s))
        if (is_file(&c->files[s.number], path, build_id))
            return s.number;
    c->files = grow(c->files, &c->file_capacity, c->file_count + 1, sizeof *c->files);
    struct code_file *file = &c->files[c->file_count];
    file->path = copy_text(path.data, path.bytes);
    file->build_id_bytes = build_id.bytes;
    memcpy(file->build_id, build_id.data, build_id.bytes);
    hash_table_add(&c->file_table, hash, (uint32_t)c->file_count);
    return (uint32_t)c->file_count++;
}

static bool is_same(const struct code_location *a, const struct code_location *b)
{
    return a->file == b->file && a->address == b->address && a->process == b->process && a->exact == b->exact;
}

static uint64_t hash_of(const struct code_location *l)
{
    return hash_add(hash_add(hash_add(0, l->file), l->address), (uint64_t)l->process << 1 | l->exact);
}

static uint32_t location_of(struct code *c, const struct code_location *location)
{
    uint64_t hash = hash_of(location);
    struct hash_search s = hash_table_search(&c->location_table, hash);

    while (hash_table_next(&c->location_table, &s))
        if (is_same(&c->locations[s.number], location))
            return s.number;
    c->locations = grow(c->locations, &c->location_capacity, c->location_count + 1, sizeof *c->locations);
    c->locations[c->location_count] = *location;
    hash_table_add(&c->location_table, hash, (uint32_t)c->location_count);
    return (uint32_t)c->location_count++;
}

void code_take(struct code *c, uint32_t process, const struct event *event)
{
    if (event->other == REC_MODULE_LOAD) {
        struct module *module = numbered_make(&c->modules, process, event->module.id);
        *module = (struct module){ .file = file_of(c, event->module.path, event->module.build_id), .bias = event->module.bias };
    } else if (event->other == REC_PC) {
        struct pc *pc = numbered_make(&c->pcs, process, event->pc.id);
        *pc = (struct pc){ .pc = event->pc.pc, .number = event->pc.module, .exact = event->pc.exact };
    }
}

bool code_read(struct code *c, const struct log *log, bool (*goes_on)(void *data, double progress), void *data)
{
    _cleanup_free_ struct decoder *decoder = alloc_zeroed(1, sizeof *decoder);
    _cleanup_free_ uint8_t *buffer = alloc_zeroed(1, REC_CHUNK_PAYLOAD_MAX);
    struct event e;

    for (size_t i = 0; i < log->chunk_count; i++) {
        const struct log_chunk *chunk = &log->chunks[i];
        if (goes_on && !goes_on(data, (double)i / (double)log->chunk_count))
            return false;
        if (chunk->stream == UINT32_MAX || !chunk->payload_bytes || log_load(log, chunk, buffer) != 0)
            continue;
        decoder_begin(decoder, buffer, chunk->payload_bytes, chunk->ticks);
        while (decoder_next(decoder, &e) == 1)
            if (e.type == EVENT_OTHER)
                code_take(c, chunk->process, &e);
    }
    return true;
}

bool code_is_announced(const struct code *c, uint32_t process, uint32_t number)
{
    const struct pc *pc = numbered_find(&c->pcs, process, number);
    return pc && pc->pc;
}

uint32_t code_location(struct code *c, uint32_t process, uint32_t number)
{
    struct pc *pc = numbered_find(&c->pcs, process, number);

    if (!pc || !pc->pc)
        return 0;
    if (!pc->is_located) {
        const struct module *known = numbered_find(&c->modules, process, pc->number);
        struct module module = known ? *known : (struct module){ 0 };
        if (pc->pc - module.bias > INT64_MAX) /* before the module: whoever wrote this, it is not in there */
            module = (struct module){ 0 };
        pc->number = location_of(c, &(struct code_location){ module.file, pc->pc - module.bias,
                                                             module.file ? 0 : process, pc->exact });
        pc->is_located = true;
    }
    return pc->number;
}

static void locate(void *data, uint32_t process, uint32_t number)
{
    code_location(data, process, number);
}

int code_compare_files(const struct code *c, uint32_t left, uint32_t right)
{
    const struct code_file *a = &c->files[left], *b = &c->files[right];
    int paths = left == right ? 0 : strcmp(a->path, b->path);
    size_t bytes = a->build_id_bytes < b->build_id_bytes ? a->build_id_bytes : b->build_id_bytes;
    int ids = paths || left == right ? paths : memcmp(a->build_id, b->build_id, bytes);

    return ids ? ids : (a->build_id_bytes > b->build_id_bytes) - (a->build_id_bytes < b->build_id_bytes);
}

static int by_place(const void *left, const void *right, void *data)
{
    const struct code *c = data;
    const struct code_location *a = &c->locations[*(const uint32_t *)left], *b = &c->locations[*(const uint32_t *)right];
    int files = code_compare_files(c, a->file, b->file);

    if (files)
        return files;
    if (a->address != b->address)
        return a->address < b->address ? -1 : 1;
    return a->process != b->process ? (a->process < b->process ? -1 : 1) : a->exact - b->exact;
}

struct renumbering {
    struct code *code;
    const uint32_t *now; /* by number before */
};

static void renumber(void *data, uint32_t process, uint32_t number)
{
    struct renumbering *r = data;
    struct pc *pc = numbered_find(&r->code->pcs, process, number);

    if (pc && pc->is_located)
        pc->number = r->now[pc->number];
}

void code_locate_all(struct code *c)
{
    bool is_in_use = c->location_count > 1;

    numbered_each(&c->pcs, locate, c);
    if (is_in_use)
        return;
    _cleanup_free_ uint32_t *order = alloc_zeroed(c->location_count, sizeof *order), *now = alloc_zeroed(c->location_count, sizeof *now);
    struct code_location *ordered = alloc_zeroed(c->location_count, sizeof *ordered);
    for (uint32_t i = 0; i < c->location_count; i++)
        order[i] = i;
    qsort_r(order + 1, c->location_count - 1, sizeof *order, by_place, c); /* 0 is the unknown one */
    hash_table_release(&c->location_table);
    for (uint32_t i = 0; i < c->location_count; i++) {
        now[order[i]] = i;
        ordered[i] = c->locations[order[i]];
        if (i)
            hash_table_add(&c->location_table, hash_of(&ordered[i]), i);
    }
    free(c->locations);
    c->locations = ordered;
    c->location_capacity = c->location_count;
    numbered_each(&c->pcs, renumber, &(struct renumbering){ c, now });
}
