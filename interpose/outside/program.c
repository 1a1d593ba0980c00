/* The kernel says which file it has started. That is another one where the loader was started with the
 * program as its argument; and under a filter that is to be feared only what the loader does too is done.
 * Then the file is the one that is mapped where the program's dynamic section is. */
#include "interpose/outside/program.h"

#include "interpose/inside/sys.h"

#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define LINE_BYTES 8192 /* a path, and some numbers before it */

extern struct r_debug _r_debug __attribute__((weak));

static uint64_t program_address(void)
{
    const struct link_map *first = &_r_debug ? _r_debug.r_map : NULL;
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

size_t program_path(char *ret_path, size_t bytes)
{
    bool loader_was_started = getauxval(AT_BASE) == 0;
    long length = sys_careful || loader_was_started ? (long)mapped_path(program_address(), ret_path, bytes) : 0;

    if (!length && !sys_careful)
        length = sys_readlink("/proc/self/exe", ret_path, bytes);
    return length > 0 ? (size_t)length : 0;
}
