/* What the inside needs from the outside, and nothing more: the slow path of a
 * thread's, a child's or the process's first event. Implemented in
 * outside/start.c. */
#ifndef MALLOSCOPE_INSIDE_START_H
#define MALLOSCOPE_INSIDE_START_H

#include <stdint.h>

struct context;

/* Starts recording in this process if that has not happened, and gives the
 * calling thread a context, which is idle and current. caller: the hook's, NULL
 * for none. NULL: not recorded. */
struct context *start_thread(const void *caller);

/* Makes ready what stands in for the exec family, which may be called before the program's
 * first event, in a vfork child too. */
void start_exec(void);

/* Brings in libunwind for the first stack that needs it, once, if that can be done here: in a hook that pc has
 * called, with c at work. Else a later stack may ask again. */
void start_unwinder_late(struct context *c, uint64_t pc);

/* One more context, idle, for a thread that has one. NULL: there is none to be had. */
struct context *start_nested(void);

#endif
