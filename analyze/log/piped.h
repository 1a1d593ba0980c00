/* A log that comes through a pipe: `zstdcat LOG.zst | malloscope report -`. Reading a log
 * takes looking around in it, so all of it is put into an unnamed file first. */
#ifndef MALLOSCOPE_LOG_PIPED_H
#define MALLOSCOPE_LOG_PIPED_H

#include "analyze/util.h"

/* Whether this stands for stdin: "-", "/dev/stdin". */
bool piped_is_stdin(const char *path);
/* That, or it is a FIFO. */
bool piped_is_meant(const char *path);
/* What messages call it. */
const char *piped_name(const char *path);

/* Waits for the other side to end, or for goes_on(data, -1) to say no, which is asked at least
 * after each block and each signal: what has come by then counts. *ret_fd: of a regular file that
 * begins with what was read: stdin itself where that is one, else in TMPDIR. 0, or -errno: it is no
 * log, or there is no room; a little room is left for others. */
int piped_open(const char *path, bool (*goes_on)(void *data, double progress), void *data, int *ret_fd, struct failure *ret_failure);

#endif
