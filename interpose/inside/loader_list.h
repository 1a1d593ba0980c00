/* Where the loader's list of modules begins; in the loader's own data. */
#ifndef MALLOSCOPE_INSIDE_LOADER_LIST_H
#define MALLOSCOPE_INSIDE_LOADER_LIST_H

#include <link.h>
#include <stddef.h>

extern struct r_debug _r_debug __attribute__((weak));

/* The program's. NULL: there is none yet. */
static inline const struct link_map *loader_first_module(void)
{
    return &_r_debug ? _r_debug.r_map : NULL;
}

#endif
