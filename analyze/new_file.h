/* A file that a command makes: it is under its name when it is complete, and until then, or where it cannot be
 * written, what was there before stays. */
#ifndef MALLOSCOPE_ANALYZE_NEW_FILE_H
#define MALLOSCOPE_ANALYZE_NEW_FILE_H

#include "analyze/util.h"

#include <limits.h>
#include <stdio.h>
#include <sys/types.h>

struct new_file {
    FILE *file; /* to write into; NULL: closed or dropped */
    const char *path;
    char real[PATH_MAX]; /* where links lead to: they stay */
    char *beside;        /* where it is written, in the same directory; NULL: straight */
    mode_t mode;
};

/* What is no regular file, as a device or a pipe, and what stdout goes to, is written straight. Each 0, or -errno and
 * nothing is left of it. */
int new_file_open(struct new_file *f, const char *path, struct failure *ret_failure);
int new_file_close(struct new_file *f, struct failure *ret_failure);

/* It is not to be. Also after new_file_close(), and of one that is all zero. */
void new_file_drop(struct new_file *f);

/* The file at this path is not whole; NULL: none is. new_file_open() and _close() say it of theirs; one at a time. */
void new_file_watch(const char *path);
/* For who ends at once: that is not to be. Async-signal-safe. */
void new_file_abandon(void);

/* Where a link leads to, also if nothing is there yet; ELOOP is told by whoever opens it. */
void follow_links(const char *path, char ret_real[PATH_MAX]);

#endif
