/* Whether what a program has given can be read, so that we need not find out by a signal.
 * The kernel is asked, once a page. Outside, any place; not where system calls are forbidden. */
#ifndef MALLOSCOPE_OUTSIDE_READABLE_H
#define MALLOSCOPE_OUTSIDE_READABLE_H

#include <stdbool.h>

/* Up to its final 0. */
bool readable_text(const char *text);

/* Up to its final NULL, and all its texts; NULL is an empty one. */
bool readable_list(char *const *list);

#endif
