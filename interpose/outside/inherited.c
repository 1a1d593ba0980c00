/* Only system calls that the loader has made before us are made here. A container's filter
 * is told from a sandbox's by the first process: if that has as many filters, they were made
 * for any program, and refuse rather than kill; a filter that one program has put on
 * another comes on top. */
#include "interpose/outside/inherited.h"

#include "interpose/inside/sys.h"

#include <string.h>

#define STATUS_BYTES 4096

static bool read_status(const char *path, char ret_text[STATUS_BYTES])
{
    long fd = sys_open(path, O_RDONLY, 0), got = fd < 0 ? -1 : sys_read((int)fd, ret_text, STATUS_BYTES - 1);

    if (fd >= 0)
        sys_close((int)fd);
    ret_text[got > 0 ? got : 0] = 0;
    return got > 0;
}

/* The number in a line of it; 0 where there is none. Called before a program's own functions can be, of which
 * strstr might be one. */
static uint32_t number_of(const char *status, const char *name)
{
    const size_t length = strlen(name);
    const char *at = status;
    uint32_t number = 0;

    while (*at && strncmp(at, name, length) != 0)
        at++;
    for (at += *at ? length : 0; *at >= '0' && *at <= '9'; at++)
        number = number * 10 + (uint32_t)(*at - '0');
    return number;
}

static bool is_of_all(uint32_t filters)
{
    char first[STATUS_BYTES];

    return filters && read_status("/proc/1/status", first) && number_of(first, "\nSeccomp_filters:\t") == filters;
}

void inherited_find(void)
{
    enum { BY_FILTERS = 2 };
    char status[STATUS_BYTES];

    if (!read_status("/proc/self/status", status) || number_of(status, "\nSeccomp:\t") != BY_FILTERS)
        return;
    sys_known_pid = number_of(status, "\nPid:\t");
    sys_known_parent_pid = number_of(status, "\nPPid:\t");
    if (!sys_careful) /* a namespace's first process has nobody to be compared with */
        sys_careful = sys_known_pid == 1 || !is_of_all(number_of(status, "\nSeccomp_filters:\t"));
}

uint32_t inherited_parent_pid(void)
{
    char status[STATUS_BYTES];
    return read_status("/proc/self/status", status) ? number_of(status, "\nPPid:\t") : 0;
}
