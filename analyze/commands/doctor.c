/* `doctor`: all that can be known before a program runs about whether it will be
 * recorded. The program itself is never run: programs have effects, and `record`
 * is the trial. */
#include "analyze/command.h"
#include "analyze/commands/findings.h"
#include "analyze/launch/handshake.h"
#include "analyze/launch/libraries.h"
#include "analyze/launch/loaded.h"
#include "analyze/launch/shim.h"
#include "analyze/launch/target.h"
#include "analyze/options.h"
#include "analyze/render/text.h"
#include "format/output_name.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

const char doctor_help[] =
    "malloscope doctor [options] [[--] PROGRAM [ARGS...]]\n\n"
    "Says whether programs can be recorded on this machine, and whether and how\n"
    "PROGRAM can, and if not, why, and what to do. A line for each check:\n\n"
    "  ok      as it should be\n"
    "  note    good to know\n"
    "  warn    it can be recorded, but not wholly, or not at its best\n"
    "  FAIL    it cannot\n\n"
    "then the verdict. With PROGRAM, what is ok with the machine takes one line.\n\n"
    "  -o, --output NAME    where the log would be: look at that place instead of the\n"
    "                       current directory                 MALLOSCOPE_OUTPUT\n"
    "  -h, --help\n\n"
    "PROGRAM is not run (malloscope record PROGRAM is the trial); its loader is asked\n"
    "for the libraries that it would load. The log that is made to try the place is\n"
    "removed. What no look at a file can tell: whether it opens plug-ins with\n"
    "RTLD_DEEPBIND, which then go past the recorder (the report says so), and\n"
    "allocators that it has under names of their own.\n\n"
    "Exit status, as record's would be: 0 it can be recorded; 125 it cannot, or no\n"
    "log can be made; 126 not executable; 127 not found; 2 usage.\n";

void say(struct findings *f, enum level level, const char *what, const char *format, ...)
{
    static const char *const names[] = { "ok", "note", "warn", "FAIL" };
    char text[8192];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    f->counts[level]++;
    if (!f->reasons[level])
        f->reasons[level] = copy_text(text, strlen(text));
    if (level == LEVEL_OK && f->brief)
        return;
    printf("%-5s %-11s ", names[level], what);
    text_print_safe(text, strlen(text));
    putchar('\n');
}

static void examine_libraries(struct findings *f, const struct target *target, const char *shim)
{
    struct libraries libraries;
    struct failure failure;

    int error = libraries_list(target->loader, target->program, &libraries);
    const struct library *missing = error ? NULL : libraries_missing(&libraries);
    const struct library *allocator = error ? NULL : libraries_allocator(&libraries);
    if (error)
        say(f, LEVEL_WARN, "libraries", "%s: %s; which libraries are loaded, and whether malloscope's is, is not known",
            target->loader, error == -ENOTSUP ? "not a loader of glibc's, and not asked" : strerror(-error));
    else if (missing)
        say(f, LEVEL_FAIL, "libraries", "%s is not found, so that the program cannot start; install it, or name its "
            "directory in LD_LIBRARY_PATH", missing->name);
    else if (shim && shim_check(shim, &libraries, &failure) != 0)
        say(f, LEVEL_FAIL, "libraries", "%s", failure.text);
    else
        say(f, LEVEL_OK, "libraries", "%zu, all found", libraries.count);
    if (target->heap.malloc == MALLOC_EXPORTED || error)
        ; /* said already, or nothing known */
    else if (allocator)
        say(f, LEVEL_OK, "allocator", "%s (%s)%s", text_base_name(allocator->path), allocator->path,
            target->heap.stripped && target->heap.malloc == MALLOC_NOT_OWN ?
            "; the program is stripped: a malloc hidden in it would not be seen" : "");
    else if (!missing)
        say(f, LEVEL_WARN, "allocator", "none of its libraries has a malloc");
    libraries_release(&libraries);
}

