#include "analyze/launch/shim.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

int shim_find(char **ret_path, struct failure *ret_failure)
{
    /* From the directory of the executable: installed, or in a build tree. */
    static const char *const places[] = { "../" MALLOSCOPE_LIBDIR "/libmalloscope.so", "../interpose/libmalloscope.so" };
    const char *named = getenv("MALLOSCOPE_SHIM");
    char self[PATH_MAX];
    char *found = NULL;

    if (named && *named) {
        found = realpath(named, NULL);
        if (!found)
            return fail(ret_failure, ENOENT, "MALLOSCOPE_SHIM=%s: %s", named, strerror(errno));
    }
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length > 0 && !found) {
        self[length] = 0;
        *strrchr(self, '/') = 0;
        for (size_t i = 0; i < sizeof places / sizeof places[0] && !found; i++) {
            _cleanup_free_ char *path = format_text("%s/%s", self, places[i]);
            found = access(path, R_OK) == 0 ? realpath(path, NULL) : NULL;
        }
    }
    if (!found)
        return fail(ret_failure, ENOENT, "libmalloscope.so is not beside this program (%s/%s): install malloscope whole, "
                    "or name the library in MALLOSCOPE_SHIM", length > 0 ? self : "?", places[0]);
    /* The loader splits LD_PRELOAD at both. */
    if (strpbrk(found, " :")) {
        int error = fail(ret_failure, EINVAL, "%s: LD_PRELOAD cannot hold a path with a space or a colon: "
                         "move malloscope to another directory", found);
        free(found);
        return error;
    }
    *ret_path = found;
    return 0;
}
