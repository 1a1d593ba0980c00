#include "analyze/model/sites.h"

#include <string.h>

enum wrapper { NOT_ASKED, IS_WRAPPER, NO_WRAPPER };

struct asker {
    struct facts *facts;
    bool (*is_wrapper)(void *data, uint32_t location);
    void *data;
    uint8_t *known; /* enum wrapper, by location */
    size_t known_capacity;
};

static bool is_wrapper(struct asker *a, uint32_t location)
{
    if (!a->is_wrapper || !location)
        return false;
    a->known = grow(a->known, &a->known_capacity, location + 1, 1);
    if (a->known[location] == NOT_ASKED)
        a->known[location] = a->is_wrapper(a->data, location) ? IS_WRAPPER : NO_WRAPPER;
    return a->known[location] == IS_WRAPPER;
}

/* The frame in a stack that costs as its site, and where that is. */
static uint32_t site_frame(struct asker *a, uint32_t node, uint32_t *ret_location)
{
    const struct stacks *s = &a->facts->told.stacks;
    uint32_t process = stacks_process(s, node), frame = node;

    *ret_location = 0;
    if (stack_is_root(s, node))
        return node;
    for (;;) {
        *ret_location = code_location(&a->facts->told.code, process, s->nodes[frame].pc);
        uint32_t caller = s->nodes[frame].parent;
        if (stack_is_root(s, caller) || !is_wrapper(a, *ret_location))
            return frame;
        frame = caller;
    }
}

static void add(struct site_costs *sum, const struct stack_costs *c)
{
    sum->allocations += c->allocations;
    sum->bytes += c->bytes;
    sum->temporary += c->temporary;
    sum->peak_blocks += c->peak_blocks;
    sum->peak_bytes += c->peak_bytes;
    sum->leaked_blocks += c->leaked_blocks;
    sum->leaked_bytes += c->leaked_bytes;
}

static void round_costs(struct site_costs *c, uint64_t unit)
{
    c->allocations = round_units(c->allocations, unit);
    c->bytes = round_units(c->bytes, unit);
    c->temporary = round_units(c->temporary, unit);
    c->peak_blocks = round_units(c->peak_blocks, unit);
    c->peak_bytes = round_units(c->peak_bytes, unit);
    c->leaked_blocks = round_units(c->leaked_blocks, unit);
    c->leaked_bytes = round_units(c->leaked_bytes, unit);
}

void sites_collect(struct facts *facts, bool (*wrapper)(void *data, uint32_t location), void *data,
                   struct sites *ret_sites)
{
    struct asker asker = { .facts = facts, .is_wrapper = wrapper, .data = data };
    _cleanup_free_ uint32_t *site_of = NULL; /* location -> 1 + index */
    size_t site_of_capacity = 0;
    struct sites s = { 0 };

    for (uint32_t leaf = 0; leaf < facts->told.stacks.leaf_count; leaf++) {
        const struct stack_costs *costs = &facts->costs.of[leaf];
        uint32_t location, node = facts->told.stacks.leaves[leaf].node;
        if (!costs->allocations)
            continue;
        uint32_t frame = site_frame(&asker, node, &location);
        site_of = grow(site_of, &site_of_capacity, location + 1, sizeof *site_of);
        if (!site_of[location]) {
            s.sites = grow(s.sites, &s.capacity, s.count + 1, sizeof *s.sites);
            s.sites[s.count++] = (struct site){ .location = location };
            site_of[location] = (uint32_t)s.count;
        }
        struct site *site = &s.sites[site_of[location] - 1];
        add(&site->costs, costs);
        if (costs->bytes >= site->heaviest_bytes) {
            site->heaviest_bytes = costs->bytes;
            site->heaviest = node;
            site->frame = frame;
        }
    }
    free(asker.known);
    for (size_t i = 0; i < s.count; i++)
        round_costs(&s.sites[i].costs, facts->settings.unit);
    *ret_sites = s;
}

void sites_release(struct sites *s)
{
    free(s->sites);
    *s = (struct sites){ 0 };
}

static int by_allocations(const void *left, const void *right)
{
    const struct site *a = left, *b = right;
    if (a->costs.allocations != b->costs.allocations)
        return a->costs.allocations > b->costs.allocations ? -1 : 1;
    return a->location < b->location ? -1 : a->location > b->location;
}

static int by_bytes(const void *left, const void *right)
{
    const struct site *a = left, *b = right;
    if (a->costs.bytes != b->costs.bytes)
        return a->costs.bytes > b->costs.bytes ? -1 : 1;
    return by_allocations(left, right);
}

void sites_sort(struct sites *s, enum site_order order)
{
    if (s->count)
        qsort(s->sites, s->count, sizeof *s->sites, order == SITES_BY_BYTES ? by_bytes : by_allocations);
}
