#include "analyze/model/code.h"

#include "format/checksum.h"

#include <string.h>

struct module {
    uint32_t file; /* 0: not announced */
    uint64_t bias;
};

struct pc {
    uint64_t pc;
    uint32_t module;
    uint32_t location; /* 0: not asked for yet */
    bool exact;
};

struct code_process {
    struct module *modules; /* by number */
    size_t module_capacity, module_count;
    struct pc *pcs; /* by number */
    size_t pc_capacity, pc_count;
};

/* Numbers are given one after another, from 1: one that is far ahead of how many
 * were announced is damage, and no reason for gigabytes of memory. */
static bool is_plausible(uint32_t number, size_t announced)
{
    return number < 65536 + 16 * announced;
}

void code_init(struct code *c, size_t process_count)
{
    *c = (struct code){ .process_count = process_count };
    c->processes = alloc_zeroed(process_count, sizeof *c->processes);
    c->files = grow(NULL, &c->file_capacity, 1, sizeof *c->files);
    c->files[c->file_count++].path = copy_text("", 0);
    c->locations = grow(NULL, &c->location_capacity, 1, sizeof *c->locations);
    c->location_count = 1;
}

void code_release(struct code *c)
{
    for (size_t i = 0; i < c->file_count; i++)
        free(c->files[i].path);
    for (size_t i = 0; i < c->process_count; i++) {
        free(c->processes[i].modules);
        free(c->processes[i].pcs);
    }
    free(c->files);
    free(c->file_table);
    free(c->locations);
    free(c->table);
    free(c->processes);
    *c = (struct code){ 0 };
}

static uint32_t *file_place(const struct code *c, const char *path, size_t path_bytes, const void *build_id, size_t id_bytes)
{
    size_t at = (size_t)(checksum(path, path_bytes) ^ checksum(build_id, id_bytes) * 31) & (c->file_table_capacity - 1);

    for (; c->file_table[at]; at = (at + 1) & (c->file_table_capacity - 1)) {
        const struct code_file *file = &c->files[c->file_table[at]];
        if (file->build_id_bytes == id_bytes && memcmp(file->build_id, build_id, id_bytes) == 0 &&
            strlen(file->path) == path_bytes && memcmp(file->path, path, path_bytes) == 0)
            break;
    }
    return &c->file_table[at];
}

static void grow_file_table(struct code *c)
{
    c->file_table_capacity = c->file_table_capacity ? c->file_table_capacity * 2 : 64;
    free(c->file_table);
    c->file_table = alloc_zeroed(c->file_table_capacity, sizeof *c->file_table);
    for (uint32_t i = 1; i < c->file_count; i++) {
        const struct code_file *file = &c->files[i];
        *file_place(c, file->path, strlen(file->path), file->build_id, file->build_id_bytes) = i;
    }
}

static uint32_t file_of(struct code *c, struct text path, struct text build_id)
{
    size_t id_bytes = build_id.bytes > sizeof c->files->build_id ? sizeof c->files->build_id : build_id.bytes;

    path.bytes = strnlen(path.data, path.bytes);
    if (c->file_count * 2 >= c->file_table_capacity)
        grow_file_table(c);
    uint32_t *place = file_place(c, path.data, path.bytes, build_id.data, id_bytes);
    if (*place)
        return *place;
    *place = (uint32_t)c->file_count;
    c->files = grow(c->files, &c->file_capacity, c->file_count + 1, sizeof *c->files);
    struct code_file *file = &c->files[c->file_count];
    file->path = copy_text(path.data, path.bytes);
    file->build_id_bytes = id_bytes;
    memcpy(file->build_id, build_id.data, id_bytes);
    return (uint32_t)c->file_count++;
}

static bool is_same(const struct code_location *a, const struct code_location *b)
{
    return a->file == b->file && a->address == b->address && a->process == b->process && a->exact == b->exact;
}

static uint32_t *place_of(const struct code *c, const struct code_location *location)
{
    uint64_t key = (location->address ^ (uint64_t)location->file << 48 ^ (uint64_t)location->exact << 47 ^
                    (uint64_t)location->process << 32) *
                   0x9e3779b97f4a7c15ull;
    size_t at = (size_t)(key >> 28) & (c->table_capacity - 1);

    while (c->table[at] && !is_same(&c->locations[c->table[at]], location))
        at = (at + 1) & (c->table_capacity - 1);
    return &c->table[at];
}

static uint32_t location_of(struct code *c, const struct code_location *location)
{
    if (c->location_count * 2 >= c->table_capacity) {
        c->table_capacity = c->table_capacity ? c->table_capacity * 2 : 4096;
        free(c->table);
        c->table = alloc_zeroed(c->table_capacity, sizeof *c->table);
        for (uint32_t i = 1; i < c->location_count; i++)
            *place_of(c, &c->locations[i]) = i;
    }
    uint32_t *place = place_of(c, location);
    if (!*place) {
        c->locations = grow(c->locations, &c->location_capacity, c->location_count + 1, sizeof *c->locations);
        c->locations[c->location_count] = *location;
        *place = (uint32_t)c->location_count++;
    }
    return *place;
}

void code_take(struct code *c, uint32_t process, const struct event *event)
{
    struct code_process *p = &c->processes[process];

    if (event->other == REC_MODULE_LOAD && is_plausible(event->module.id, p->module_count++)) {
        p->modules = grow(p->modules, &p->module_capacity, event->module.id + 1, sizeof *p->modules);
        p->modules[event->module.id] = (struct module){
            .file = file_of(c, event->module.path, event->module.build_id),
            .bias = event->module.bias,
        };
    } else if (event->other == REC_PC && is_plausible(event->pc.id, p->pc_count++)) {
        p->pcs = grow(p->pcs, &p->pc_capacity, event->pc.id + 1, sizeof *p->pcs);
        p->pcs[event->pc.id] = (struct pc){ .pc = event->pc.pc, .module = event->pc.module, .exact = event->pc.exact };
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

uint32_t code_location(struct code *c, uint32_t process, uint32_t number)
{
    const struct code_process *p = &c->processes[process];

    if (number >= p->pc_capacity || !p->pcs[number].pc)
        return 0;
    struct pc *pc = &p->pcs[number];
    if (!pc->location) {
        struct module module = { 0 };
        if (pc->module < p->module_capacity)
            module = p->modules[pc->module];
        pc->location = location_of(c, &(struct code_location){ module.file, pc->pc - module.bias,
                                                               module.file ? 0 : process, pc->exact });
    }
    return pc->location;
}

void code_locate_all(struct code *c)
{
    for (uint32_t process = 0; process < c->process_count; process++)
        for (size_t number = 0; number < c->processes[process].pc_capacity; number++)
            code_location(c, process, (uint32_t)number);
}
