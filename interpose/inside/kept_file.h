/* A file that we keep open inside a program that knows nothing of it: the
 * program may close our descriptor, or put a file of its own on our number.
 * So every use first makes sure that the number still is our file, and opens it
 * again by its path where it is not; a foreign file is never touched.
 *
 * May run inside a traced malloc. Threads may use one at the same time. */
#ifndef MALLOSCOPE_INSIDE_KEPT_FILE_H
#define MALLOSCOPE_INSIDE_KEPT_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct kept_file {
    _Atomic int fd; /* a high number, out of the program's way; -1 none */
    int flags;
    dev_t device;
    ino_t inode;
    char path[4096]; /* absolute */
};

#define KEPT_FILE_HIGH_MAX 960

/* Where our descriptors' numbers begin: out of the program's way, below its limit. */
int kept_file_high_number(void);

/* Opens path and moves it to a high number. 0 or -errno. */
int kept_file_open(struct kept_file *file, const char *path, int flags, unsigned mode);

/* Closes our descriptor, if the number still is ours. */
void kept_file_close(struct kept_file *file);

/* A descriptor that surely is this file, or -errno. *ret_bytes: its size now. */
int kept_file_use(struct kept_file *file, uint64_t *ret_bytes);

/* Appends all of data as one write. 0 or -errno: then the file ends with less
 * of it, which the reader drops. */
int kept_file_append(struct kept_file *file, const void *data, size_t bytes);

/* Makes the file's range real on disk, so that a mapping of it never faults.
 * 0 or -errno. */
int kept_file_allocate(struct kept_file *file, uint64_t offset, size_t bytes);

#endif
