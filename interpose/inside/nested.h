/* Calls that come while the thread's context is busy: from the real allocator, which
 * are its own business, or from a signal handler that interrupted one of our hooks.
 * A handler's events are the program's, so they get a context, and so a stream, of
 * their own; a handler that never returns (siglongjmp) must not leave its thread
 * unrecorded. May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_NESTED_H
#define MALLOSCOPE_INSIDE_NESTED_H

#include "interpose/inside/modules.h"

#include <stdint.h>
#include <sys/types.h>

struct context;
struct walk_start;

/* The allocator's code, whose calls need no closer look. Set before the first event. */
extern struct code_range nested_allocator;

/* c: the thread's current context, which is busy. The idle context into which the call
 * at start is to be recorded; NULL: it is not to be recorded. */
struct context *nested_context(struct context *c, const struct walk_start *start);

/* A fork by a handler that interrupted a record: the child goes on with that record
 * when the handler returns, so its context and buffer must be there, though what it
 * writes is the parent's event and goes nowhere. Before and after the fork; both do
 * nothing if there is no such record. */
#define NESTED_KEPT_MAX 8
struct nested_fork {
    struct context *kept[NESTED_KEPT_MAX];
    struct context *copy[NESTED_KEPT_MAX]; /* where madvise is forbidden, but not mmap */
    int count;
};
void nested_before_fork(struct nested_fork *ret_kept);
void nested_after_fork(const struct nested_fork *kept, pid_t result);

/* At the end of the calling thread: all of its contexts but c become free to take. */
void nested_release(struct context *c);

#endif
