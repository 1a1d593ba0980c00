/* The loader's list of modules, in the loader's own data. */
#ifndef MALLOSCOPE_INSIDE_LOADER_LIST_H
#define MALLOSCOPE_INSIDE_LOADER_LIST_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>

extern struct r_debug _r_debug __attribute__((weak));

/* The program's. NULL: there is none yet. */
static inline const struct link_map *loader_first_module(void)
{
    return &_r_debug ? _r_debug.r_map : NULL;
}

/* Some thread, or what a signal has interrupted, is changing it. */
static inline bool loader_is_at_work(void)
{
    return &_r_debug && *(const volatile int *)&_r_debug.r_state != RT_CONSISTENT;
}

#endif
