/* Stands in for the exec family: the same call, with an environment that lets
 * the new program be recorded, too, or keeps it from being (outside/follow.c).
 * What cannot be recorded (outside/exec_target.c) runs without us, as another
 * architecture's or C library's loader would complain about our library, and the
 * log says so.
 *
 * The hard problem is that all this happens in vfork children, in signal handlers,
 * between fork and exec in programs with threads: only system calls, and little
 * stack. errno is what the real function leaves. */
#include "interpose/outside/exec.h"

#include "interpose/inside/process.h"
#include "interpose/inside/start.h"
#include "interpose/inside/sys.h"
#include "interpose/outside/exec_target.h"
#include "interpose/outside/follow.h"
#include "interpose/outside/sandbox.h"
#include "interpose/outside/untraced.h"

#include <dlfcn.h>
#include <spawn.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define PATH_BYTES 512

int execveat(int directory, const char *path, char *const *arguments, char *const *environment, int flags);

static struct {
    int (*execve)(const char *, char *const *, char *const *);
    int (*execvpe)(const char *, char *const *, char *const *);
    int (*fexecve)(int, char *const *, char *const *);
    int (*execveat)(int, const char *, char *const *, char *const *, int);
    int (*posix_spawn)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                       char *const *, char *const *);
    int (*posix_spawnp)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                        char *const *, char *const *);
} real;

