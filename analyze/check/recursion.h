/* Sites of a recursion: how deep it was says nothing of which they are. */
#ifndef MALLOSCOPE_CHECK_RECURSION_H
#define MALLOSCOPE_CHECK_RECURSION_H

#include <stdbool.h>

/* Of two keys (measured_site.key) that differ: whether they may do so only in how often functions call themselves or each other. */
bool recursion_is_same(const char *a, const char *b);

#endif
