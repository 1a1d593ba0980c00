#include "analyze/symbols/symbols.h"

#include "analyze/symbols/symtab.h"
#include "analyze/util.h"

#include <string.h>

struct module {
    char *path;
    uint8_t *build_id;
    size_t build_id_bytes;
    struct symtab *symtab;
    bool opened;
};

struct place {
    uint32_t module;
    uint64_t address;
    struct symbols_frame frame;
};

struct symbols {
    struct module *modules;
    size_t module_count, module_capacity;
    struct place *places;
    size_t place_count, place_capacity, resolved;
};

struct symbols *symbols_new(const struct symbols_options *options)
{
    (void)options;
    return alloc_zeroed(1, sizeof(struct symbols));
}

void symbols_free(struct symbols *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->module_count; i++) {
        symtab_free(s->modules[i].symtab);
        free(s->modules[i].path);
        free(s->modules[i].build_id);
    }
    free(s->modules);
    free(s->places);
    free(s);
}

uint32_t symbols_module(struct symbols *s, const char *path, const void *build_id, size_t build_id_bytes)
{
    s->modules = grow(s->modules, &s->module_capacity, s->module_count + 1, sizeof *s->modules);
    s->modules[s->module_count] = (struct module){ copy_text(path, strlen(path)), (uint8_t *)copy_text(build_id, build_id_bytes),
                                                   build_id_bytes, NULL, false };
    return (uint32_t)s->module_count++;
}

uint32_t symbols_jit(struct symbols *s, uint32_t pid, uint64_t began_ns)
{
    (void)pid;
    (void)began_ns;
    return symbols_module(s, "", "", 0);
}

uint32_t symbols_want(struct symbols *s, uint32_t module, uint64_t address)
{
    s->places = grow(s->places, &s->place_capacity, s->place_count + 1, sizeof *s->places);
    s->places[s->place_count] = (struct place){ .module = module, .address = address };
    return (uint32_t)s->place_count++;
}

void symbols_resolve(struct symbols *s)
{
    for (; s->resolved < s->place_count; s->resolved++) {
        struct place *place = &s->places[s->resolved];
        struct module *m = &s->modules[place->module];
        uint64_t offset;
        if (!m->opened)
            m->symtab = symtab_open(m->path, m->build_id, m->build_id_bytes);
        m->opened = true;
        place->frame.function = place->frame.signature = symtab_find(m->symtab, place->address, &offset);
    }
}

size_t symbols_frames(const struct symbols *s, uint32_t place, const struct symbols_frame **ret_frames)
{
    *ret_frames = &s->places[place].frame;
    return s->places[place].frame.function != NULL;
}

const char *symbols_problem(const struct symbols *s, uint32_t module)
{
    (void)s;
    (void)module;
    return NULL;
}
