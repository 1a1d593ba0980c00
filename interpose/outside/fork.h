/* Stands in for fork and _Fork. Outside only. */
#ifndef MALLOSCOPE_OUTSIDE_FORK_H
#define MALLOSCOPE_OUTSIDE_FORK_H

/* Looks the real ones up: before the first event, for a handler that forks must not
 * wait for the loader. */
void fork_prepare(void);

#endif
