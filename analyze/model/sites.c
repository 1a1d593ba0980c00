#include "analyze/model/sites.h"

#include <string.h>

struct place {
    bool asked;
    enum site_role role;
    uint32_t key;
};

struct collector {
    struct facts *facts;
    const struct sites_rule *rule;
    struct place *places; /* by location: what the rule has said */
    size_t place_capacity;
    uint32_t *site_of; /* key -> 1 + index; 0 is of stacks without a location */
    size_t site_of_capacity;
    struct sites sites;
};

static const struct place *ask(struct collector *c, uint32_t location)
{
    c->places = grow(c->places, &c->place_capacity, location + 1, sizeof *c->places);
    struct place *place = &c->places[location];
    if (place->asked)
        return place;
    place->asked = true;
    place->key = location;
    if (location && c->rule->role) {
        place->role = c->rule->role(c->rule->data, location, &place->key);
        place->key++;
    }
    return place;
}

/* Where the stack's blocks were asked for. */
static const struct place *site_place(struct collector *c, uint32_t node, uint32_t *ret_location)
{
    const struct stacks *s = &c->facts->told.stacks;
    struct code *code = &c->facts->told.code;
    struct site_search search = { 0 };

    *ret_location = 0;
    for (; !stack_is_root(s, node); node = s->nodes[node].parent) {
        uint32_t location = code_location(code, s->nodes[node].pc);
        if (site_search_ends(&search, location, ask(c, location)->role, code->locations[location].file,
                             stack_is_root(s, s->nodes[node].parent), ret_location))
            break;
    }
    return ask(c, *ret_location);
}

void stack_costs_add(struct stack_costs *sum, const struct stack_costs *c)
{
    sum->allocations += c->allocations;
    sum->bytes += c->bytes;
    sum->temporary += c->temporary;
    sum->peak_blocks += c->peak_blocks;
    sum->peak_bytes += c->peak_bytes;
    sum->leaked_blocks += c->leaked_blocks;
    sum->leaked_bytes += c->leaked_bytes;
    sum->freed += c->freed;
    sum->lifetime_us += c->lifetime_us;
    sum->lifetime_allocations += c->lifetime_allocations;
    sum->brief += c->brief;
    sum->regrown += c->regrown;
    sum->rounding += c->rounding;
    sum->least = c->least < sum->least ? c->least : sum->least;
    sum->most = c->most > sum->most ? c->most : sum->most;
}

/* Of two stacks, by what they are, not by which was first in the log: the order of their locations, the innermost
 * first. */
static bool comes_before(struct facts *f, uint32_t leaf, uint32_t other)
{
    const struct stacks *s = &f->told.stacks;
    uint32_t a = s->leaves[leaf].node, b = s->leaves[other].node;

    for (; !stack_is_root(s, a) && !stack_is_root(s, b); a = s->nodes[a].parent, b = s->nodes[b].parent) {
        if (a == b)
            return leaf < other;
        uint32_t mine = code_location(&f->told.code, s->nodes[a].pc);
        uint32_t others = code_location(&f->told.code, s->nodes[b].pc);
        if (mine != others)
            return mine < others;
    }
    return stack_is_root(s, a) != stack_is_root(s, b) ? stack_is_root(s, a) : leaf < other;
}

static void add_stack(struct facts *f, struct site *site, uint32_t leaf, const struct stack_costs *costs, uint32_t location)
{
    stack_costs_add(&site->sum, costs);
    for (enum cost cost = 0; cost < COST_COUNT; cost++) {
        uint64_t mine = cost_of(costs, cost), most = site->heaviest_cost[cost];
        bool is_shown = mine || cost == COST_ALLOCATED; /* of nothing no stack is */
        if (site->stacks && (mine < most || (mine == most && (!is_shown || !comes_before(f, leaf, site->heaviest[cost])))))
            continue;
        site->heaviest[cost] = leaf;
        site->heaviest_cost[cost] = mine;
        if (cost == COST_ALLOCATED)
            site->location = location;
    }
    site->stacks++;
}

struct site_costs site_costs_rounded(const struct stack_costs *sum, uint64_t unit)
{
    return (struct site_costs){
        .allocations = round_units(sum->allocations, unit), .bytes = round_units(sum->bytes, unit),
        .temporary = round_units(sum->temporary, unit),
        .peak_blocks = round_units(sum->peak_blocks, unit), .peak_bytes = round_units(sum->peak_bytes, unit),
        .leaked_blocks = round_units(sum->leaked_blocks, unit), .leaked_bytes = round_units(sum->leaked_bytes, unit),
    };
}

uint32_t sites_of_stack(const struct sites *s, const struct facts *f, uint32_t leaf, struct stack_costs *ret_costs)
{
    uint32_t site = SITE_NONE;

    *ret_costs = (struct stack_costs){ .least = UINT64_MAX };
    for (; leaf != LEAF_NONE; leaf = f->told.stacks.leaves[leaf].next)
        if (s->of_leaf[leaf] != SITE_NONE) {
            site = s->of_leaf[leaf];
            stack_costs_add(ret_costs, &f->costs.of[leaf]);
        }
    return site;
}

