/* What the stand-ins of outside/exec.c and spawn.c do. What cannot be recorded
 * (outside/exec_target.c) runs without us, as another architecture's or C library's
 * loader would complain about our library, and the log says so.
 *
 * The hard problem is that all this happens in vfork children, in signal handlers,
 * between fork and exec in programs with threads: only system calls, and little
 * stack. What the program gives may be anything: the kernel refuses what it cannot read,
 * and so we look before we read. errno is what the real function leaves. */
#include "interpose/outside/exec_call.h"

#include "interpose/inside/hints.h"
#include "interpose/inside/process.h"
#include "interpose/inside/start.h"
#include "interpose/inside/sys.h"
#include "interpose/outside/exec_target.h"
#include "interpose/outside/follow.h"
#include "interpose/outside/listing.h"
#include "interpose/outside/readable.h"
#include "interpose/outside/sandbox.h"
#include "interpose/outside/spawn_directory.h"
#include "interpose/outside/untraced.h"

#include <string.h>
#include <unistd.h>

#define PATH_BYTES 512
#define DESCRIPTORS "/proc/self/fd/"

/* DESCRIPTORS, FD and, if it is not empty, "/PATH", which may be in the same room.
 * NULL: it is too long. */
static const char *path_at(int fd, const char *path, char *ret_path, size_t bytes)
{
    char digits[12], *digit = digits + sizeof digits;
    size_t start = strlen(DESCRIPTORS), length = path ? strlen(path) : 0;

    if (fd < 0 || start + sizeof digits + 1 + length >= bytes)
        return NULL;
    for (unsigned rest = (unsigned)fd; digit == digits + sizeof digits || rest; rest /= 10)
        *--digit = (char)('0' + rest % 10);
    size_t count = (size_t)(digits + sizeof digits - digit), end = start + count;
    memmove(ret_path + end + 1, length ? path : "", length + 1);
    memcpy(ret_path, DESCRIPTORS, start);
    memcpy(ret_path + start, digit, count);
    ret_path[end] = length ? '/' : 0;
    return ret_path;
}

/* The path of what will be executed; NULL: unknown. */
static const char *path_of(const struct exec_call *c, int directory, char *room, size_t bytes)
{
    const char *path = c->searches ? exec_target_search(directory, c->path, room, bytes) : c->path;

    if (c->searches && !path)
        return NULL;
    return directory == AT_FDCWD || (path && path[0] == '/') ? path : path_at(directory, path, room, bytes);
}

/* As people know it: what a descriptor's path in /proc leads to. */
static void make_name(char *room, size_t bytes)
{
    char target[PATH_BYTES];
    char *rest = strchrnul(room + strlen(DESCRIPTORS), '/'), first = *rest;
    size_t rest_bytes = strlen(rest) + 1;

    *rest = 0;
    long length = sys_readlink(room, target, sizeof target);
    *rest = first;
    if (length <= 0 || (size_t)length + rest_bytes > bytes)
        return;
    memmove(room + length, rest, rest_bytes);
    memcpy(room, target, (size_t)length);
}

/* Not inlined, for its stack. ret_path: for the log. ret_lists: nothing of the program will run. */
static NOINLINE enum rec_untraced judge(const struct exec_call *c, char *room, size_t bytes, const char **ret_path, bool *ret_lists)
{
    bool is_loader = false;
    int opened = c->spawn ? spawn_directory_open(c->actions) : AT_FDCWD;
    bool known = opened >= 0 || opened == AT_FDCWD;
    const char *path = known ? path_of(c, c->spawn ? opened : c->directory, room, bytes) : NULL;
    enum rec_untraced reason = path ? follow_judge(exec_target_judge(path, &is_loader), c->environment) : REC_UNTRACED_WITHDRAWN;

    if (reason && path == room && strncmp(room, DESCRIPTORS, strlen(DESCRIPTORS)) == 0)
        make_name(room, bytes);
    if (opened >= 0)
        sys_close(opened);
    *ret_path = path;
    *ret_lists = listing_is_environment(c->environment) || (is_loader && listing_is_command(c->arguments));
    return reason;
}

