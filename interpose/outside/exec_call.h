/* One call of a function by which a program becomes another one, or starts one: the
 * same call, with an environment that lets the new program be recorded, too, or keeps it
 * from being (outside/follow.h). Any place, also signal handlers and vfork children:
 * async-signal-safe, without locks or allocation, little stack. */
#ifndef MALLOSCOPE_OUTSIDE_EXEC_CALL_H
#define MALLOSCOPE_OUTSIDE_EXEC_CALL_H

#include <spawn.h>
#include <stdbool.h>
#include <sys/types.h>

typedef int spawn_function(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                           char *const *, char *const *);

struct exec_call {
    int (*really)(const struct exec_call *call, char *const *environment); /* the real call */
    const char *path;
    bool searches; /* for the path in PATH, where it has no slash */
    int directory; /* where a relative path begins; without a path the file itself */
    int flags;
    char *const *arguments, *const *environment;
    /* Of one that starts a process; else NULL: */
    spawn_function *const *spawn;
    pid_t *ret_pid;
    const posix_spawn_file_actions_t *actions;
    const posix_spawnattr_t *attributes;
};

/* What the real call returns, and its errno. */
int exec_call_run(struct exec_call *call);

#endif