static uint32_t find_site(struct collector *c, uint32_t leaf, uint32_t *ret_location)
{
    struct sites *s = &c->sites;
    const struct place *place = site_place(c, c->facts->told.stacks.leaves[leaf].node, ret_location);

    c->site_of = grow(c->site_of, &c->site_of_capacity, place->key + 1, sizeof *c->site_of);
    if (!c->site_of[place->key]) {
        s->sites = grow(s->sites, &s->capacity, s->count + 1, sizeof *s->sites);
        s->sites[s->count++] = (struct site){ .location = *ret_location, .sum.least = UINT64_MAX };
        c->site_of[place->key] = (uint32_t)s->count;
    }
    return c->site_of[place->key] - 1;
}

/* All leaves of a stack, of which this is the first. */
static void take_stack(struct collector *c, uint32_t first)
{
    const struct stack_leaf *leaves = c->facts->told.stacks.leaves;
    struct stack_costs costs;
    uint32_t location = 0, found = SITE_NONE;

    for (uint32_t leaf = first; leaf != LEAF_NONE; leaf = leaves[leaf].next) {
        c->sites.of_leaf[leaf] = SITE_NONE;
        if (!c->facts->costs.of[leaf].allocations || (c->rule->wanted && !c->rule->wanted(c->rule->wanted_data, leaf)))
            continue;
        found = found == SITE_NONE ? find_site(c, leaf, &location) : found;
        c->sites.of_leaf[leaf] = found;
    }
    if (found == SITE_NONE)
        return;
    sites_of_stack(&c->sites, c->facts, first, &costs);
    add_stack(c->facts, &c->sites.sites[found], first, &costs, location);
}

static void sum_up(struct sites *s, uint64_t unit)
{
    s->sum = (struct stack_costs){ .least = UINT64_MAX };
    s->stacks = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct site *site = &s->sites[i];
        site->costs = site_costs_rounded(&site->sum, unit);
        stack_costs_add(&s->sum, &site->sum);
        s->stacks += site->stacks;
    }
}

void sites_collect(struct facts *facts, const struct sites_rule *rule, struct sites *ret_sites)
{
    static const struct sites_rule each;
    struct collector c = { .facts = facts, .rule = rule ? rule : &each };
    size_t count = facts->told.stacks.leaf_count;

    code_locate_all(&facts->told.code);
    c.sites.of_leaf = alloc_zeroed(count + 1, sizeof *c.sites.of_leaf);
    for (uint32_t leaf = 0; leaf < count; leaf++)
        if (stack_leaf_is_first(&facts->told.stacks, leaf))
            take_stack(&c, leaf);
    sum_up(&c.sites, facts->settings.unit);
    free(c.places);
    free(c.site_of);
    *ret_sites = c.sites;
}

void sites_release(struct sites *s)
{
    free(s->sites);
    free(s->of_leaf);
    *s = (struct sites){ 0 };
}

void sites_keep(struct sites *s, struct facts *facts, bool (*wanted)(void *data, uint32_t location), void *data)
{
    _cleanup_free_ uint32_t *now = alloc_zeroed(s->count + 1, sizeof *now);
    size_t kept = 0;

    for (size_t i = 0; i < s->count; i++) {
        bool is_wanted = wanted(data, s->sites[i].location);
        now[i] = is_wanted ? (uint32_t)kept : SITE_NONE;
        if (is_wanted)
            s->sites[kept++] = s->sites[i];
    }
    for (size_t leaf = 0; leaf < facts->told.stacks.leaf_count; leaf++)
        if (s->of_leaf[leaf] != SITE_NONE)
            s->of_leaf[leaf] = now[s->of_leaf[leaf]];
    s->count = kept;
    sum_up(s, facts->settings.unit);
}

uint64_t site_cost(const struct site_costs *c, enum cost cost)
{
    const uint64_t of[COST_COUNT] = {
        [COST_ALLOCATIONS] = c->allocations, [COST_ALLOCATED] = c->bytes, [COST_PEAK] = c->peak_bytes,
        [COST_LEAKED] = c->leaked_bytes, [COST_TEMPORARY] = c->temporary,
    };
    return of[cost];
}

struct order {
    const struct sites *sites;
    enum cost cost;
};

static int by_cost(const void *left, const void *right, void *data)
{
    const struct order *order = data;
    const struct site *a = &order->sites->sites[*(const uint32_t *)left], *b = &order->sites->sites[*(const uint32_t *)right];
    const enum cost costs[] = { order->cost, COST_ALLOCATIONS, COST_ALLOCATED };

    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++) {
        uint64_t mine = site_cost(&a->costs, costs[i]), other = site_cost(&b->costs, costs[i]);
        if (mine != other)
            return mine > other ? -1 : 1;
    }
    return a->location < b->location ? -1 : a->location > b->location;
}

uint32_t *sites_order(const struct sites *s, enum cost cost)
{
    struct order order = { s, cost };
    uint32_t *indexes = alloc_zeroed(s->count + 1, sizeof *indexes);

    for (uint32_t i = 0; i < s->count; i++)
        indexes[i] = i;
    qsort_r(indexes, s->count, sizeof *indexes, by_cost, &order);
    return indexes;
}
