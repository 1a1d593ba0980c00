/* Brings libunwind into the process for the stacks. Outside only.
 *
 * It is loaded with RTLD_LOCAL instead of being linked: it exports the
 * _Unwind_* functions of the compiler's runtime, and must not take their place
 * in the traced program. */
#ifndef MALLOSCOPE_OUTSIDE_UNWINDER_H
#define MALLOSCOPE_OUTSIDE_UNWINDER_H

#include <stdbool.h>

/* Sets stack_backtrace. False: libunwind is not there. */
bool unwinder_load(void);

#endif
