/* Stands in for system and popen. The C library executes the shell by itself, past our
 * stand-ins, with environ as it is: mostly with our variables in it. Where the program has
 * taken them out, or put a library of its own before ours, the shell must be told.
 *
 * The hard problem is that environ is the program's, and all threads read it (so it is changed
 * only where nothing can be recorded any more); and that what
 * the real functions do (signals, cancellation, what pclose needs to know) is not to be done
 * again. So they are called with another command: the shell, which is not recorded, sets
 * our variables and becomes a shell that runs the program's command and is. All of its
 * environment, $0, $$ and messages are as they would be. */
#include "interpose/outside/shell.h"

#include "interpose/inside/process.h"
#include "interpose/inside/start.h"
#include "interpose/inside/sys.h"
#include "interpose/outside/exec_target.h"
#include "interpose/outside/follow.h"
#include "interpose/outside/listing.h"
#include "interpose/outside/readable.h"
#include "interpose/outside/sandbox.h"
#include "interpose/outside/untraced.h"
#include "interpose/stand_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SHELL "/bin/sh"
#define SHELL_NAME "sh"            /* what the C library calls it */
#define ARGUMENT_MAX (128u << 10) /* bytes: the kernel takes no longer ones */

static struct {
    int (*system)(const char *);
    FILE *(*popen)(const char *, const char *);
} real;

void shell_prepare(void)
{
    stand_in_find("system", &real.system);
    stand_in_find("popen", &real.popen);
}

/* A command that is being written; at NULL: its length is being found. */
struct text {
    char *at;
    size_t bytes;
};

static void add(struct text *t, const char *what, size_t bytes)
{
    if (t->at)
        memcpy(t->at + t->bytes, what, bytes);
    t->bytes += bytes;
}

/* As a word that the shell takes as it is. */
static void add_quoted(struct text *t, const char *what)
{
    add(t, "'", 1);
    for (size_t length; *what; what += length) {
        length = strcspn(what, "'");
        add(t, what, length);
        if (what[length] == '\'') {
            add(t, "'\\''", 4);
            length++;
        }
    }
    add(t, "'", 1);
}

static bool is_in(char *const *list, const char *entry)
{
    for (; list && *list; list++)
        if (*list == entry)
            return true;
    return false;
}

static size_t name_length(const char *entry)
{
    size_t length = strspn(entry, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    return entry[length] == '=' ? length : 0; /* none that a shell could have */
}

/* Those of `variables` that are not in environ as it is. */
static void write_command(struct text *t, char *const *variables, const char *command)
{
    add(t, "export", 6);
    for (; *variables; variables++) {
        size_t name = name_length(*variables);
        if (!name || is_in(environ, *variables))
            continue;
        add(t, " ", 1);
        add(t, *variables, name + 1);
        add_quoted(t, *variables + name + 1);
    }
    static const char start[] = "; exec " SHELL " -c ", end[] = " " SHELL_NAME;
    add(t, start, sizeof start - 1);
    add_quoted(t, command);
    add(t, end, sizeof end);
}

/* Not on the program's stack; never unmapped: other threads may be reading environ, as it was and as it is. */
static void take_out_of_environ(void)
{
    struct follow_environment *e = sys_map(-1, 0, sizeof *e + follow_environment_bytes(environ, false));

    if (!e)
        return;
    e->room = e + 1;
    follow_make_environment(e, environ, false);
    if (e->variables != environ)
        environ = (char **)e->variables;
}

/* Where the shell cannot be recorded, nothing that the program starts here can (it is in a
 * chroot, another user, preloads a sanitizer, asks for lists of libraries); our variables would only be complained of. */
static bool shell_can_be_recorded(void)
{
    bool is_loader;
    enum rec_untraced reason = follow_judge(exec_target_judge(SHELL, &is_loader), environ);
    bool runs = !listing_is_environment(environ);

    if (follow_gives_on(reason) && runs)
        return true;
    take_out_of_environ();
    if (!follow_gives_on(reason))
        untraced_log(sys_pid(), reason, SHELL);
    return false;
}

/* Whether the shell would not be recorded as it is, and could be. */
static __attribute__((noinline)) bool is_to_be_told(const char *command)
{
    struct follow_environment environment = { .room = NULL };

    start_exec();
    if (!follow_concerns_exec() || sys_forbidden || sandbox_child() || !readable_list(environ) || !shell_can_be_recorded())
        return false;
    /* The versions of the C library differ in what they make of a command that looks like an option. */
    if (!command || !follow_wants_exec() || !readable_text(command) || command[0] == '-' || command[0] == '+')
        return false;
    follow_make_environment(&environment, environ, true);
    bool changes = environment.variables != environ;
    follow_release_environment(&environment);
    return changes;
}

/* The command that tells the shell, to be unmapped; NULL: it cannot be. */
static __attribute__((noinline)) char *make_command(const char *command, size_t *ret_bytes)
{
    struct follow_environment environment = { .room = NULL };
    struct text text = { NULL, 0 };

    follow_make_environment(&environment, environ, true);
    write_command(&text, environment.variables, command);
    *ret_bytes = text.bytes;
    text = (struct text){ text.bytes <= ARGUMENT_MAX ? sys_map(-1, 0, text.bytes) : NULL, 0 };
    if (text.at)
        write_command(&text, environment.variables, command);
    follow_release_environment(&environment);
    return text.at;
}

static __attribute__((noinline)) int system_told(const char *command)
{
    size_t bytes;
    char *told = make_command(command, &bytes);
    int result = real.system(told ? told : command), error = errno;

    if (told)
        sys_unmap(told, bytes);
    errno = error;
    return result;
}

static __attribute__((noinline)) FILE *popen_told(const char *command, const char *mode)
{
    size_t bytes;
    char *told = make_command(command, &bytes);
    FILE *result = real.popen(told ? told : command, mode);

    if (told)
        sys_unmap(told, bytes);
    return result;
}

EXPORT int system(const char *command)
{
    if (is_to_be_told(command))
        return system_told(command);
    if (!real.system)
        shell_prepare();
    JUMP real.system(command);
}

EXPORT FILE *popen(const char *command, const char *mode)
{
    if (is_to_be_told(command))
        return popen_told(command, mode);
    if (!real.popen)
        shell_prepare();
    JUMP real.popen(command, mode);
}
