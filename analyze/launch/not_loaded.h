/* Why was the shim never in a program that target_find had let pass? */
#ifndef MALLOSCOPE_LAUNCH_NOT_LOADED_H
#define MALLOSCOPE_LAUNCH_NOT_LOADED_H

#include "analyze/launch/target.h"

/* The likely reason and what to do, as the rest of a sentence; NULL: none is
 * found. status: how the program ended, as waitpid's. To be freed. */
char *not_loaded_reason(const struct target *target, const char *shim, int status);

#endif
