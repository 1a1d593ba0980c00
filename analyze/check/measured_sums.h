/* Sums by name: what functions and modules asked for, in each run. */
#ifndef MALLOSCOPE_CHECK_MEASURED_SUMS_H
#define MALLOSCOPE_CHECK_MEASURED_SUMS_H

#include "analyze/check/verdict.h"
#include "analyze/hash_table.h"

/* What a function, or a module, asked for: in each run. */
struct measured_sum {
    char *name;       /* of a function; of a module as measured_module_name() has it */
    bool is_site;     /* of a function: it has sites of its own; else it only passed on, and is here for those who ask for it */
    bool is_numbered; /* of a function: it is in a group, */
    bool is_group;    /* or is one: of functions whose names differ in compilers' numbers (numbered.h) */
    bool is_own;      /* of a module: it is the program */
    uint32_t last_row; /* while a log is added: counted in it already */
    uint64_t (*runs)[VERDICT_KINDS];
    size_t run_capacity;
};

struct measured_sums {
    struct measured_sum *of;
    size_t count, capacity;
    struct hash_table table;
};

/* NULL: there is none. */
const struct measured_sum *measured_find_sum(const struct measured_sums *sums, const char *name);
uint64_t measured_sum_value(const struct measured_sum *sum, size_t run, enum verdict_kind kind);

/* While a log is added: before its first row. */
void measured_sums_begin(struct measured_sums *sums);
/* Takes the name, and returns the sum's number. A row counts once, whatever calls itself in its stack. */
uint32_t measured_sums_add(struct measured_sums *sums, char *name, size_t run, uint32_t row, const uint64_t *values);
/* UINT32_MAX: there is none. */
uint32_t measured_sum_number(const struct measured_sums *sums, const char *name);
void measured_sums_release(struct measured_sums *sums);

#endif