static void examine_heap(struct findings *f, const struct target *target)
{
    _cleanup_free_ char *own = program_own_heap(&target->heap);

    if (own)
        say(f, LEVEL_WARN, "own malloc", "%s", own);
    else if (target->heap.other_heap)
        say(f, LEVEL_NOTE, "own malloc", "it also calls %s by names of its own: such calls are not recorded",
            target->heap.other_heap);
    if (target->heap.is_go)
        say(f, LEVEL_WARN, "own malloc", "a Go program: Go's own heap is not recorded, only what C code in it allocates");
}

/* The exit code of record for it. */
static int examine_program(struct findings *f, char **command, const char *shim)
{
    _cleanup_target_ struct target target = { 0 };
    struct failure failure;

    int code = target_find(command[0], &target, &failure);
    if (code) {
        say(f, LEVEL_FAIL, "program", "%s", failure.text);
        return code;
    }
    say(f, LEVEL_OK, "program", "%s%s", target.chain, strcmp(target.chain, target.program) != 0 ?
        ": a script, and what runs it" : "");
    if (!target.is_read) {
        say(f, LEVEL_WARN, "program", "%s cannot be read by this user: whether it is dynamically linked, for this "
            "machine and with which malloc, is not known; make it readable to know", target.program);
    } else if (loaded_listing(&target, command)) {
        say(f, LEVEL_FAIL, "program", "%s %s only says what it would load, and runs no program", target.program,
            loaded_listing(&target, command));
    } else if (loaded_program(&target, command)) { /* as it would be without the loader's word before it */
        return examine_program(f, (char *[]){ (char *)loaded_program(&target, command), NULL }, shim);
    } else if (!target.loader) {
        say(f, LEVEL_NOTE, "program", "%s is a loader: what it starts is not looked at; name that program instead",
            target.program);
    } else {
        say(f, LEVEL_OK, "loader", "%s: dynamically linked", target.loader);
        examine_heap(f, &target);
        examine_libraries(f, &target, shim);
    }
    return f->reasons[LEVEL_FAIL] ? EXIT_NOT_TRACED : EXIT_GOOD;
}

static void print_verdict(const struct findings *f, const char *what)
{
    const char *failure = f->reasons[LEVEL_FAIL], *warning = f->reasons[LEVEL_WARN];
    const char *reason = failure ? failure : warning;

    printf("Verdict: ");
    if (!failure)
        text_print_safe(what, strlen(what));
    printf(failure ? "cannot be recorded: " : warning ? " can be recorded, but: " : " can be recorded.");
    if (reason)
        text_print_safe(reason, strlen(reason));
    putchar('\n');
}

static int examine(char **command, const char *output)
{
    const char *program = command[0];
    struct findings f = { .brief = program != NULL };
    int code = 0;

    _cleanup_free_ char *shim = examine_machine(&f, output, program ? program : "program");
    bool machine_fails = f.reasons[LEVEL_FAIL];
    if (program) {
        f.brief = false;
        say(&f, LEVEL_OK, "machine", "%u checks of the installation and of this machine are ok; `malloscope doctor` lists "
            "them", f.counts[LEVEL_OK]);
        code = examine_program(&f, command, shim);
    }
    if (machine_fails && code == 0)
        code = EXIT_NOT_TRACED;
    print_verdict(&f, program ? program : "programs");
    for (size_t i = 0; i <= LEVEL_FAIL; i++)
        free(f.reasons[i]);
    return output_failed() ? EXIT_NOT_TRACED : code;
}

int cmd_doctor(int argc, char **argv)
{
    enum { HANDSHAKE = 256 };
    static const struct option options[] = {
        { "output", required_argument, NULL, 'o' }, { "handshake", no_argument, NULL, HANDSHAKE },
        { "help", no_argument, NULL, 'h' }, { 0 },
    };
    const char *output = getenv("MALLOSCOPE_OUTPUT");

    output = output && *output ? output : OUTPUT_NAME_DEFAULT;
    for (int option; (option = next_option(argc, argv, "+:o:h", options, doctor_help)) != -1;) {
        if (option == HANDSHAKE) /* not for users: launch/handshake.c runs us with it */
            return handshake_act();
        if (option == 'o')
            output = optarg;
    }
    return examine(argv + optind, output);
}
