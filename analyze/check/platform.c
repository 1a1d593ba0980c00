/* Paths of a loader or a library -> which C library that is. */
#include "analyze/check/platform.h"

#include "analyze/render/text.h"

#include <ctype.h>
#include <string.h>
#include <sys/utsname.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

const char *platform_libc_of_loader(const char *path)
{
    const char *name = path ? text_base_name(path) : "";

    if (strncmp(name, "ld-musl", 7) == 0)
        return "musl";
    return strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld64.so", 7) == 0 || strcmp(name, "ld.so.1") == 0 ? "glibc" : "libc";
}

const char *platform_libc_of_code(const struct code *code)
{
    for (size_t i = 1; i < code->file_count; i++) {
        const char *name = text_base_name(code->files[i].path);
        if (strcmp(name, "libc.so.6") == 0)
            return "glibc";
        if (strncmp(name, "ld-musl", 7) == 0 || strncmp(name, "libc.musl", 9) == 0)
            return "musl";
    }
    return "libc";
}

char *platform_name(const char *libc, const char *compiler)
{
    struct utsname host;

    if (uname(&host) != 0)
        memset(&host, 0, sizeof host);
    for (char *at = host.sysname; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    return format_text("%s/%s/%s%s%s", host.sysname, host.machine, libc, compiler ? "/" : "", compiler ? compiler : "");
}

char *platform_libc_version(const char *libc)
{
#ifdef __GLIBC__
    if (strcmp(libc, "glibc") == 0)
        return format_text("glibc %s", gnu_get_libc_version());
#endif
    return copy_text(libc, strlen(libc));
}
