#include "analyze/render/call_sites.h"

#include "analyze/hash.h"
#include "analyze/hash_table.h"
#include "analyze/render/frames.h"
#include "analyze/render/text.h"

#include <string.h>

struct key {
    uint32_t file, line;
    uint32_t location; /* where no line is known; else 0 */
    const char *function, *source;
    const char *signature; /* NULL: it has none, and tells neither parameters nor a number among others of its name */
};

struct collector {
    struct facts *facts;
    const struct namer *namer;
    const char *module;
    struct key *keys;
    size_t count, capacity;
    struct hash_table table; /* of keys */
};

static uint64_t hash_of(const struct key *k)
{
    uint64_t hash = hash_add(hash_add(0, (uint64_t)k->file << 32 | k->line), k->location);
    return hash_add_text(hash_add_text(hash_add_text(hash, k->function), k->signature), k->source);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_same(const struct key *a, const struct key *b)
{
    return a->file == b->file && a->line == b->line && a->location == b->location && same_text(a->function, b->function) &&
           same_text(a->source, b->source) && same_text(a->signature, b->signature);
}

static uint32_t key_number(struct collector *c, const struct key *k)
{
    uint64_t hash = hash_of(k);
    struct hash_search s = hash_table_search(&c->table, hash);

    while (hash_table_next(&c->table, &s))
        if (is_same(&c->keys[s.number], k))
            return s.number;
    c->keys = grow(c->keys, &c->capacity, c->count + 1, sizeof *c->keys);
    c->keys[c->count] = *k;
    hash_table_add(&c->table, hash, (uint32_t)c->count);
    return (uint32_t)c->count++;
}

static enum site_role role(void *data, uint32_t location, uint32_t *ret_key)
{
    struct collector *c = data;
    struct key key = { .file = c->facts->told.code.locations[location].file };
    const struct symbols_frame *names;
    size_t count = c->namer->frames(c->namer->data, location, &names), site;
    enum site_role role = frames_site(names, count, &site);

    if (count) {
        key.function = names[site].function;
        if (key.function)
            key.signature = names[site].signature;
        key.source = names[site].file;
        key.line = names[site].line;
    }
    if (!key.function || !key.line)
        key.location = location;
    *ret_key = key_number(c, &key);
    return frames_role_in(c->facts->told.code.files[key.file].path, role, key.function);
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
    struct sites_rule rule = { .data = &c, .role = role };

    if (filter && filter->stacks) {
        filter_use(filter->stacks, facts, namer);
        rule.wanted = filter_wants;
        rule.wanted_data = filter->stacks;
    }
    sites_collect(facts, &rule, ret_sites);
    if (c.module)
        sites_keep(ret_sites, facts, is_in_module, &c);
    free(c.keys);
    hash_table_release(&c.table);
}
