/* Limits of this process that its program inherits, and within which it would not run as it does alone. */
#ifndef MALLOSCOPE_LAUNCH_LIMITS_H
#define MALLOSCOPE_LAUNCH_LIMITS_H

#include "analyze/util.h"

/* 0, or -errno with a message: the recorder should not be loaded into a program. */
int limits_check(struct failure *ret_failure);

#endif
