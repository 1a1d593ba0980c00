/* A look at the file that is about to be executed: could the library be loaded
 * into the program? The kernel's and the loader's judgement, from the file alone.
 * What cannot be read or is not known is taken to be recordable.
 *
 * Any place, also signal handlers and vfork children: async-signal-safe, without
 * locks or allocation; about a kilobyte of stack. */
#ifndef MALLOSCOPE_OUTSIDE_EXEC_TARGET_H
#define MALLOSCOPE_OUTSIDE_EXEC_TARGET_H

#include "format/record.h"

#include <stdbool.h>
#include <stddef.h>

/* Why nothing can be recorded in the program that execve(path) would start; a
 * script is its interpreter. REC_UNTRACED_WITHDRAWN: nothing speaks against it.
 * *ret_is_loader: it is the loader itself, by its path. */
enum rec_untraced exec_target_judge(const char *path, bool *ret_is_loader);

/* The path that execvp(file) would execute: file itself where it has a slash, else
 * ret_path, relative to the directory (AT_FDCWD) where PATH is. NULL: there is none, or it
 * is too long. */
const char *exec_target_search(int directory, const char *file, char *ret_path, size_t bytes);

/* Whether a library's name begins as a sanitizer's runtime's that ends or crashes a program
 * in which another library comes before it. */
bool exec_target_is_sanitizer(const char *name);

#endif
