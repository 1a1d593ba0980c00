/* What a rewritten text file changes, as `diff -u` shows it. */
#ifndef MALLOSCOPE_CHECK_PATCH_H
#define MALLOSCOPE_CHECK_PATCH_H

#include <stdio.h>

/* old: NULL: there was none. Nothing is written where they are the same. */
void patch_print(FILE *to, const char *name, const char *old, const char *new);

#endif
