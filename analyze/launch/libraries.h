/* The libraries that the loader would load with a program, in its own words: it is
 * run in its list mode, which maps them and runs nothing of them. Not for
 * programs that are set-user-ID or for another machine: target.h tells. */
#ifndef MALLOSCOPE_LAUNCH_LIBRARIES_H
#define MALLOSCOPE_LAUNCH_LIBRARIES_H

#include "analyze/util.h"

struct library {
    char *name; /* as it is asked for */
    char *path; /* NULL: not found */
};

struct libraries {
    struct library *list; /* in the order in which symbols are looked up; what LD_PRELOAD names comes first */
    size_t count, capacity;
};

/* 0 or -errno: the loader would not tell, or is none of glibc's and is not asked. */
int libraries_list(const char *loader, const char *program, struct libraries *ret_libraries);
void libraries_release(struct libraries *libraries);

/* For the tests: what the loader printed. */
void libraries_parse(char *output, struct libraries *libraries);

/* The first library that has a malloc: the allocator of a program without one
 * of its own. NULL: none was found. */
const struct library *libraries_allocator(const struct libraries *libraries);

/* The first that was not found, or NULL: then the program can start. */
const struct library *libraries_missing(const struct libraries *libraries);

#endif
