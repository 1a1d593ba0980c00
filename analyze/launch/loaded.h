/* A loader that is run as a program: what it is told to load. */
#ifndef MALLOSCOPE_LAUNCH_LOADED_H
#define MALLOSCOPE_LAUNCH_LOADED_H

#include "analyze/launch/target.h"

/* The program among the arguments of a command that runs a loader; in `command`. NULL: the target
 * is no loader, or none is named. */
const char *loaded_program(const struct target *target, char **command);

/* The option among them with which the loader only says what it would load, and runs nothing; or NULL. */
const char *loaded_listing(const struct target *target, char **command);

#endif