static void tell_from_sandbox(const struct sandbox_child *child, uint32_t pid, enum rec_untraced reason, const char *path)
{
    if (!process || session.unrecorded)
        return;
    if (child->pid)
        untraced_log_into(child->context, pid ? pid : child->pid, reason, path);
    else
        untraced_log(pid ? pid : process->pid, reason, path);
}

/* Our system calls are forbidden, and so they will be to what is executed: where that
 * kills, it is without us. Its file cannot be looked at, nor what the program gives. */
static NOINLINE int run_in_sandbox(struct exec_call *c)
{
    const bool wanted = follow_wants_exec();
    const enum rec_untraced reason = !wanted ? REC_UNTRACED_WITHDRAWN
                                     : sandbox_kills() ? REC_UNTRACED_SANDBOX
                                     : follow_preloads_sanitizer(c->environment) ? REC_UNTRACED_SANITIZER
                                     : REC_UNTRACED_WITHDRAWN;
    const bool recorded = wanted && !reason && !listing_is_environment(c->environment);
    const char *path = c->path ? c->path : "";
    struct follow_environment environment = { .room = __builtin_alloca(follow_environment_bytes(c->environment, recorded)) };
    struct sandbox_child this_child;
    pid_t spawned = 0;

    follow_make_environment(&environment, c->environment, recorded);
    sandbox_forget_child(&this_child); /* if this succeeds, our parent goes on */
    if (reason && !c->spawn)
        tell_from_sandbox(&this_child, 0, reason, path);
    if (!c->ret_pid)
        c->ret_pid = &spawned;
    int result = c->really(c, environment.variables), error = errno;
    if (reason && !c->spawn)
        tell_from_sandbox(&this_child, 0, REC_UNTRACED_WITHDRAWN, path);
    else if (reason && result == 0)
        tell_from_sandbox(&this_child, (uint32_t)*c->ret_pid, reason, path);
    sandbox_remember_child(&this_child);
    errno = error;
    return result;
}

/* path: for the log. */
static NOINLINE int run_judged(struct exec_call *c, bool recorded, enum rec_untraced reason, const char *path)
{
    struct follow_environment environment;
    pid_t child = 0;

    environment.room = NULL;
    follow_make_environment(&environment, c->environment, recorded);
    if (reason && !c->spawn)
        untraced_log(sys_pid(), reason, path);
    if (!c->ret_pid) /* else the program's own: it must be there when a handler of SIGCHLD looks */
        c->ret_pid = &child;
    int result = c->really(c, environment.variables), error = errno;
    if (environment.variables != c->environment && (c->spawn ? result : error) == E2BIG && result != 0)
        result = c->really(c, c->environment), error = errno; /* our variables were too much */
    follow_release_environment(&environment);
    if (reason && !c->spawn)
        untraced_log(sys_pid(), REC_UNTRACED_WITHDRAWN, path);
    if (reason && c->spawn && result == 0)
        untraced_log((uint32_t)*c->ret_pid, reason, path);
    errno = error;
    return result;
}

/* What takes stack comes one after the other: a handler that forks and executes something may have little. */
int exec_call_run(struct exec_call *c)
{
    enum rec_untraced reason = REC_UNTRACED_WITHDRAWN;
    char room[PATH_BYTES];
    const char *path = NULL;

    start_exec(); /* perhaps called before our first event: by a library that is initialised before us */
    if (!follow_concerns_exec())
        return c->really(c, c->environment);
    if (sys_forbidden || sandbox_child())
        return run_in_sandbox(c);
    if ((c->path && !readable_text(c->path)) || !readable_list(c->environment))
        return c->really(c, c->environment);
    const bool wanted = follow_wants_exec();
    bool lists = false;
    if (wanted)
        reason = judge(c, room, sizeof room, &path, &lists);
    return run_judged(c, wanted && follow_gives_on(reason) && !lists, reason, path);
}
