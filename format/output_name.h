/* The log's file name from a template, the same in the launcher and the shim:
 * %p pid, %e the program's base name, %h host name, %n the smallest number from
 * 1 that gives a name not yet taken, %% a per cent sign.
 * Pure; may be called anywhere. */
#ifndef MALLOSCOPE_FORMAT_OUTPUT_NAME_H
#define MALLOSCOPE_FORMAT_OUTPUT_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTPUT_NAME_DEFAULT "%e.%p.mscope"

struct output_name {
    const char *program; /* path or base name */
    const char *host;
    uint32_t pid;
    uint32_t number;
};

/* False: the name does not fit in bytes (with its final 0), or the template has
 * a % that is none of the above. */
bool output_name_expand(const char *pattern, const struct output_name *values, char *ret_name, size_t bytes);

/* Whether the template has a %n, so that the caller tries one number after another. */
bool output_name_is_numbered(const char *pattern);

#endif
