#include "analyze/symbols/sysroot.h"

#include "analyze/util.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel's: more are a circle */

static void cut_last(char *path, size_t root_bytes)
{
    char *slash = strrchr(path + root_bytes, '/');
    if (slash)
        *slash = 0;
}

char *sysroot_path(const char *root, const char *path)
{
    if (!root)
        return copy_text(path, strlen(path));
    size_t root_bytes = strlen(root);
    while (root_bytes && root[root_bytes - 1] == '/')
        root_bytes--;
    char *at = copy_text(root, root_bytes), *rest = copy_text(path, strlen(path)), *next = rest;
    unsigned links = 0;
    for (;;) {
        next += strspn(next, "/");
        size_t length = strcspn(next, "/");
        char target[PATH_MAX];
        if (!length)
            break;
        const char *name = next;
        next += length;
        if (length == 1 && *name == '.')
            continue;
        if (length == 2 && memcmp(name, "..", 2) == 0) {
            cut_last(at, root_bytes);
            continue;
        }
        char *longer = format_text("%s/%.*s", at, (int)length, name);
        free(at);
        at = longer;
        ssize_t bytes = links < LINKS_MAX ? readlink(at, target, sizeof target - 1) : -1;
        if (bytes <= 0)
            continue;
        links++;
        target[bytes] = 0;
        if (*target == '/')
            at[root_bytes] = 0;
        else
            cut_last(at, root_bytes);
        char *more = format_text("%s%s", target, next);
        free(rest);
        rest = next = more;
    }
    free(rest);
    return at;
}
