/* Can the program that `record` is given be traced? Decided before anything
 * runs, from its file alone: nothing is executed, nothing is printed. What exec
 * would refuse is refused here with the exit code that a shell gives it, and so
 * is what would run with its loader ignoring LD_PRELOAD, unseen.
 *
 * A set-user-ID (or set-group-ID) program whose owner is our own effective user
 * (group) can be traced: the kernel changes nothing and raises no AT_SECURE. So
 * can one on a nosuid file system or under no_new_privs. File capabilities do
 * raise it for all but root, no_new_privs or not. Refused is also what would not
 * survive: a program with a sanitizer's runtime library. A file that may be
 * executed but not read passes: what it is cannot be known. */
#ifndef MALLOSCOPE_LAUNCH_TARGET_H
#define MALLOSCOPE_LAUNCH_TARGET_H

#include "analyze/launch/program.h"

struct target {
    char *path;    /* found as execvp would, through PATH when the name has no '/'; start it with execvp */
    char *chain;   /* "script -> interpreter -> ...": what is executed one after the other; path, if that is no script */
    char *program; /* the last of these */
    char *loader;  /* that program names; NULL: it is a loader itself, or could not be read */
    bool is_read;  /* program could be read, and heap is what it tells */
    struct program heap;
};

/* 0; or an exit code and *ret_failure: 127 not found, 126 found but cannot be
 * executed, 125 would run but cannot be traced; the path is then NULL. */
int target_find(const char *program, struct target *ret_target, struct failure *ret_failure);
void target_release(struct target *target);
#define _cleanup_target_ __attribute__((cleanup(target_release)))

#endif
