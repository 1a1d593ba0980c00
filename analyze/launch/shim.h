/* Where libmalloscope.so is: beside this program in a build tree, or installed
 * with it, wherever both were moved; MALLOSCOPE_SHIM wins. */
#ifndef MALLOSCOPE_LAUNCH_SHIM_H
#define MALLOSCOPE_LAUNCH_SHIM_H

#include "analyze/launch/libraries.h"

/* Absolute path, to be freed, of a library that the loader here will take. 0 or
 * -errno with a message. */
int shim_find(char **ret_path, struct failure *ret_failure);

/* What the library at path was built for. */
struct shim {
    bool right_machine;  /* as this program */
    char version[24];    /* of the glibc that it needs at least: "2.35"; "" none */
    bool right_version;  /* this program's glibc is new enough */
};

/* 0, or -errno: it is no library that could be read. */
int shim_read(const char *path, struct shim *ret_shim);

/* Whether the glibc among a program's libraries is new enough for the shim: the
 * loader would end the program if not. 0 or -errno with a message. */
int shim_check(const char *path, const struct libraries *libraries, struct failure *ret_failure);

/* The loader of this program itself: programs with it have our glibc. */
bool shim_shares_loader(const char *loader);

#endif
