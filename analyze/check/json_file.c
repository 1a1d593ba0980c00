#include "analyze/check/json_file.h"

#include "analyze/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BYTES_MOST (256 << 20)
#define LOCK_TRIES 500 /* a hundredth of a second after each */

static int read_all(const char *path, const char *what, char **ret_text, size_t *ret_bytes, struct failure *ret_failure)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    size_t used = 0;

    if (fd < 0 || fstat(fd, &st) != 0)
        return fail(ret_failure, errno, "%s: cannot read the %s: %s", path, what, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return fail(ret_failure, EINVAL, "%s: is no regular file; a %s must be one", path, what);
    if (st.st_size > BYTES_MOST)
        return fail(ret_failure, EFBIG, "%s: is too large for a %s: %lld bytes", path, what, (long long)st.st_size);
    char *text = alloc_zeroed((size_t)st.st_size + 1, 1);
    for (ssize_t got; used < (size_t)st.st_size && (got = read(fd, text + used, (size_t)st.st_size - used)) != 0;) {
        if (got < 0 && errno != EINTR) {
            free(text);
            return fail(ret_failure, errno, "%s: cannot read the %s: %s", path, what, strerror(errno));
        }
        used += got > 0 ? (size_t)got : 0;
    }
    *ret_text = text;
    *ret_bytes = used;
    return 0;
}

/* The line of a merge's first conflict marker; 0: none. */
static int conflict_line(const char *text)
{
    int line = 1;

    for (const char *at = text; *at; at++, line++) {
        if (strncmp(at, "<<<<<<< ", 8) == 0)
            return line;
        at = strchrnul(at, '\n');
        if (!*at)
            break;
    }
    return 0;
}

int json_file_read(const char *path, const char *what, const char *remedy, const char *merge_remedy, json_t **ret_root, char **ret_text,
                   struct failure *ret_failure)
{
    json_error_t why;
    char *text = NULL;
    size_t bytes = 0;
    int error = read_all(path, what, &text, &bytes, ret_failure);

    if (error)
        return error;
    json_t *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &why);
    if (strspn(text, " \t\r\n") == bytes)
        error = fail(ret_failure, EINVAL, "%s: is empty, and no %s; %s", path, what, remedy);
    else if (!root && conflict_line(text))
        error = fail(ret_failure, EINVAL, "%s: has a merge's conflict markers (line %d), and is no %s yet; %s", path, conflict_line(text), what, merge_remedy);
    else if (!root)
        error = fail(ret_failure, EINVAL, "%s: is no JSON, and no %s: line %d: %s; %s", path, what, why.line, why.text, remedy);
    else if (!json_is_object(root))
        error = fail(ret_failure, EINVAL, "%s: is JSON, but no object, and no %s; %s", path, what, remedy);
    if (error || !ret_text)
        free(text);
    else
        *ret_text = text;
    if (error)
        json_decref(root);
    else
        *ret_root = root;
    return error;
}

int json_file_check_schema(const char *path, const json_t *root, const char *schema, struct failure *ret_failure)
{
    const char *is = json_string_value(json_object_get(root, "schema"));

    if (!is)
        return fail(ret_failure, EINVAL, "%s: has no \"schema\"; want \"%s\"", path, schema);
    if (strcmp(is, schema) == 0)
        return 0;
    return fail(ret_failure, EINVAL, "%s: is of schema %.100s; this malloscope reads %s: use the malloscope that made it, or make it anew",
                path, is, schema);
}

/* Of the directory: the file is another one after each write, and may not be there yet. */
int json_file_lock(const char *path)
{
    char real[PATH_MAX];

    follow_links(path, real);
    const char *slash = strrchr(real, '/');
    _cleanup_free_ char *directory = slash ? copy_text(real, slash == real ? 1 : (size_t)(slash - real)) : copy_text(".", 1);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int tries = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0; tries++) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || tries >= LOCK_TRIES) {
            close(fd);
            return -1;
        }
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    }
    return fd;
}

int json_file_write(const char *path, const char *text, struct failure *ret_failure)
{
    struct new_file file;
    struct stat st;

    if (stat(path, &st) == 0 && (!(st.st_mode & 0222) || access(path, W_OK) != 0)) /* root may, and so may who owns the directory: it is meant all the same */
        return fail(ret_failure, EACCES, "%s: is read-only, and stays as it is; make it writable (chmod u+w), or name another file", path);
    int error = new_file_open(&file, path, ret_failure);
    if (error)
        return error;
    fputs(text, file.file);
    return new_file_close(&file, ret_failure);
}
