/* What the compiler made of a function's name, undone: C++, Rust (both manglings), D. */
#ifndef MALLOSCOPE_SYMBOLS_DEMANGLE_H
#define MALLOSCOPE_SYMBOLS_DEMANGLE_H

#include <stddef.h>

/* To be freed, both; *ret_signature is NULL where it would be the same as the function. Names
 * that are not mangled stay as they are, but for the suffixes of a function's parts and
 * clones (.cold, .part.0, ...), which go in any case. */
void demangle(const char *name, char **ret_function, char **ret_signature);

/* The length of the name without suffixes like .constprop.0 at its end. */
size_t demangle_bare_length(const char *name);

#endif
