/* Where libmalloscope.so is: beside this program in a build tree, or installed
 * with it, wherever both were moved; MALLOSCOPE_SHIM wins. */
#ifndef MALLOSCOPE_LAUNCH_SHIM_H
#define MALLOSCOPE_LAUNCH_SHIM_H

#include "analyze/util.h"

/* Absolute path, to be freed. 0 or -errno with a message. */
int shim_find(char **ret_path, struct failure *ret_failure);

#endif
