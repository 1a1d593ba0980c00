/* Call sites: stacks by the place that asked for their blocks. That is the hook's caller,
 * unless the rule says that it only passes allocations on (malloc's wrappers, C++'s
 * operator new and containers): then the first caller that does not. Which locations are
 * one site, the rule says, too: by names, the same line of the same function. */
#ifndef MALLOSCOPE_MODEL_SITES_H
#define MALLOSCOPE_MODEL_SITES_H

#include "analyze/model/cost.h"
#include "analyze/model/facts.h"
#include "analyze/model/site_search.h"

struct sites_rule {
    void *data;
    /* Of a location, not 0: *ret_key is the same number for all that are one site, from 0 up. What only passes
     * allocations on is a site where it has no caller. NULL: each location is a site. */
    enum site_role (*role)(void *data, uint32_t location, uint32_t *ret_key);
    /* Whether a stack, given by its leaf, counts. NULL: all do. */
    bool (*wanted)(void *data, uint32_t leaf);
    void *wanted_data;
};

/* Rounded to numbers of allocations and bytes. */
struct site_costs {
    uint64_t allocations, bytes, temporary;
    uint64_t peak_blocks, peak_bytes;
    uint64_t leaked_blocks, leaked_bytes;
};

struct site {
    uint32_t location; /* in facts->told.code, of its stack with the most bytes; 0: unknown or no stacks were taken */
    struct site_costs costs;
    struct stack_costs sum; /* of all its stacks, in units */
    uint32_t stacks;
    uint32_t heaviest[COST_COUNT]; /* the first leaf of its stack with the most of each cost */
    uint64_t heaviest_cost[COST_COUNT]; /* in units */
};

#define SITE_NONE UINT32_MAX

struct sites {
    struct site *sites;
    size_t count, capacity;
    uint32_t *of_leaf; /* index of each stack's site; SITE_NONE: the stack does not count */
    struct stack_costs sum; /* of all sites, in units */
    uint64_t stacks;
};

/* rule: NULL: each location is a site. */
void sites_collect(struct facts *facts, const struct sites_rule *rule, struct sites *ret_sites);
void sites_release(struct sites *s);

/* The site of a stack, given by its first leaf, and the sum of what its leaves cost that count; SITE_NONE: none does. */
uint32_t sites_of_stack(const struct sites *s, const struct facts *facts, uint32_t leaf, struct stack_costs *ret_costs);

/* Keeps the sites whose location is wanted. */
void sites_keep(struct sites *s, struct facts *facts, bool (*wanted)(void *data, uint32_t location), void *data);

/* The sites' indexes, those with the most of a cost first; ties by location, so that the order is always the
 * same. To be freed. */
uint32_t *sites_order(const struct sites *s, enum cost cost);

/* Of a cost; in allocations or bytes. */
uint64_t site_cost(const struct site_costs *costs, enum cost cost);

/* In allocations and bytes. */
struct site_costs site_costs_rounded(const struct stack_costs *sum, uint64_t unit);

/* Adds a stack's costs to a sum, whose least is UINT64_MAX at first. */
void stack_costs_add(struct stack_costs *sum, const struct stack_costs *costs);

#endif
