/* Who has a session in its environment, as the programs that `record` starts hand it on: also a program that has been
 * executed and whose library has not begun yet, which no file of the session tells of. */
#ifndef MALLOSCOPE_LAUNCH_INHERITORS_H
#define MALLOSCOPE_LAUNCH_INHERITORS_H

#include <stdbool.h>
#include <stdint.h>

/* Whether such a process runs, among those that we may look at. False where there is no /proc, and for a process that is amid an exec
 * or has written over its environment. */
bool inheritors_run(const uint8_t session[16]);

#endif
