#include "analyze/model/cost.h"

#include <string.h>

static const struct {
    const char *name;
    bool is_bytes;
    size_t offset;
} costs[COST_COUNT] = {
    [COST_ALLOCATIONS] = { "allocations", false, offsetof(struct stack_costs, allocations) },
    [COST_ALLOCATED] = { "allocated", true, offsetof(struct stack_costs, bytes) },
    [COST_PEAK] = { "peak", true, offsetof(struct stack_costs, peak_bytes) },
    [COST_LEAKED] = { "leaked", true, offsetof(struct stack_costs, leaked_bytes) },
    [COST_TEMPORARY] = { "temporary", false, offsetof(struct stack_costs, temporary) },
};

const char *cost_name(enum cost cost)
{
    return costs[cost].name;
}

bool cost_parse(const char *text, enum cost *ret_cost)
{
    for (enum cost i = 0; i < COST_COUNT; i++)
        if (strcmp(text, costs[i].name) == 0) {
            *ret_cost = i;
            return true;
        }
    return false;
}

bool cost_is_bytes(enum cost cost)
{
    return costs[cost].is_bytes;
}

uint64_t cost_of(const struct stack_costs *of, enum cost cost)
{
    return *(const uint64_t *)((const char *)of + costs[cost].offset);
}
