#include "analyze/render/call_sites.h"

#include "analyze/render/frames.h"
#include "analyze/render/text.h"

#include <string.h>

struct key {
    uint32_t file, line;
    uint32_t location; /* where no line is known; else 0 */
    const char *function, *source;
};

struct collector {
    struct facts *facts;
    const struct namer *namer;
    const char *module;
    struct key *keys;
    size_t count, capacity;
    uint32_t *table; /* hash -> 1 + key */
    size_t table_capacity;
};

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; text && *text; text++)
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3ull;
    return hash;
}

static size_t hash_key(const struct key *k)
{
    uint64_t hash = 0xcbf29ce484222325ull ^ k->file ^ (uint64_t)k->line << 24 ^ (uint64_t)k->location << 32;
    return (size_t)(hash_text(hash_text(hash, k->function), k->source) * 0x9e3779b97f4a7c15ull >> 20);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static uint32_t *key_place(const struct collector *c, const struct key *k)
{
    size_t at = hash_key(k) & (c->table_capacity - 1);

    for (; c->table[at]; at = (at + 1) & (c->table_capacity - 1)) {
        const struct key *other = &c->keys[c->table[at] - 1];
        if (other->file == k->file && other->line == k->line && other->location == k->location &&
            same_text(other->function, k->function) && same_text(other->source, k->source))
            break;
    }
    return &c->table[at];
}

static uint32_t key_number(struct collector *c, const struct key *k)
{
    if (c->count * 2 >= c->table_capacity) {
        c->table_capacity = c->table_capacity ? c->table_capacity * 2 : 1024;
        free(c->table);
        c->table = alloc_zeroed(c->table_capacity, sizeof *c->table);
        for (size_t i = 0; i < c->count; i++)
            *key_place(c, &c->keys[i]) = (uint32_t)i + 1;
    }
    uint32_t *place = key_place(c, k);
    if (!*place) {
        c->keys = grow(c->keys, &c->capacity, c->count + 1, sizeof *c->keys);
        c->keys[c->count++] = *k;
        *place = (uint32_t)c->count;
    }
    return *place - 1;
}

static bool passes_on(void *data, uint32_t location, uint32_t *ret_key)
{
    struct collector *c = data;
    struct key key = { .file = c->facts->told.code.locations[location].file };
    const struct symbols_frame *names;
    size_t count = c->namer->frames(c->namer->data, location, &names), site = 0;
    bool is_site = frames_site(names, count, &site);

    if (count) {
        key.function = names[site].function;
        key.source = names[site].file;
        key.line = names[site].line;
    }
    if (!key.function || !key.line)
        key.location = location;
    *ret_key = key_number(c, &key);
    return count && !is_site;
}

static bool is_in_module(void *data, uint32_t location)
{
    const struct collector *c = data;
    const struct code *code = &c->facts->told.code;
    const char *path = code->files[code->locations[location].file].path, *wanted = c->module;

    return *path && strcmp(wanted, strchr(wanted, '/') ? path : text_base_name(path)) == 0;
}

void call_sites_collect(struct facts *facts, const struct namer *namer, const struct call_sites_filter *filter,
                        struct sites *ret_sites)
{
    struct collector c = { .facts = facts, .namer = namer, .module = filter ? filter->module : NULL };
    struct sites_rule rule = { .data = &c, .passes_on = passes_on };

    if (filter && filter->stacks) {
        filter_use(filter->stacks, facts, namer);
        rule.wanted = filter_wants;
        rule.wanted_data = filter->stacks;
    }
    sites_collect(facts, &rule, ret_sites);
    if (c.module)
        sites_keep(ret_sites, facts, is_in_module, &c);
    free(c.keys);
    free(c.table);
}
