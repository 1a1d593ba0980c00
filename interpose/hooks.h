/* For stand-ins elsewhere than in hooks.c: an event of theirs is logged as hooks.c
 * logs its own, or is none if the thread is busy with another. Where hooks may run;
 * errno is kept. */
#ifndef MALLOSCOPE_HOOKS_H
#define MALLOSCOPE_HOOKS_H

#include "format/record.h"
#include "interpose/inside/walk.h"

#include <stddef.h>

/* After the real call. block NULL: it has failed. */
void hooks_allocated(enum rec_function function, const void *block, size_t size, size_t alignment,
                     const struct walk_start *start);

/* Before the real call. False: the block is none that the real function may see. */
bool hooks_frees(enum rec_function function, const void *block, const struct walk_start *start);

#endif
