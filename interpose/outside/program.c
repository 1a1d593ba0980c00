/* The kernel says which file it has started. That is another one where the loader was started with the
 * program as its argument; and under a filter that is to be feared only what the loader does too is done.
 * Then the file is the one that is mapped where the program's dynamic section is. */
#include "interpose/outside/program.h"

#include "interpose/inside/loader_list.h"
#include "interpose/inside/sys.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define LINE_BYTES 8192 /* a path, and some numbers before it */

static uint64_t program_address(void)
{
    const struct link_map *first = loader_first_module();
    return first && first->l_ld ? (uint64_t)first->l_ld : getauxval(AT_PHDR);
}

/* A line of /proc/self/maps: "from-to rwxp offset device inode  path". NULL: it is not about the address. */
static const char *path_at(const char *line, uint64_t address)
{
    char *after;
    uint64_t from = strtoull(line, &after, 16), to = *after == '-' ? strtoull(after + 1, NULL, 16) : 0;

    return address - from < to - from ? strchr(line, '/') : NULL;
}

static size_t mapped_path(uint64_t address, char *ret_path, size_t bytes)
{
    static char text[LINE_BYTES]; /* once in a program */
    long fd = sys_open("/proc/self/maps", O_RDONLY, 0), got;
    size_t used = 0, length = 0;

    while (fd >= 0 && !length && (got = sys_read((int)fd, text + used, sizeof text - used)) > 0) {
        char *line = text, *end;
        used += (size_t)got;
        for (; !length && (end = memchr(line, '\n', used - (size_t)(line - text))); line = end + 1) {
            *end = 0;
            const char *path = path_at(line, address);
            if (path && (size_t)(end - path) < bytes)
                memcpy(ret_path, path, length = (size_t)(end - path));
        }
        used -= (size_t)(line - text);
        memmove(text, line, used);
    }
    if (fd >= 0)
        sys_close((int)fd);
    return length;
}

/* The interpreter that a script names; length as it is where the file is none. */
static size_t interpreter_of(size_t length, char *path, size_t bytes)
{
    char line[256];
    long fd = sys_open(path, O_RDONLY, 0), got = fd < 0 ? 0 : sys_read((int)fd, line, sizeof line - 1);

    if (fd >= 0)
        sys_close((int)fd);
    if (got < 3 || memcmp(line, "#!", 2) != 0)
        return length;
    line[got] = 0;
    const char *name = line + 2 + strspn(line + 2, " \t");
    size_t name_length = strcspn(name, " \t\n");
    if (*name != '/' || name_length >= bytes)
        return length;
    memcpy(path, name, name_length);
    path[name_length] = 0;
    return name_length;
}

/* The path that was executed, made absolute; for where there is no /proc. */
static size_t executed_path(char *ret_path, size_t bytes)
{
    const char *name = (const char *)getauxval(AT_EXECFN);
    size_t used = 0;

    while (name && strncmp(name, "./", 2) == 0)
        name += 2;
    size_t length = name ? strlen(name) : 0;
    if (length && *name != '/' && !sys_careful) {
        long got = sys_getcwd(ret_path, bytes);
        if (got > 1) {
            used = got == 2 ? 1 : (size_t)got; /* its final 0 makes room for the slash, but in the root */
            ret_path[used - 1] = '/';
        }
    }
    if (!length || length >= bytes - used)
        return 0;
    memcpy(ret_path + used, name, length + 1);
    return sys_careful ? length : interpreter_of(used + length, ret_path, bytes);
}

size_t program_path(char *ret_path, size_t bytes)
{
    bool loader_was_started = getauxval(AT_BASE) == 0;
    long length = sys_careful || loader_was_started ? (long)mapped_path(program_address(), ret_path, bytes) : 0;

    if (!length && !sys_careful)
        length = sys_readlink("/proc/self/exe", ret_path, bytes);
    if (length <= 0 && !loader_was_started)
        length = (long)executed_path(ret_path, bytes);
    return length > 0 ? (size_t)length : 0;
}
