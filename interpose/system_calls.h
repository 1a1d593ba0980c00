/* prctl and syscall, by which programs make system calls that concern us. Looks up the
 * functions behind ours; at the start, as in descriptors.h. */
#ifndef MALLOSCOPE_SYSTEM_CALLS_H
#define MALLOSCOPE_SYSTEM_CALLS_H

void system_calls_resolve(void);

#endif
