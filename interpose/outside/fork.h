/* Stands in for fork and _Fork. Outside only. */
#ifndef MALLOSCOPE_OUTSIDE_FORK_H
#define MALLOSCOPE_OUTSIDE_FORK_H

#include <stdbool.h>

/* Looks the real ones up: before the first event, for a handler that forks must not
 * wait for the loader. */
void fork_prepare(void);

/* Around what has the loader at work unasked by the program: false where a thread is in fork, whose child
 * would have the loader as it is then, or forbids system calls just now: it waits for those who were let.
 * Signals are blocked; fork_has_loaded() comes in either case. */
bool fork_may_load(void);
void fork_has_loaded(void);

#endif
