/* The kinds of cost that a stack can be looked at by: their names on the command line
 * and in files, and where a stack's are. */
#ifndef MALLOSCOPE_MODEL_COST_H
#define MALLOSCOPE_MODEL_COST_H

#include "analyze/model/costs.h"

enum cost {
    COST_ALLOCATIONS, /* calls */
    COST_ALLOCATED,   /* bytes, in all */
    COST_PEAK,        /* bytes live at the peak */
    COST_LEAKED,      /* bytes live at their process's end */
    COST_TEMPORARY,   /* allocations freed before the thread's next one */
    COST_COUNT,
};

#define COST_NAMES "allocations, allocated, peak, leaked or temporary"

/* As users write it: "allocations", "allocated", "peak", "leaked", "temporary". */
const char *cost_name(enum cost cost);
/* False: no such cost. */
bool cost_parse(const char *text, enum cost *ret_cost);
/* Bytes; else a number of allocations. */
bool cost_is_bytes(enum cost cost);
/* In units (model/settings.h). */
uint64_t cost_of(const struct stack_costs *costs, enum cost cost);

#endif
