/* Stands in for the exec family: see outside/exec_call.h. */
#include "interpose/outside/exec.h"

#include "interpose/inside/sys.h"
#include "interpose/outside/exec_call.h"
#include "interpose/stand_in.h"

#include <stdarg.h>
#include <unistd.h>

int execveat(int directory, const char *path, char *const *arguments, char *const *environment, int flags);

static struct {
    int (*execve)(const char *, char *const *, char *const *);
    int (*execvpe)(const char *, char *const *, char *const *);
    int (*fexecve)(int, char *const *, char *const *);
    int (*execveat)(int, const char *, char *const *, char *const *, int);
} real;

void exec_prepare(void)
{
    stand_in_find("execveat", &real.execveat); /* glibc 2.34 */
    stand_in_find("execvpe", &real.execvpe);
    stand_in_find("fexecve", &real.fexecve);
    stand_in_find("execve", &real.execve);
}

static int lacks(void)
{
    errno = ENOSYS;
    return -1;
}

static int by_execve(const struct exec_call *c, char *const *environment)
{
    return real.execve ? real.execve(c->path, c->arguments, environment) : lacks();
}

static int by_execvpe(const struct exec_call *c, char *const *environment)
{
    return real.execvpe ? real.execvpe(c->path, c->arguments, environment) : lacks();
}

static int by_fexecve(const struct exec_call *c, char *const *environment)
{
    return real.fexecve ? real.fexecve(c->directory, c->arguments, environment) : lacks();
}

static int by_execveat(const struct exec_call *c, char *const *environment)
{
    if (real.execveat)
        return real.execveat(c->directory, c->path, c->arguments, environment, c->flags);
    return (int)syscall(SYS_execveat, c->directory, c->path, c->arguments, environment, c->flags);
}

static int run_path(const char *path, char *const *arguments, char *const *environment)
{
    return exec_call_run(&(struct exec_call){ by_execve, .path = path, .directory = AT_FDCWD, .arguments = arguments,
                                              .environment = environment });
}

static int run_file(const char *file, char *const *arguments, char *const *environment)
{
    return exec_call_run(&(struct exec_call){ by_execvpe, .path = file, .searches = true, .directory = AT_FDCWD,
                                              .arguments = arguments, .environment = environment });
}

EXPORT int execve(const char *path, char *const arguments[], char *const environment[])
{
    return run_path(path, arguments, environment);
}

EXPORT int execv(const char *path, char *const arguments[])
{
    return run_path(path, arguments, environ);
}

EXPORT int execvpe(const char *file, char *const arguments[], char *const environment[])
{
    return run_file(file, arguments, environment);
}

EXPORT int execvp(const char *file, char *const arguments[])
{
    return run_file(file, arguments, environ);
}

EXPORT int fexecve(int fd, char *const arguments[], char *const environment[])
{
    return exec_call_run(&(struct exec_call){ by_fexecve, .directory = fd, .arguments = arguments, .environment = environment });
}

EXPORT int execveat(int directory, const char *path, char *const *arguments, char *const *environment, int flags)
{
    return exec_call_run(&(struct exec_call){ by_execveat, .path = path, .directory = directory, .arguments = arguments,
                                              .environment = environment, .flags = flags });
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
    return run_path(path, arguments, environ);
}

EXPORT int execlp(const char *file, const char *first, ...)
{
    char **arguments;
    va_list list;

    COLLECT(arguments, first, list);
    va_end(list);
    return run_file(file, arguments, environ);
}

EXPORT int execle(const char *path, const char *first, ...)
{
    char **arguments;
    va_list list;

    COLLECT(arguments, first, list);
    char *const *environment = va_arg(list, char *const *);
    va_end(list);
    return run_path(path, arguments, environment);
}
