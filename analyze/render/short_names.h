/* Names of functions in less room. */
#ifndef MALLOSCOPE_RENDER_SHORT_NAMES_H
#define MALLOSCOPE_RENDER_SHORT_NAMES_H

#include <stddef.h>

/* With its templates' arguments left out: "std::vector<>::reserve". Good until the next call. */
const char *names_short(const char *function);

/* In so many columns at most: what is left out is "...", and brackets that are open there are closed:
 * "hooks::{K#0...}". To be freed. */
char *names_cut(const char *name, size_t columns);

#endif
