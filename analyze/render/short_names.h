/* Names of functions in less room. */
#ifndef MALLOSCOPE_RENDER_SHORT_NAMES_H
#define MALLOSCOPE_RENDER_SHORT_NAMES_H

#include <stddef.h>

/* With its templates' arguments left out: "std::vector<>::reserve". Good until the next call. */
const char *names_short(const char *function);

/* In so many columns at most; what is left out is "...". First of what is in brackets, as arguments of templates and parameters:
 * "app::Cache<std::pair<...>>::reload"; then of what it is in: "...::reload"; then its end. To be freed. */
char *names_cut(const char *name, size_t columns);

#endif
