/* Where a culprit is, as the repository names it. Compilers write paths as they were called, from
 * the directory they ran in: ../src/parser.c, /home/runner/work/x/x/src/parser.c, or in a container
 * /build/src/parser.c; annotations are shown only at src/parser.c. */
#include "analyze/check/wording.h"

#include "analyze/render/text.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

static bool is_in(const char *directory, const char *relative)
{
    _cleanup_free_ char *path = format_text("%s/%s", directory, relative);
    return access(path, F_OK) == 0;
}

/* The git repository around the working directory, else that. */
static bool working_tree(char *ret_directory, size_t bytes)
{
    if (!getcwd(ret_directory, bytes))
        return false;
    for (size_t end = strlen(ret_directory); end > 1;) {
        _cleanup_free_ char *above = copy_text(ret_directory, end);
        if (is_in(above, ".git")) {
            ret_directory[end] = 0;
            break;
        }
        while (end > 0 && above[--end] != '/')
            ;
    }
    return true;
}

/* The tree of sources, without a slash at its end; false: none is known. */
static bool tree(char *ret_directory, size_t bytes)
{
    const char *named = getenv("GITHUB_WORKSPACE");

    if (!named || *named != '/')
        named = getenv("CI_PROJECT_DIR");
    if (!named || *named != '/' || strlen(named) >= bytes)
        return working_tree(ret_directory, bytes);
    strcpy(ret_directory, named);
    for (size_t end = strlen(ret_directory); end > 1 && ret_directory[end - 1] == '/';)
        ret_directory[--end] = 0;
    return true;
}

/* Without empty parts, "." and "x/..", in place. Links are not followed: the file may be elsewhere. */
static void simplify(char *path)
{
    bool rooted = *path == '/';
    char *start = path + rooted, *to = start, *kept = start;

    for (const char *at = start, *end; *at; at = *end ? end + 1 : end) {
        end = strchrnul(at, '/');
        size_t length = (size_t)(end - at);
        if (length == 0 || (length == 1 && *at == '.'))
            continue;
        if (length == 2 && at[0] == '.' && at[1] == '.') {
            if (to > kept) {
                while (to > kept && *--to != '/') { }
                continue;
            }
            if (rooted)
                continue;
        }
        if (to > start)
            *to++ = '/';
        memmove(to, at, length);
        to += length;
        if (length == 2 && to[-1] == '.' && to[-2] == '.')
            kept = to; /* leading ones cannot be taken back */
    }
    *to = 0;
}

/* Of a file that is not below the tree, as another checkout or a container had it: the end of its path that is there, of two
 * parts at least, if the function is there as well. Other projects have a src/util.c, too: it is not this one.
 * What lies in /usr is the system's, whatever the tree has of the same name. */
static const char *by_its_end(const char *directory, const char *path, const struct verdict_frame *f)
{
    const char *found = NULL;

    if (*path && *path != '/' && strncmp(path, "../", 3) != 0 && strcmp(path, "..") != 0)
        return is_in(directory, path) ? path : NULL;
    if (strncmp(path, "/usr/", 5) == 0 || strncmp(path, "/lib/", 5) == 0)
        return NULL;
    for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/')) {
        const char *end = at + 1;
        bool is_long = strchr(end, '/') || (end - path >= 3 && strncmp(end - 3, "../", 3) == 0);
        if (!is_long || *end == '.' || !wording_source_has(directory, end, f->function, f->line))
            continue;
        if (found)
            return NULL; /* one of them; which? */
        found = end;
    }
    return found;
}

char *wording_path(const struct verdict_frame *f, bool *ret_inside)
{
    char directory[PATH_MAX];
    _cleanup_free_ char *path = copy_text(f->file, strlen(f->file));
    const char *found = NULL;

    simplify(path);
    if (tree(directory, sizeof directory)) {
        size_t bytes = strlen(directory);
        if (*path == '/' && bytes > 1 && strncmp(path, directory, bytes) == 0 && path[bytes] == '/')
            found = path + bytes + 1;
        else
            found = by_its_end(directory, path, f);
    }
    *ret_inside = found;
    return text_safe_utf8(found ? found : path, 1000);
}

const struct verdict_frame *wording_place(const struct verdict_culprit *c)
{
    if (c->is_gone || c->is_line_gone) /* the line is another one now */
        return NULL;
    for (size_t i = 0; i < c->frame_count; i++) {
        const struct verdict_frame *f = &c->frames[i];
        if (!f->file || !f->line)
            continue;
        bool inside;
        free(wording_path(f, &inside));
        if (inside)
            return f;
    }
    const struct verdict_frame *f = verdict_culprit_place(c);
    return f && *f->file != '/' ? f : NULL; /* a rooted one is another project's */
}
