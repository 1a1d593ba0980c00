/* What the program does beside its allocations, written into the stream of the thread that
 * does it. Not inside malloc; in a signal handler, too, and so perhaps amid an event. Signals
 * stay open: what handlers allocate meanwhile is recorded. errno may change. */
#ifndef MALLOSCOPE_OUTSIDE_REMARK_H
#define MALLOSCOPE_OUTSIDE_REMARK_H

#include "interpose/inside/arch.h"
#include "interpose/inside/context.h"

/* For remark_begin: where the program calls the function that this is used in. */
#define REMARK_HERE (&(struct walk_start){ (uint64_t)__builtin_return_address(0), ARCH_CALLER_SP, \
                                           *(const uint64_t *)__builtin_frame_address(0) })

/* A context of this thread in which `bytes` can be written, from its `at` on, while the
 * caller's frame is there; NULL: there is none. */
struct context *remark_begin(const struct walk_start *start, size_t bytes);

/* at: the remark's end. */
void remark_end(struct context *c, uint8_t *at);

#endif
