/* A file that we keep open inside a program that knows nothing of it: the
 * program may close our descriptor, or put a file of its own on our number.
 * So every use first makes sure that the number still is our file, and opens it
 * again by its path where it is not; a foreign file is never touched.
 *
 * Between that and the use nothing may come in between. Numbers that the program cannot
 * have are out of its reach (numbers.h). For others, signals are blocked, and what the
 * program does to descriptors through the C library waits for us (interpose/descriptors.c);
 * only a bare dup2 system call of another thread within these few hundred nanoseconds
 * could come in.
 *
 * May run inside a traced malloc. Threads may use one at the same time. */
#ifndef MALLOSCOPE_INSIDE_KEPT_FILE_H
#define MALLOSCOPE_INSIDE_KEPT_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct kept_file {
    _Atomic int fd; /* a number of numbers.h; -1 none */
    int flags;
    bool named; /* it has a name that can be deleted */
    dev_t device;
    ino_t inode;
    char path[4096]; /* absolute */
};

/* Opens path and moves it to a high number. 0 or -errno. */
int kept_file_open(struct kept_file *file, const char *path, int flags, unsigned mode);

/* Keeps a descriptor that somebody else has opened; it has no path. */
void kept_file_adopt(struct kept_file *file, int fd);

/* Takes another one over: for one that is opened before the old one is closed. */
void kept_file_move(struct kept_file *to, const struct kept_file *from);

/* Closes our descriptor, if the number still is ours. */
void kept_file_close(struct kept_file *file);

/* Whether the number is this file's, now. */
bool kept_file_owns(const struct kept_file *file, int number);

/* The program wants the number, which is this file's: leaves it for another (an adopted
 * one gives it up), and waits until nobody uses the old one. Not while a use is going on. */
void kept_file_leave(struct kept_file *file, int number);

struct kept_use {
    int fd;
    uint64_t bytes;   /* the file's size now */
    uint64_t signals; /* blocked before */
    uint32_t epoch;
};

/* A descriptor that surely is this file until the end of its use; 0 or -errno, then
 * without an end. */
int kept_file_begin(struct kept_file *file, struct kept_use *ret_use);
void kept_file_end(const struct kept_use *use);

/* Appends all of data as one write. 0 or -errno: then the file ends with less
 * of it, which the reader drops. */
int kept_file_append(struct kept_file *file, const void *data, size_t bytes);

/* Makes the file's range real on disk, so that a mapping of it never faults, and
 * maps it shared. *ret_at; 0 or -errno. */
int kept_file_map(struct kept_file *file, uint64_t offset, size_t bytes, void **ret_at);

#endif
