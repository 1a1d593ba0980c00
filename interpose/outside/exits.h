/* _exit, _Exit and quick_exit, which no destructor hears of: so that the log tells when the process ended. */
#ifndef MALLOSCOPE_OUTSIDE_EXITS_H
#define MALLOSCOPE_OUTSIDE_EXITS_H

/* Looks up the real functions. Once, at the start. */
void exits_prepare(void);

#endif
