/* Expressions of unwind tables, as far as they are sums "register + constant, perhaps
 * read": a rule is made before the registers are known, so none can be evaluated to
 * the end. May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_CFI_SUM_H
#define MALLOSCOPE_INSIDE_CFI_SUM_H

#include "interpose/inside/cfi_bytes.h"
#include "interpose/inside/rule.h"

struct cfi_sum {
    enum rule_base base; /* RULE_NOWHERE: the constant alone */
    bool is_read;        /* the word at the sum */
    int64_t constant;
};

#define CFI_SUM_MAX 8

/* Room for the values of an expression. */
struct cfi_sum_room {
    struct cfi_sum stack[CFI_SUM_MAX];
};

/* What an expression says, if it is such a sum. first: on the stack at its start,
 * if not NULL. The pc is known, so the PLT's expression is a constant one. False: it is no such sum. */
bool cfi_sum_evaluate(struct cfi_bytes s, uint64_t pc, const struct cfi_sum *first, struct cfi_sum_room *room,
                      struct cfi_sum *ret);

#endif