void exec_prepare(void)
{
#define FIND(name)                                        \
    do {                                                  \
        void *symbol = dlsym(RTLD_NEXT, #name);           \
        if (symbol)                                       \
            memcpy(&real.name, &symbol, sizeof symbol);   \
    } while (0)
    FIND(execveat); /* glibc 2.34: first, as a later success forgets the error */
    FIND(execvpe);
    FIND(fexecve);
    FIND(posix_spawn);
    FIND(posix_spawnp);
    FIND(execve);
#undef FIND
}

enum function { EXECVE, EXECVPE, FEXECVE, EXECVEAT, POSIX_SPAWN, POSIX_SPAWNP };

struct call {
    enum function function;
    int fd, flags;
    const char *path;
    char *const *arguments, *const *environment;
    pid_t *ret_pid;
    const posix_spawn_file_actions_t *actions;
    const posix_spawnattr_t *attributes;
};

static int call_real(const struct call *c, char *const *environment)
{
    switch (c->function) {
    case EXECVE:
        if (real.execve)
            return real.execve(c->path, c->arguments, environment);
        break;
    case EXECVPE:
        if (real.execvpe)
            return real.execvpe(c->path, c->arguments, environment);
        break;
    case FEXECVE:
        if (real.fexecve)
            return real.fexecve(c->fd, c->arguments, environment);
        break;
    case EXECVEAT:
        if (real.execveat)
            return real.execveat(c->fd, c->path, c->arguments, environment, c->flags);
        return (int)syscall(SYS_execveat, c->fd, c->path, c->arguments, environment, c->flags);
    case POSIX_SPAWN:
        if (real.posix_spawn)
            return real.posix_spawn(c->ret_pid, c->path, c->actions, c->attributes, c->arguments, environment);
        return ENOSYS;
    case POSIX_SPAWNP:
        if (real.posix_spawnp)
            return real.posix_spawnp(c->ret_pid, c->path, c->actions, c->attributes, c->arguments, environment);
        return ENOSYS;
    }
    errno = ENOSYS;
    return -1;
}

/* "/proc/self/fd/FD" and, if it is not empty, "/PATH". NULL: it is too long. */
static const char *path_at(int fd, const char *path, char *ret_path, size_t bytes)
{
    static const char start[] = "/proc/self/fd/";
    char digits[12], *digit = digits + sizeof digits, *at = ret_path + sizeof start - 1;
    size_t length = path ? strlen(path) : 0;

    if (fd < 0 || sizeof start + sizeof digits + 1 + length > bytes)
        return NULL;
    memcpy(ret_path, start, sizeof start - 1);
    for (unsigned rest = (unsigned)fd; digit == digits + sizeof digits || rest; rest /= 10)
        *--digit = (char)('0' + rest % 10);
    at = (char *)mempcpy(at, digit, (size_t)(digits + sizeof digits - digit));
    if (length)
        *at++ = '/';
    memcpy(at, length ? path : "", length + 1);
    return ret_path;
}

/* The path of what will be executed; NULL: unknown. */
static const char *path_of(const struct call *c, char *room, size_t bytes)
{
    if (c->function == EXECVPE || c->function == POSIX_SPAWNP)
        return exec_target_search(c->path, room, bytes);
    if (c->function == FEXECVE)
        return path_at(c->fd, NULL, room, bytes);
    if (c->function == EXECVEAT && c->path && c->path[0] != '/' && c->fd != AT_FDCWD)
        return path_at(c->fd, c->path, room, bytes);
    return c->path;
}

/* As people know it: what a descriptor's path in /proc leads to. */
static const char *name_of(const char *path, char *room, size_t bytes)
{
    if (path != room)
        return path;
    char target[PATH_BYTES];
    long length = sys_readlink(path, target, bytes - 1);
    if (strncmp(path, "/proc/self/fd/", 14) == 0 && length > 0) {
        memcpy(room, target, (size_t)length);
        room[length] = 0;
    }
    return room;
}

/* Not inlined, for their stack. */
static __attribute__((noinline)) enum rec_untraced judge(const struct call *c, char *room, size_t bytes, const char **ret_path)
{
    enum rec_untraced reason;

    *ret_path = path_of(c, room, bytes);
    if (!*ret_path)
        return REC_UNTRACED_WITHDRAWN;
    reason = exec_target_judge(*ret_path);
    return reason == REC_UNTRACED_WITHDRAWN && !follow_can_record() ? REC_UNTRACED_UNREACHABLE : reason;
}

static __attribute__((noinline)) void tell(uint32_t pid, enum rec_untraced reason, const char *path, char *room, size_t bytes)
{
    untraced_log(pid, reason, name_of(path, room, bytes));
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
 * kills, it is without us. Its file cannot be looked at. */
static int run_in_sandbox(struct call *c, bool spawns)
{
    const bool wanted = session.follow == FOLLOW_EXEC, leaves_us = wanted && sandbox_kills();
    const bool recorded = wanted && !leaves_us;
    const char *path = c->path ? c->path : "";
    struct follow_environment environment = { .room = __builtin_alloca(follow_environment_bytes(c->environment, recorded)) };
    struct sandbox_child this_child;
    pid_t spawned = 0;

    follow_make_environment(&environment, c->environment, recorded);
    sandbox_forget_child(&this_child); /* if this succeeds, our parent goes on */
    if (leaves_us && !spawns)
        tell_from_sandbox(&this_child, 0, REC_UNTRACED_SANDBOX, path);
    if (!c->ret_pid)
        c->ret_pid = &spawned;
    int result = call_real(c, environment.variables), error = errno;
    if (leaves_us && !spawns)
        tell_from_sandbox(&this_child, 0, REC_UNTRACED_WITHDRAWN, path);
    else if (leaves_us && result == 0)
        tell_from_sandbox(&this_child, (uint32_t)*c->ret_pid, REC_UNTRACED_SANDBOX, path);
    sandbox_remember_child(&this_child);
    errno = error;
    return result;
}

static int run(struct call *c)
{
    bool spawns = c->function == POSIX_SPAWN || c->function == POSIX_SPAWNP;
    enum rec_untraced reason = REC_UNTRACED_WITHDRAWN;
    struct follow_environment environment;
    char room[PATH_BYTES];
    const char *path = NULL;
    pid_t child = 0;

    if (!real.execve)
        start_exec(); /* called before our first event: by a library that is initialised before us */
    if (!follow_concerns_exec())
        return call_real(c, c->environment);
    if (sys_forbidden || sandbox_child())
        return run_in_sandbox(c, spawns);
    bool wanted = session.follow == FOLLOW_EXEC;
    environment.room = NULL;
    if (wanted)
        reason = judge(c, room, sizeof room, &path);
    follow_make_environment(&environment, c->environment, wanted && reason == REC_UNTRACED_WITHDRAWN);
    if (reason && !spawns)
        tell(sys_pid(), reason, path, room, sizeof room);
    if (!c->ret_pid) /* else the program's own: it must be there when a handler of SIGCHLD looks */
        c->ret_pid = &child;
    int result = call_real(c, environment.variables), error = errno;
    if (environment.variables != c->environment && (spawns ? result : error) == E2BIG && result != 0)
        result = call_real(c, c->environment), error = errno; /* our variables were too much */
    follow_release_environment(&environment);
    if (reason && !spawns)
        tell(sys_pid(), REC_UNTRACED_WITHDRAWN, path, room, sizeof room);
    if (reason && spawns && result == 0)
        tell((uint32_t)*c->ret_pid, reason, path, room, sizeof room);
    errno = error;
    return result;
}

EXPORT int execve(const char *path, char *const arguments[], char *const environment[])
{
    return run(&(struct call){ EXECVE, .path = path, .arguments = arguments, .environment = environment });
}

EXPORT int execv(const char *path, char *const arguments[])
{
    return run(&(struct call){ EXECVE, .path = path, .arguments = arguments, .environment = environ });
}

EXPORT int execvpe(const char *file, char *const arguments[], char *const environment[])
{
    return run(&(struct call){ EXECVPE, .path = file, .arguments = arguments, .environment = environment });
}

EXPORT int execvp(const char *file, char *const arguments[])
{
    return run(&(struct call){ EXECVPE, .path = file, .arguments = arguments, .environment = environ });
}

EXPORT int fexecve(int fd, char *const arguments[], char *const environment[])
{
    return run(&(struct call){ FEXECVE, .fd = fd, .arguments = arguments, .environment = environment });
}

EXPORT int execveat(int directory, const char *path, char *const *arguments, char *const *environment, int flags)
{
    return run(&(struct call){ EXECVEAT, .fd = directory, .path = path, .arguments = arguments,
                               .environment = environment, .flags = flags });
}

EXPORT int posix_spawn(pid_t *ret_pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[])
{
    return run(&(struct call){ POSIX_SPAWN, .path = path, .arguments = arguments, .environment = environment,
                               .ret_pid = ret_pid, .actions = actions, .attributes = attributes });
}

EXPORT int posix_spawnp(pid_t *ret_pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[])
{
    return run(&(struct call){ POSIX_SPAWNP, .path = file, .arguments = arguments, .environment = environment,
                               .ret_pid = ret_pid, .actions = actions, .attributes = attributes });
}

/* With the final NULL. */
static size_t count_arguments(const char *first, va_list *list)
{
    size_t count = 1;

    for (const char *at = first; at; at = va_arg(*list, const char *))
        count++;
    return count;
}

static void copy_arguments(char **to, const char *first, va_list *list)
{
    for (const char *at = first; (*to++ = (char *)(uintptr_t)at);)
        at = va_arg(*list, const char *);
}

/* The rest of a call's arguments as an array. On the stack, where the caller has
 * them already: so it at most doubles what is needed there. */
#define COLLECT(ret_arguments, first, list)                                                       \
    do {                                                                                          \
        va_start(list, first);                                                                    \
        ret_arguments = __builtin_alloca(count_arguments(first, &list) * sizeof *ret_arguments);  \
        va_end(list);                                                                             \
        va_start(list, first);                                                                    \
        copy_arguments(ret_arguments, first, &list);                                              \
    } while (0)

EXPORT int execl(const char *path, const char *first, ...)
{
    char **arguments;
    va_list list;

    COLLECT(arguments, first, list);
    va_end(list);
    return run(&(struct call){ EXECVE, .path = path, .arguments = arguments, .environment = environ });
}

EXPORT int execlp(const char *file, const char *first, ...)
{
    char **arguments;
    va_list list;

    COLLECT(arguments, first, list);
    va_end(list);
    return run(&(struct call){ EXECVPE, .path = file, .arguments = arguments, .environment = environ });
}

EXPORT int execle(const char *path, const char *first, ...)
{
    char **arguments;
    va_list list;

    COLLECT(arguments, first, list);
    char *const *environment = va_arg(list, char *const *);
    va_end(list);
    return run(&(struct call){ EXECVE, .path = path, .arguments = arguments, .environment = environment });
}
