#include "analyze/log/piped.h"

#include "analyze/log/append.h"
#include "format/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BLOCK_BYTES (1u << 20)
#define LEFT_MOST (1u << 30) /* bytes that are left on the file system, or a sixteenth of it */

bool piped_is_stdin(const char *path)
{
    return strcmp(path, "-") == 0 || strcmp(path, "/dev/stdin") == 0 || strcmp(path, "/dev/fd/0") == 0 || strcmp(path, "/proc/self/fd/0") == 0;
}

bool piped_is_meant(const char *path)
{
    struct stat st;

    return piped_is_stdin(path) || (stat(path, &st) == 0 && S_ISFIFO(st.st_mode));
}

const char *piped_name(const char *path)
{
    return piped_is_stdin(path) ? "standard input" : path;
}

static int make_file(const char *directory, struct failure *ret_failure)
{
    _cleanup_free_ char *path = format_text("%s/malloscope-XXXXXX", directory);
    int fd = mkostemp(path, O_CLOEXEC);

    if (fd < 0)
        return fail(ret_failure, errno, "%s: cannot make a file for a log that comes through a pipe: %s; set TMPDIR to another "
                    "directory", directory, strerror(errno));
    unlink(path);
    return fd;
}

static bool has_room(int fd, size_t bytes)
{
    struct statvfs fs;

    if (fstatvfs(fd, &fs) != 0 || fs.f_frsize == 0)
        return true;
    uint64_t left = fs.f_blocks / 16 * fs.f_frsize;
    return fs.f_bavail * fs.f_frsize > bytes + (left < LEFT_MOST ? left : LEFT_MOST);
}

/* Where a log comes from, and who says whether it is waited for. */
struct source {
    int fd;
    const char *name;
    bool (*goes_on)(void *data, double progress);
    void *data;
};

/* A whole block, but for the end. A signal that comes just before poll() is seen after this time. */
#define ASKED_EVERY_MS 200
static ssize_t read_block(const struct source *from, uint8_t *block)
{
    size_t filled = 0;

    while (filled < BLOCK_BYTES && from->goes_on(from->data, -1)) {
        if (poll(&(struct pollfd){ from->fd, POLLIN, 0 }, 1, ASKED_EVERY_MS) <= 0)
            continue;
        ssize_t got = read(from->fd, block + filled, BLOCK_BYTES - filled);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            return -errno;
        if (got == 0) {
            from->goes_on(from->data, -1); /* Ctrl-C ends both sides of a pipe */
            break;
        }
        filled += (size_t)got;
    }
    return (ssize_t)filled;
}

/* So that nothing endless or else useless is copied. What is shorter, log_open_fd() says. */
static int check_begin(const char *name, const uint8_t *block, size_t bytes, struct failure *ret_failure)
{
    static const uint8_t zstd[] = { 0x28, 0xb5, 0x2f, 0xfd }, gzip[] = { 0x1f, 0x8b };

    if (bytes < 8 || memcmp(block, REC_FILE_MAGIC, 8) == 0)
        return 0;
    if (memcmp(block, zstd, sizeof zstd) == 0 || memcmp(block, gzip, sizeof gzip) == 0)
        return fail(ret_failure, EINVAL, "%s: is compressed as a file (%s); unpack it first, as in `%s LOG | malloscope report -`",
                    name, block[0] == 0x1f ? "gzip" : "zstd", block[0] == 0x1f ? "zcat" : "zstdcat");
    return fail(ret_failure, EINVAL, "%s: not a malloscope log (offset 0 has no log header)", name);
}

static int copy(const struct source *from, int to, const char *directory, struct failure *ret_failure)
{
    _cleanup_free_ uint8_t *block = alloc_zeroed(1, BLOCK_BYTES);
    uint64_t copied = 0;

    for (;;) {
        ssize_t got = read_block(from, block);
        if (got < 0)
            return fail(ret_failure, (int)-got, "%s: cannot read at offset %llu: %s", from->name, (unsigned long long)copied,
                        strerror((int)-got));
        if (got == 0)
            return 0;
        int error = copied ? 0 : check_begin(from->name, block, (size_t)got, ret_failure);
        if (error)
            return error;
        error = has_room(to, (size_t)got) ? append_all(to, block, (size_t)got) : -ENOSPC;
        if (error)
            return fail(ret_failure, -error, "%s: %s has no room for a log of more than %llu bytes that comes through a pipe: %s; "
                        "set TMPDIR to a directory with more, or save the log and read it there", from->name, directory,
                        (unsigned long long)copied, strerror(-error));
        copied += (uint64_t)got;
    }
}

int piped_open(const char *path, bool (*goes_on)(void *data, double progress), void *data, int *ret_fd, struct failure *ret_failure)
{
    const char *directory = getenv("TMPDIR"), *name = piped_name(path);
    struct stat st;
    _cleanup_close_ int from = piped_is_stdin(path) ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);

    if (!directory || !*directory)
        directory = "/tmp";
    if (from < 0 || fstat(from, &st) != 0)
        return fail(ret_failure, errno, "%s: cannot open: %s", name, strerror(errno));
    if (fcntl(from, F_GETFL) & O_PATH) /* standard_occupy() */
        return fail(ret_failure, EBADF, "%s: cannot open: it is closed", name);
    if (S_ISREG(st.st_mode)) {
        *ret_fd = from;
        from = -1;
        return 0;
    }
    if (S_ISDIR(st.st_mode) || isatty(from))
        return fail(ret_failure, EINVAL, "%s: is a %s, not a log", name, S_ISDIR(st.st_mode) ? "directory" : "terminal");
    int to = make_file(directory, ret_failure);
    int error = to < 0 ? to : copy(&(struct source){ from, name, goes_on, data }, to, directory, ret_failure);
    if (error && to >= 0)
        close(to);
    if (!error)
        *ret_fd = to;
    return error;
}
