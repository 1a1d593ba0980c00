/* What symbols.h's files share: the places, and what is known of them. */
#ifndef MALLOSCOPE_SYMBOLS_SYMBOLS_INSIDE_H
#define MALLOSCOPE_SYMBOLS_SYMBOLS_INSIDE_H

#include "analyze/symbols/symbols.h"

#include "analyze/hash_table.h"
#include "analyze/symbols/find_file.h"
#include "analyze/symbols/texts.h"

#include <string.h>

struct module {
    char *path;
    uint8_t build_id[64];
    size_t build_id_bytes;
    uint32_t pid; /* of generated code */
    uint64_t began_ns;
    uint64_t loaded_ns; /* no part of what it is */
    bool is_jit, looked_for;
    bool nameless; /* a place of it has nothing */
    struct module_files files;
    const char *problem;
    uint8_t *cached; /* rows of a length and a payload: what the cache's file has, then what is new */
    size_t cached_bytes, cached_capacity;
};

/* Without directories. */
static inline const char *module_file_name(const struct module *m)
{
    const char *slash = strrchr(m->path, '/');
    return slash ? slash + 1 : m->path;
}

struct place {
    uint64_t address;
    uint32_t module;
    uint32_t first, count; /* in frames */
    bool resolved, taken; /* taken: from a log, by symbols_take() */
};

struct symbols {
    struct symbols_options options;
    char *cache; /* directory; NULL: none */
    struct module *modules;
    size_t module_count, module_capacity;
    struct hash_table module_table;
    struct place *places;
    size_t place_count, place_capacity;
    struct hash_table place_table; /* by module and address */
    struct symbols_frame *frames;
    size_t frame_count, frame_capacity;
    struct texts texts;
    size_t unresolved;
    bool interrupted;
};

/* A module that is looked for; its path is only lent. */
struct module symbols_file_module(const char *path, const void *build_id, size_t build_id_bytes);
#define SYMBOLS_MAP_PATH_BYTES 64
struct module symbols_jit_module(uint32_t pid, uint64_t began_ns, char path[SYMBOLS_MAP_PATH_BYTES]);

/* UINT32_MAX: nobody has asked for it. */
uint32_t symbols_find_module(const struct symbols *s, const struct module *wanted);
uint32_t symbols_find_place(const struct symbols *s, uint32_t module, uint64_t address);

/* For qsort_r() of numbers of places, with the symbols: by module and address. */
int symbols_by_module(const void *left, const void *right, void *symbols);

void symbols_add_frame(struct symbols *s, const struct symbols_frame *frame); /* of s's texts */

/* exchange.c: what is wanted of a payload of format/names.h that says nothing of its module,
 * and has no frames yet. False: it is damaged. */
bool symbols_take_from(struct symbols *s, uint32_t module, const void *payload, size_t bytes);

#endif
