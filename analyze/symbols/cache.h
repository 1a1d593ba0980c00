/* Resolved names on disk, a file for each build-id, for the next report.
 *
 * $XDG_CACHE_HOME/malloscope, or ~/.cache/malloscope. Files are replaced as a whole, so
 * that processes can share them; the oldest go when all take more than CACHE_BYTES_MAX.
 * What is read is whole and of the same files as now, but not to be believed: anyone may
 * have written it. Where the directory cannot be made or written, there is no cache. */
#ifndef MALLOSCOPE_SYMBOLS_CACHE_H
#define MALLOSCOPE_SYMBOLS_CACHE_H

#include <stddef.h>
#include <stdint.h>

#define CACHE_BYTES_MAX (256u << 20)

struct cache_key {
    const uint8_t *build_id;
    size_t build_id_bytes;
    uint64_t stamp; /* of the files that the names are from */
};

char *cache_directory(void); /* to be freed; NULL: there is none */

/* What was given to cache_write(), to be freed; NULL: nothing. */
uint8_t *cache_read(const char *directory, const struct cache_key *key, size_t *ret_bytes);
void cache_write(const char *directory, const struct cache_key *key, const void *data, size_t bytes);

/* Removes the oldest files until all have at most so many bytes. */
void cache_trim(const char *directory, uint64_t bytes_max);

#endif
