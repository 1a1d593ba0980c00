/* Can the program that `record` is given be traced? Decided before anything
 * runs, from its file alone: nothing is executed, nothing is printed. What exec
 * would refuse is refused here with the exit code that a shell gives it, and so
 * is what would run with its loader ignoring LD_PRELOAD, unseen.
 *
 * A set-user-ID (or set-group-ID) program whose owner is our own effective user
 * (group) can be traced: the kernel changes nothing and raises no AT_SECURE. So
 * can one on a nosuid file system or under no_new_privs. File capabilities do
 * raise it for all but root, no_new_privs or not. A file that may be executed
 * but not read passes: what it is cannot be known. */
#ifndef MALLOSCOPE_LAUNCH_TARGET_H
#define MALLOSCOPE_LAUNCH_TARGET_H

#include "analyze/util.h"

struct target {
    char *path; /* found as execvp would, through PATH when the name has no '/'; start it with execvp */
};

/* 0; or an exit code and *ret_failure: 127 not found, 126 found but cannot be
 * executed, 125 would run but cannot be traced; the path is then NULL. */
int target_find(const char *program, struct target *ret_target, struct failure *ret_failure);
void target_release(struct target *target);

#endif
