/* A caller by guess: for frames without unwind rules, such as a JIT's, which
 * mostly keep a frame pointer. A guess is bounded: the frame pointer must lie
 * further up on the same stack, and beside it the address of code. Stacks with
 * one are marked. May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_GUESS_H
#define MALLOSCOPE_INSIDE_GUESS_H

#include "interpose/inside/hints.h"

#include <stdbool.h>
#include <stdint.h>

struct context;

bool guess_frame_beyond(struct context *c, uint64_t *limit, uint64_t sp, uint64_t fp);

#define GUESS_RECORD_BYTES 16 /* frame pointer and return address */

/* Whether fp points to a frame record further up the stack. *limit: as reach.h says. */
static inline bool guess_frame(struct context *c, uint64_t *limit, uint64_t sp, uint64_t fp)
{
    if (LIKELY(fp >= sp && fp % 8 == 0 && fp < *limit && *limit - fp >= GUESS_RECORD_BYTES))
        return true;
    return guess_frame_beyond(c, limit, sp, fp);
}

/* Whether pc can be a return address: what is not code is remembered for a while. */
bool guess_code(struct context *c, uint64_t pc);

/* Code may have come since. */
void guess_forget(struct context *c);

#endif
