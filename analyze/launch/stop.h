/* Stopping where the program stops: a shell that waits for record is told, as of the program. */
#ifndef MALLOSCOPE_LAUNCH_STOP_H
#define MALLOSCOPE_LAUNCH_STOP_H

#include <sys/types.h>

/* Stops this process, as the signal `number` has stopped our child `pid`. Returns when either
 * has been continued. */
void stop_with(pid_t pid, int number);

#endif
