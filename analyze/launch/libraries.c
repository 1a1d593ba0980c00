#include "analyze/launch/libraries.h"

#include "analyze/launch/probe.h"
#include "analyze/launch/program.h"

#include <errno.h>
#include <string.h>

#define LIST_SECONDS 10

static void add(struct libraries *libraries, const char *name, const char *path)
{
    libraries->list = grow(libraries->list, &libraries->capacity, libraries->count + 1, sizeof *libraries->list);
    libraries->list[libraries->count++] = (struct library){
        copy_text(name, strlen(name)), path ? copy_text(path, strlen(path)) : NULL };
}

/* "PROGRAM: error while loading shared libraries: libx.so.1: cannot open shared object file: ..." */
static void take_message(char *line, struct libraries *libraries)
{
    static const char begins[] = ": error while loading shared libraries: ";
    char *name = strstr(line, begins), *end = strstr(line, ": cannot open shared object file");

    if (!name || !end || end < name + sizeof begins)
        return;
    *end = 0;
    add(libraries, name + sizeof begins - 1, NULL);
}

/* "\tlibc.so.6 => /lib/libc.so.6 (0x00007f...)", "\t/lib64/ld-linux-x86-64.so.2 (0x...)",
 * "\tlinux-vdso.so.1 (0x...)", "\tlibx.so.1 => not found". */
void libraries_parse(char *output, struct libraries *libraries)
{
    char *rest;

    for (char *line = strtok_r(output, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *address = strstr(line, " (0x"), *arrow = strstr(line, " => ");
        if (*line++ != '\t' || (!address && !arrow)) {
            take_message(line - 1, libraries);
            continue;
        }
        if (address)
            *address = 0;
        if (arrow)
            *arrow = 0;
        const char *path = arrow ? arrow + 4 : strchr(line, '/') ? line : NULL;
        if (!path)
            continue; /* the kernel's */
        add(libraries, line, strcmp(path, "not found") == 0 ? NULL : path);
    }
}

int libraries_list(const char *loader, const char *program, struct libraries *ret_libraries)
{
    /* LD_AUDIT would have code run; the others make the loader do more than list. */
    char *changes[] = { (char *)"LD_AUDIT", (char *)"LD_WARN", (char *)"LD_VERBOSE", (char *)"LD_DEBUG",
                        (char *)"LD_BIND_NOW", NULL };
    char *arguments[] = { (char *)loader, (char *)"--list", (char *)program, NULL };
    struct program loader_file;
    struct probe probe;

    *ret_libraries = (struct libraries){ 0 };
    /* Another one may not know --list, and run the program. */
    if (program_read(loader, &loader_file) != 0 || !loader_file.is_loader)
        return -ENOTSUP;
    int error = probe_run(arguments, changes, LIST_SECONDS, &probe);
    if (!error) {
        libraries_parse(probe.output, ret_libraries);
        if (!ret_libraries->count)
            error = probe.too_slow ? -ETIMEDOUT : -ENOEXEC;
    }
    probe_release(&probe);
    return error;
}

void libraries_release(struct libraries *libraries)
{
    for (size_t i = 0; i < libraries->count; i++) {
        free(libraries->list[i].name);
        free(libraries->list[i].path);
    }
    free(libraries->list);
    *libraries = (struct libraries){ 0 };
}

const struct library *libraries_allocator(const struct libraries *libraries)
{
    struct program program;

    for (size_t i = 0; i < libraries->count; i++) {
        const struct library *library = &libraries->list[i];
        if (library->path && program_read(library->path, &program) == 0 && program.malloc == MALLOC_EXPORTED)
            return library;
    }
    return NULL;
}

const struct library *libraries_missing(const struct libraries *libraries)
{
    for (size_t i = 0; i < libraries->count; i++)
        if (!libraries->list[i].path)
            return &libraries->list[i];
    return NULL;
}
