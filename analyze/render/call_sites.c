#include "analyze/render/call_sites.h"

#include "analyze/render/frames.h"
#include "analyze/render/text.h"

#include <errno.h>
#include <regex.h>
#include <string.h>

struct key {
    uint32_t file, line;
    uint32_t location; /* where no line is known; else 0 */
    const char *function, *source;
};

struct collector {
    struct facts *facts;
    const struct namer *namer;
    const struct call_sites_filter *filter;
    struct key *keys;
    size_t count, capacity;
    uint32_t *table; /* hash -> 1 + key */
    size_t table_capacity;
    bool *matches; /* by stack node: it or a caller matches filter->stacks */
};

/* --- sites ------------------------------------------------------------------------- */

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

/* --- which of them --------------------------------------------------------------------- */

static bool text_matches(const regex_t *expression, const char *text)
{
    return text && *text && regexec(expression, text, 0, NULL, 0) == 0;
}

static bool location_matches(const struct collector *c, const regex_t *expression, uint32_t location)
{
    const struct code *code = &c->facts->told.code;
    const struct symbols_frame *names;
    size_t count = location ? c->namer->frames(c->namer->data, location, &names) : 0;

    if (text_matches(expression, code->files[code->locations[location].file].path))
        return true;
    for (size_t i = 0; i < count; i++)
        if (text_matches(expression, names[i].function) || text_matches(expression, names[i].signature) ||
            text_matches(expression, names[i].file))
            return true;
    return false;
}

/* A node comes after its parent. */
static void find_matches(struct collector *c, const regex_t *expression)
{
    const struct stacks *s = &c->facts->told.stacks;
    struct code *code = &c->facts->told.code;
    _cleanup_free_ uint32_t *processes = alloc_zeroed(s->node_count + 1, sizeof *processes); /* by node */
    _cleanup_free_ uint8_t *known = NULL; /* by location: 1 no, 2 yes */
    size_t known_capacity = 0;

    c->matches = alloc_zeroed(s->node_count + 1, sizeof *c->matches);
    for (uint32_t i = 1; i < s->node_count; i++) {
        processes[i] = stack_is_root(s, i) ? s->nodes[i].pc : processes[s->nodes[i].parent];
        if (stack_is_root(s, i))
            continue;
        uint32_t location = code_location(code, processes[i], s->nodes[i].pc);
        known = grow(known, &known_capacity, location + 1, sizeof *known);
        if (!known[location])
            known[location] = location_matches(c, expression, location) ? 2 : 1;
        c->matches[i] = c->matches[s->nodes[i].parent] || known[location] == 2;
    }
}

static bool is_wanted(void *data, uint32_t leaf)
{
    const struct collector *c = data;
    return c->matches[c->facts->told.stacks.leaves[leaf].node];
}

static bool is_in_module(void *data, uint32_t location)
{
    const struct collector *c = data;
    const struct code *code = &c->facts->told.code;
    const char *path = code->files[code->locations[location].file].path, *wanted = c->filter->module;

    return *path && strcmp(wanted, strchr(wanted, '/') ? path : text_base_name(path)) == 0;
}

#define COMPILE_FLAGS (REG_EXTENDED | REG_NOSUB)

bool call_sites_filter_is_good(const struct call_sites_filter *filter, struct failure *ret_failure)
{
    regex_t expression;
    char why[256];
    int error = filter->stacks ? regcomp(&expression, filter->stacks, COMPILE_FLAGS) : 0;

    if (error) {
        regerror(error, &expression, why, sizeof why);
        fail(ret_failure, EINVAL, "%s: %s", filter->stacks, why);
        return false;
    }
    if (filter->stacks)
        regfree(&expression);
    return true;
}

void call_sites_collect(struct facts *facts, const struct namer *namer, const struct call_sites_filter *filter,
                        struct sites *ret_sites)
{
    static const struct call_sites_filter everything;
    struct collector c = { .facts = facts, .namer = namer, .filter = filter ? filter : &everything };
    struct sites_rule rule = { .data = &c, .passes_on = passes_on };
    regex_t expression;

    if (c.filter->stacks && regcomp(&expression, c.filter->stacks, COMPILE_FLAGS) == 0) {
        find_matches(&c, &expression);
        regfree(&expression);
        rule.wanted = is_wanted;
        rule.wanted_data = &c;
    }
    sites_collect(facts, &rule, ret_sites);
    if (c.filter->module)
        sites_keep(ret_sites, facts, is_in_module, &c);
    free(c.keys);
    free(c.table);
    free(c.matches);
}
