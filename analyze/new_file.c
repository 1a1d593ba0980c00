#include "analyze/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char unfinished[PATH_MAX]; /* "": none */

void new_file_watch(const char *path)
{
    *unfinished = 0;
    atomic_signal_fence(memory_order_seq_cst);
    if (!path || !*path || strlen(path) >= sizeof unfinished)
        return;
    strcpy(unfinished + 1, path + 1); /* a handler that comes now finds none */
    atomic_signal_fence(memory_order_seq_cst);
    *unfinished = *path;
}

void new_file_abandon(void)
{
    if (*unfinished)
        unlink(unfinished);
}

void follow_links(const char *path, char ret_real[PATH_MAX])
{
    char target[PATH_MAX];
    ssize_t bytes;

    if (realpath(path, ret_real))
        return;
    snprintf(ret_real, PATH_MAX, "%s", path);
    for (int links = 0; links < 40 && (bytes = readlink(ret_real, target, sizeof target - 1)) > 0; links++) {
        char *slash = strrchr(ret_real, '/');
        size_t kept = *target == '/' || !slash ? 0 : (size_t)(slash + 1 - ret_real);
        target[bytes] = 0;
        snprintf(ret_real + kept, PATH_MAX - kept, "%s", target);
    }
}

static bool is_straight(const struct stat *st)
{
    struct stat out;

    return !S_ISREG(st->st_mode) ||
           (fstat(STDOUT_FILENO, &out) == 0 && out.st_dev == st->st_dev && out.st_ino == st->st_ino);
}

static int cannot(const char *path, int error, struct failure *ret_failure)
{
    return fail(ret_failure, error, "%s: cannot be written: %s", path, strerror(error));
}

static int open_beside(struct new_file *f, struct failure *ret_failure)
{
    follow_links(f->path, f->real);
    const char *slash = strrchr(f->real, '/');
    /* Not with the file's own name in it, which may be as long as names can be. */
    f->beside = format_text("%.*s.malloscope-XXXXXX", slash ? (int)(slash + 1 - f->real) : 0, f->real);
    int fd = mkostemp(f->beside, O_CLOEXEC), error = errno;
    new_file_watch(fd < 0 ? NULL : f->beside);
    if (fd >= 0 && (f->file = fdopen(fd, "w")))
        return 0;
    if (fd >= 0) {
        error = errno;
        close(fd);
        unlink(f->beside);
        new_file_watch(NULL);
    }
    free(f->beside);
    return fail(ret_failure, error, "%s: no file can be made in its directory: %s", f->path, strerror(error));
}

int new_file_open(struct new_file *f, const char *path, struct failure *ret_failure)
{
    mode_t mask = umask(0);
    struct stat st;

    umask(mask);
    *f = (struct new_file){ .path = path, .mode = 0666 & ~mask };
    bool is_there = stat(path, &st) == 0;
    if (!is_there && errno != ENOENT)
        return cannot(path, errno, ret_failure);
    if (is_there && is_straight(&st))
        return (f->file = fopen(path, "we")) ? 0 : cannot(path, errno, ret_failure);
    if (is_there && access(path, W_OK) != 0)
        return cannot(path, errno, ret_failure);
    if (is_there)
        f->mode = st.st_mode & 07777;
    return open_beside(f, ret_failure);
}

static int end(struct new_file *f, int error)
{
    if (fclose(f->file) != 0 && !error)
        error = errno;
    if (f->beside && !error && rename(f->beside, f->real) != 0)
        error = errno;
    if (f->beside && error)
        unlink(f->beside);
    if (f->beside)
        new_file_watch(NULL);
    free(f->beside);
    f->beside = NULL;
    f->file = NULL;
    return error;
}

int new_file_close(struct new_file *f, struct failure *ret_failure)
{
    int fd = fileno(f->file), error = 0;

    if (fflush(f->file) != 0 || ferror(f->file))
        error = errno ? errno : EIO;
    if (!error && f->beside && (fchmod(fd, f->mode) != 0 || fsync(fd) != 0))
        error = errno;
    error = end(f, error);
    return error ? cannot(f->path, error, ret_failure) : 0;
}

void new_file_drop(struct new_file *f)
{
    if (f->file)
        end(f, ECANCELED);
}
