/* How each process of a session ended: what was allocated then is a leak only where
 * the program came to its end by itself. */
#ifndef MALLOSCOPE_MODEL_ENDINGS_H
#define MALLOSCOPE_MODEL_ENDINGS_H

#include "analyze/model/facts.h"

enum ending {
    ENDING_UNKNOWN, /* nothing says so: killed, perhaps */
    ENDING_EXIT,
    ENDING_SIGNAL,
    ENDING_EXEC,    /* another program took its place */
    ENDING_RUNNING, /* it still runs */
    ENDING_LEFT,    /* by _exit: nothing was to be tidied up */
    ENDING_LATER,   /* after the part of the log that was read: what becomes of its blocks is not told */
};

/* By process; the caller frees it. */
enum ending *endings_find(const struct facts *facts);

/* "exit status 1", "killed by signal 9 (Killed)", ... Good until the next call. */
const char *ending_text(enum ending ending, const struct told_process *process);
/* For files: "exit", "signal", "exec", "running", "left", "later", "unknown". */
const char *ending_name(enum ending ending);

#endif
