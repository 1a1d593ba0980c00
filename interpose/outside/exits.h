/* _exit and _Exit, and quick_exit, which no destructor hears of: so that the log tells when the process ended. */
#ifndef MALLOSCOPE_OUTSIDE_EXITS_H
#define MALLOSCOPE_OUTSIDE_EXITS_H

struct walk_start;

/* Looks up the real functions. Once, at the start. */
void exits_prepare(void);
/* Hears of quick_exit. Once, before the program registers anything. */
void exits_watch(void);

/* The process ends by exit, in a thread that has no context yet. */
void exits_note(const struct walk_start *start);

#endif
