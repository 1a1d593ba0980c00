/* What a pass over a log shows of itself, and how it is ended: after a second, a line on
 * stderr, if that is a terminal, that is gone when the pass is over; and Ctrl-C, SIGTERM
 * or SIGHUP, which ends it so that what is known so far can be shown. A second one ends
 * the program (SIGHUP counts once), and so does the first where no pass goes on; where
 * output is written it says so.
 * One pass at a time. */
#ifndef MALLOSCOPE_COMMANDS_PROGRESS_H
#define MALLOSCOPE_COMMANDS_PROGRESS_H

#include "analyze/util.h"

/* What Ctrl-C ends besides the pass that it comes in. */
enum progress_kind {
    PROGRESS_COPIES, /* of a log out of a pipe: nothing, what has come is read */
    PROGRESS_READS,  /* of logs: later ones that read, not those that name what was read */
    PROGRESS_NAMES,  /* all */
};

struct progress {
    const char *what; /* the line begins with it */
    enum progress_kind kind;
    uint64_t began_ns, shown_ns;
    bool is_terminal, is_shown;
    bool was_interrupted;
};

void progress_begin(struct progress *p, enum progress_kind kind, const char *what);
void progress_end(struct progress *p);

/* As facts_options.goes_on; data: the struct progress. progress below 0: nobody knows how far it is. */
bool progress_goes_on(void *data, double progress);

#endif
