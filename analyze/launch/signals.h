/* What a user sends to record is for the program. What the terminal sends goes to the
 * program anyway, and we stay to write the end of the log. */
#ifndef MALLOSCOPE_LAUNCH_SIGNALS_H
#define MALLOSCOPE_LAUNCH_SIGNALS_H

#include <sys/types.h>

/* From here on no signal ends us that can be caught, but for those of our own defects; each is
 * passed on once the program is told. */
void signals_take(void);

/* As it was before signals_take(); async-signal-safe, for the child. */
void signals_give_back(void);

/* The process that they are passed on to; 0: none. */
void signals_to(pid_t pid);

/* A process whose signals are for us. */
void signals_not_from(pid_t pid);

#endif
