/* system and popen. */
#ifndef MALLOSCOPE_OUTSIDE_SHELL_H
#define MALLOSCOPE_OUTSIDE_SHELL_H

/* Looks up the real functions. Once, at the start. */
void shell_prepare(void);

#endif
