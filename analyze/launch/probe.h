/* Running a helper program for a look at what it does: the loader, or ourselves
 * with the shim. Never the user's program. */
#ifndef MALLOSCOPE_LAUNCH_PROBE_H
#define MALLOSCOPE_LAUNCH_PROBE_H

#include "analyze/util.h"

struct probe {
    char *output;  /* stdout and stderr, at most 1 MiB, with a final 0 */
    int status;    /* as waitpid's */
    bool too_slow; /* it had to be killed */
};

/* Runs arguments[0] (a path) with our environment, changed as `changes` say, each
 * "NAME=VALUE" or "NAME" (unset), up to NULL. Nothing of MALLOSCOPE_* is passed
 * on. stdin is empty. 0 or -errno; an exec that fails ends
 * with status 127. */
int probe_run(char *const *arguments, char *const *changes, unsigned seconds, struct probe *ret_probe);
void probe_release(struct probe *probe);

#endif
