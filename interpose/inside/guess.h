/* A caller by guess: for frames without unwind rules, such as a JIT's, which
 * mostly keep a frame pointer. A guess is bounded: the frame pointer must lie
 * further up in the same mapping, and beside it the address of code. Stacks with
 * one are marked. May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_GUESS_H
#define MALLOSCOPE_INSIDE_GUESS_H

#include "interpose/inside/memory_map.h"

struct context;

/* The mapping that the stack at sp is in; its end is 0 where that cannot be told. */
const struct memory_range *guess_stack(struct context *c, uint64_t sp);

/* Whether fp can point to a frame record further up the stack. */
static inline bool guess_frame(const struct memory_range *stack, uint64_t sp, uint64_t fp)
{
    return fp >= sp && fp % 8 == 0 && fp < stack->end && stack->end - fp >= 16;
}

/* Whether pc can be a return address. */
bool guess_code(struct context *c, uint64_t pc);

#endif
