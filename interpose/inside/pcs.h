/* What the process knows of code addresses: a number, so that a frame costs two
 * bytes in the log, and the rule that leads to its caller. A number is announced
 * by a record before its first use and is never given to another address; an
 * address may get several.
 *
 * One table for the process, insert-only and lock-free; before it each context
 * has a rule_cache. May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_PCS_H
#define MALLOSCOPE_INSIDE_PCS_H

#include "interpose/inside/rule.h"

#include <stdatomic.h>
#include <stdbool.h>

struct context;

/* An interrupted instruction's address is told apart from a return address of
 * the same value: other rules hold for the byte before. */
#define PC_EXACT (1ull << 63)

struct pc_entry {
    _Atomic uint64_t key; /* the address, with PC_EXACT */
    _Atomic uint32_t id;  /* 0: not yet; the rule is written before it */
    _Atomic uint64_t rule[2]; /* a struct rule; may be replaced while it is read: then key has changed, too */
};
_Static_assert(sizeof(struct rule) == 16, "a rule is two words");

#define PC_LEVELS 10
#define PC_LEVEL0_BITS 13 /* each level is twice the one before */

struct pc_table {
    _Atomic uint32_t last_id;
    struct pc_entry *_Atomic level[PC_LEVELS];
};

struct pc_known {
    uint32_t id; /* 0: the log is full */
    struct rule rule;
};

/* Number and rule of an address; may log records. exact: it was interrupted, and
 * is no return address. */
struct pc_known pc_find(struct context *c, uint64_t pc, bool exact);

/* The same where it is known already, and where it is not. */
bool pc_look_up(const struct pc_table *table, uint64_t pc, bool exact, struct pc_known *ret);
struct pc_known pc_learn(struct context *c, uint64_t pc, bool exact);

/* The number alone, from the context's cache where that has it. */
uint32_t pc_number(struct context *c, uint64_t pc);

/* Whether an address has a number. */
bool pc_is_known(const struct pc_table *table, uint64_t pc);

/* Forgets what is known of a range of addresses whose code has changed. */
void pc_table_forget(struct pc_table *table, uint64_t start, uint64_t end);

#endif
