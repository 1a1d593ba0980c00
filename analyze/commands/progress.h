/* What a pass over a log shows of itself, and how it is ended: after a second, a line on
 * stderr, if that is a terminal, that is gone when the pass is over; and Ctrl-C, which
 * ends it so that what is known so far can be shown. A second Ctrl-C ends the program. */
#ifndef MALLOSCOPE_COMMANDS_PROGRESS_H
#define MALLOSCOPE_COMMANDS_PROGRESS_H

#include "analyze/util.h"

struct progress {
    const char *what; /* the line begins with it */
    uint64_t began_ns, shown_ns;
    bool is_terminal, is_shown;
};

void progress_begin(struct progress *p, const char *what);
void progress_end(struct progress *p);

/* As facts_options.goes_on; data: the struct progress. */
bool progress_goes_on(void *data, double progress);

#endif
