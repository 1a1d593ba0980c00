/* What the program does beside its allocations, written into the stream of the thread that
 * does it. Not inside malloc; in a signal handler, too, and so perhaps amid an event. Signals
 * stay open: what handlers allocate meanwhile is recorded. errno may change. */
#ifndef MALLOSCOPE_OUTSIDE_REMARK_H
#define MALLOSCOPE_OUTSIDE_REMARK_H

#include "interpose/inside/context.h"

/* A context of this thread in which `bytes` can be written, from its `at` on, while the
 * caller's frame is there; NULL: there is none. start: HERE of the function that the
 * program has called (interpose/stand_in.h). */
struct context *remark_begin(const struct walk_start *start, size_t bytes);

/* at: the remark's end. */
void remark_end(struct context *c, uint8_t *at);

#endif
