/* Modules and places, each found by a hash. What becomes of them is in resolve.c. */
#include "analyze/symbols/symbols_inside.h"

#include "analyze/hash.h"
#include "analyze/symbols/cache.h"
#include "analyze/util.h"

#include <string.h>

struct symbols *symbols_new(const struct symbols_options *options)
{
    struct symbols *s = alloc_zeroed(1, sizeof *s);

    if (options)
        s->options = *options;
    if (!s->options.no_cache)
        s->cache = cache_directory();
    if (!s->options.jobs)
        s->options.jobs = usable_cores(16);
    return s;
}

void symbols_free(struct symbols *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->module_count; i++) {
        free(s->modules[i].path);
        free(s->modules[i].cached);
        module_files_release(&s->modules[i].files);
    }
    texts_release(&s->texts);
    free(s->cache);
    free(s->modules);
    hash_table_release(&s->module_table);
    free(s->places);
    hash_table_release(&s->place_table);
    free(s->frames);
    free(s);
}

static bool is_same_module(const struct module *a, const struct module *b)
{
    return a->is_jit == b->is_jit && a->pid == b->pid && a->began_ns == b->began_ns &&
           a->build_id_bytes == b->build_id_bytes && memcmp(a->build_id, b->build_id, a->build_id_bytes) == 0 &&
           strcmp(a->path, b->path) == 0;
}

static uint64_t hash_module(const struct module *m)
{
    uint64_t hash = hash_add_bytes(hash_add_text(0, m->path), m->build_id, m->build_id_bytes);
    return hash_add(hash_add(hash, m->began_ns), (uint64_t)m->pid << 1 | m->is_jit);
}

uint32_t symbols_find_module(const struct symbols *s, const struct module *wanted)
{
    struct hash_search search = hash_table_search(&s->module_table, hash_module(wanted));

    while (hash_table_next(&s->module_table, &search))
        if (is_same_module(&s->modules[search.number], wanted))
            return search.number;
    return UINT32_MAX;
}

static uint32_t add_module(struct symbols *s, const struct module *wanted)
{
    uint32_t known = symbols_find_module(s, wanted);

    if (known != UINT32_MAX)
        return known;
    s->modules = grow(s->modules, &s->module_capacity, s->module_count + 1, sizeof *s->modules);
    struct module *m = &s->modules[s->module_count];
    *m = *wanted;
    m->path = copy_text(wanted->path, strlen(wanted->path));
    hash_table_add(&s->module_table, hash_module(wanted), (uint32_t)s->module_count);
    return (uint32_t)s->module_count++;
}

struct module symbols_file_module(const char *path, const void *build_id, size_t build_id_bytes)
{
    struct module m = { .path = (char *)path, .build_id_bytes = build_id_bytes };

    if (m.build_id_bytes > sizeof m.build_id)
        m.build_id_bytes = sizeof m.build_id;
    if (m.build_id_bytes)
        memcpy(m.build_id, build_id, m.build_id_bytes);
    return m;
}

struct module symbols_jit_module(uint32_t pid, uint64_t began_ns, char path[SYMBOLS_MAP_PATH_BYTES])
{
    snprintf(path, SYMBOLS_MAP_PATH_BYTES, "/tmp/perf-%u.map", pid);
    return (struct module){ .path = path, .pid = pid, .began_ns = began_ns, .is_jit = true };
}

uint32_t symbols_module(struct symbols *s, const char *path, const void *build_id, size_t build_id_bytes, uint64_t loaded_ns)
{
    struct module wanted = symbols_file_module(path, build_id, build_id_bytes);
    wanted.loaded_ns = loaded_ns;
    return add_module(s, &wanted);
}

uint32_t symbols_jit(struct symbols *s, uint32_t pid, uint64_t began_ns)
{
    char path[SYMBOLS_MAP_PATH_BYTES];
    struct module wanted = symbols_jit_module(pid, began_ns, path);
    return add_module(s, &wanted);
}

size_t symbols_module_count(const struct symbols *s)
{
    return s->module_count;
}

const char *symbols_path(const struct symbols *s, uint32_t module)
{
    return s->modules[module].path;
}

static uint64_t hash_place(uint32_t module, uint64_t address)
{
    return hash_add(hash_add(0, module), address);
}

uint32_t symbols_find_place(const struct symbols *s, uint32_t module, uint64_t address)
{
    struct hash_search search = hash_table_search(&s->place_table, hash_place(module, address));

    while (hash_table_next(&s->place_table, &search)) {
        const struct place *p = &s->places[search.number];
        if (p->module == module && p->address == address)
            return search.number;
    }
    return UINT32_MAX;
}

uint32_t symbols_want(struct symbols *s, uint32_t module, uint64_t address)
{
    uint32_t known = symbols_find_place(s, module, address);

    if (known != UINT32_MAX)
        return known;
    s->places = grow(s->places, &s->place_capacity, s->place_count + 1, sizeof *s->places);
    s->places[s->place_count] = (struct place){ .address = address, .module = module };
    hash_table_add(&s->place_table, hash_place(module, address), (uint32_t)s->place_count);
    s->unresolved++;
    return (uint32_t)s->place_count++;
}

size_t symbols_frames(const struct symbols *s, uint32_t place, const struct symbols_frame **ret_frames)
{
    const struct place *p = &s->places[place];

    *ret_frames = p->count ? &s->frames[p->first] : NULL;
    return p->count;
}

const char *symbols_problem(const struct symbols *s, uint32_t module)
{
    return s->modules[module].problem;
}

bool symbols_lacks_debug_file(const struct symbols *s, uint32_t module)
{
    const struct module *m = &s->modules[module];
    return m->files.stripped && m->nameless && !m->problem && !s->interrupted;
}

bool symbols_were_interrupted(const struct symbols *s)
{
    return s->interrupted;
}

int symbols_by_module(const void *left, const void *right, void *data)
{
    const struct symbols *s = data;
    const struct place *a = &s->places[*(const uint32_t *)left], *b = &s->places[*(const uint32_t *)right];

    if (a->module != b->module)
        return a->module < b->module ? -1 : 1;
    return a->address < b->address ? -1 : a->address > b->address;
}

void symbols_add_frame(struct symbols *s, const struct symbols_frame *frame)
{
    s->frames = grow(s->frames, &s->frame_capacity, s->frame_count + 1, sizeof *s->frames);
    struct symbols_frame *f = &s->frames[s->frame_count++];
    *f = *frame;
    if (!f->signature)
        f->signature = f->function;
}
