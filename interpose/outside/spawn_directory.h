/* The directory in which a spawned program begins, where its file actions change it: what
 * was added to them is kept beside them, for the C library's own list is not for others to
 * read. Outside only; for one actions object by one thread at a time, as all of its functions. */
#ifndef MALLOSCOPE_OUTSIDE_SPAWN_DIRECTORY_H
#define MALLOSCOPE_OUTSIDE_SPAWN_DIRECTORY_H

#include <spawn.h>

/* path NULL: fd. */
void spawn_directory_add(posix_spawn_file_actions_t *actions, const char *path, int fd);

/* Before they are destroyed. */
void spawn_directory_forget(posix_spawn_file_actions_t *actions);

/* A descriptor of it, the caller's; AT_FDCWD: the process's own; -errno: it cannot be had.
 * actions may be NULL. Of a descriptor that earlier actions have made we know nothing. */
int spawn_directory_open(const posix_spawn_file_actions_t *actions);

#endif
