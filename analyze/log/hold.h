/* `record` holds its log as long as it works on it, so that readers can tell whether it
 * still runs: a lock that goes with the process, and is in nobody's way. */
#ifndef MALLOSCOPE_LOG_HOLD_H
#define MALLOSCOPE_LOG_HOLD_H

#include <stdbool.h>

/* Until the descriptor, and all duplicates of it, are closed, or log_let_go(). Where the system
 * knows no such locks, nothing happens, and nobody is seen to hold anything. */
void log_hold(int fd);
void log_let_go(int fd);

/* By somebody else than through this descriptor. */
bool log_is_held(int fd);

#endif
