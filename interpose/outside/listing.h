/* Runs of a program in which the loader says what it would load, and runs nothing: as ldd makes
 * them. Our library must not be in what it says. Any place: as exec_target.h. */
#ifndef MALLOSCOPE_OUTSIDE_LISTING_H
#define MALLOSCOPE_OUTSIDE_LISTING_H

#include <stdbool.h>

/* By the environment, whatever the program is. */
bool listing_is_environment(char *const *environment);

/* By the arguments, if the program is the loader itself. NULL, and what cannot be read, is none. */
bool listing_is_command(char *const *arguments);

#endif
