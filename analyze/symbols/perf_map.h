/* The names that a process gives to code which it has made itself: /tmp/perf-PID.map, a
 * line for each piece: START SIZE NAME, the numbers in hexadecimal. As perf reads them. */
#ifndef MALLOSCOPE_SYMBOLS_PERF_MAP_H
#define MALLOSCOPE_SYMBOLS_PERF_MAP_H

#include <stddef.h>
#include <stdint.h>

/* Sets names[i], to be freed, where one is there for addresses[i]; these are in ascending
 * order. Of several the last line counts: code is replaced. Anyone can put a file into
 * /tmp: only a regular one of this user's or root's is read, and, where began_ns is
 * known, none that was written last before the process began. Returns why a file that is
 * there is not read, as the end of a sentence; NULL: nothing is wrong. */
const char *perf_map_read(const char *path, uint64_t began_ns, const uint64_t *addresses, size_t count, char **names);

#endif
