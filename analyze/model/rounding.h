/* What glibc's malloc adds to a size: a chunk is the size and 8 bytes, rounded up to 16,
 * and at least 32; all of it but 8 bytes can be used. What mmapped blocks lose to whole pages,
 * from a threshold on that glibc moves, and aligned ones to their alignment is not counted. */
#ifndef MALLOSCOPE_MODEL_ROUNDING_H
#define MALLOSCOPE_MODEL_ROUNDING_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Bytes of a block of this size that its program has not asked for and could use. */
static inline uint64_t rounding_of(uint64_t size)
{
    return size < 24 ? 24 - size : ((size + 23) & ~15ull) - 8 - size;
}

/* Whether the module with the real malloc is glibc; path may be NULL. */
static inline bool rounding_is_known(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL, *name = slash ? slash + 1 : path;
    return name && (strncmp(name, "libc.so.", 8) == 0 || strncmp(name, "libc-2.", 7) == 0);
}

#endif
