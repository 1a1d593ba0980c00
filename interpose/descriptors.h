/* Looks up the functions behind those of descriptors.c; at the start, so that no
 * call in a forked child has to wait for the loader's lock. */
#ifndef MALLOSCOPE_DESCRIPTORS_H
#define MALLOSCOPE_DESCRIPTORS_H

#include <stdbool.h>

void descriptors_resolve(void);

/* Before the system calls themselves are made, by whatever function. False: the call is
 * not to be made, and fails; errno is set. */
bool descriptors_may_close(int fd);
bool descriptors_may_dup2(int old, int new);
void descriptors_before_dup3(int old, int new);

/* close_range, by calls of `real`, around our numbers. */
int descriptors_close_range(int (*real)(unsigned, unsigned, int), unsigned first, unsigned last, int flags);

#endif
