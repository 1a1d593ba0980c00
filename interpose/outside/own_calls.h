/* Makes our own calls of libc's functions come to libc. A program, or a library that is preloaded before us, may
 * have functions of the same names: a dlsym that looks further, a dlopen that takes a lock. They were made for
 * the program's calls, and ours may come in the middle of them. Outside only. */
#ifndef MALLOSCOPE_OUTSIDE_OWN_CALLS_H
#define MALLOSCOPE_OUTSIDE_OWN_CALLS_H

/* To be called before any of these functions is; more than once is as once. */
void own_calls_bind(void);

#endif
