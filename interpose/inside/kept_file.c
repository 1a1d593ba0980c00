/* Between a full chunk and the log on disk. The hard problem is to write to our
 * own file only, and never to be killed for it (SIGXFSZ). */
#include "interpose/inside/kept_file.h"

#include "interpose/inside/sys.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* More than KEPT_FILE_HIGH_MAX would cost the kernel memory. */
int kept_file_high_number(void)
{
    uint64_t limit = sys_descriptor_limit(), high = limit - limit / 16;
    return high < KEPT_FILE_HIGH_MAX ? (int)high : KEPT_FILE_HIGH_MAX;
}

/* A high descriptor of path, or -errno. */
static int open_high(const char *path, int flags, unsigned mode, struct stat *ret_stat)
{
    long fd = sys_open(path, flags, mode);
    if (fd < 0)
        return (int)fd;
    long high = sys_fcntl((int)fd, F_DUPFD_CLOEXEC, kept_file_high_number());
    if (high >= 0) {
        sys_close((int)fd);
        fd = high;
    }
    long error = sys_fstat((int)fd, ret_stat);
    if (error) {
        sys_close((int)fd);
        return (int)error;
    }
    return (int)fd;
}

int kept_file_open(struct kept_file *file, const char *path, int flags, unsigned mode)
{
    struct stat st;
    size_t length = strlen(path);

    if (length >= sizeof file->path)
        return -ENAMETOOLONG;
    int fd = open_high(path, flags, mode, &st);
    if (fd < 0)
        return fd;
    memcpy(file->path, path, length + 1);
    file->flags = flags & ~(O_CREAT | O_EXCL | O_TRUNC);
    file->device = st.st_dev;
    file->inode = st.st_ino;
    file->fd = fd;
    return 0;
}

static bool is_file(const struct kept_file *file, const struct stat *st)
{
    return st->st_dev == file->device && st->st_ino == file->inode;
}

void kept_file_close(struct kept_file *file)
{
    struct stat st;

    if (file->fd > 0 && sys_fstat(file->fd, &st) == 0 && is_file(file, &st))
        sys_close(file->fd);
    file->fd = -1;
}

int kept_file_use(struct kept_file *file, uint64_t *ret_bytes)
{
    struct stat st;

    if (file->fd < 0 || sys_fstat(file->fd, &st) != 0 || !is_file(file, &st)) {
        int fd = open_high(file->path, file->flags, 0, &st);
        if (fd < 0)
            return fd;
        if (!is_file(file, &st)) { /* deleted or replaced: not continued elsewhere */
            sys_close(fd);
            return -ESTALE;
        }
        file->fd = fd;
    }
    *ret_bytes = (uint64_t)st.st_size;
    return file->fd;
}

int kept_file_append(struct kept_file *file, const void *data, size_t bytes)
{
    for (int tries = 0; tries < 2;) {
        uint64_t size;
        int fd = kept_file_use(file, &size);
        if (fd < 0)
            return fd;
        if (bytes > sys_file_size_limit() - size || size > sys_file_size_limit())
            return -EFBIG;
        long written = sys_write(fd, data, bytes);
        if (written == (long)bytes)
            return 0;
        if (written == -EINTR)
            continue;
        if (written < 0)
            return (int)written;
        /* Short: another process may have appended behind the torn piece, so
         * the whole is written once more, and the reader drops the piece. */
        tries++;
    }
    return -ENOSPC;
}

int kept_file_allocate(struct kept_file *file, uint64_t offset, size_t bytes)
{
    static const char zeros[4096];
    uint64_t size;
    int fd = kept_file_use(file, &size);

    if (fd < 0)
        return fd;
    if (offset + bytes > sys_file_size_limit())
        return -EFBIG;
    long error;
    do
        error = sys_fallocate(fd, offset, bytes);
    while (error == -EINTR);
    if (error != -EOPNOTSUPP && error != -ENOSYS)
        return (int)error;
    for (size_t done = 0; done < bytes; done += sizeof zeros) {
        long written = sys_pwrite(fd, zeros, sizeof zeros, offset + done);
        if (written != (long)sizeof zeros)
            return written < 0 ? (int)written : -ENOSPC;
    }
    return 0;
}
