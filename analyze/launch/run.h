/* Running the traced program as if we were not there: its arguments, its
 * descriptors, its signals, its exit status. */
#ifndef MALLOSCOPE_LAUNCH_RUN_H
#define MALLOSCOPE_LAUNCH_RUN_H

#include "analyze/util.h"

#include <sys/types.h>

struct child {
    pid_t pid;
    int go;     /* written to: the child goes on and becomes the program */
    int failed; /* read from: errno of an exec that failed */
};

/* Makes the process that will be the program `command`, waiting. It will have
 * the caller's environment. 0 or -errno. */
int child_make(char **command, struct child *ret_child);

/* Lets it become the program, with one more environment variable. 0, or the
 * errno of execvp; then it is gone. */
int child_start(struct child *child, const char *name_and_value);

/* Ends a child that has not been started. */
void child_abandon(struct child *child);

/* Waits for its end; signals that were meant for it are passed on. Returns a
 * wait status as waitpid's. */
int child_wait(struct child *child);

#endif
