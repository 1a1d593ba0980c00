/* The spool as a file: made, found, and taken in once nobody writes to it any more. What
 * moves chunks out of it is in taker.c. */
#include "analyze/log/spool.h"

#include "analyze/log/append.h"
#include "analyze/log/live.h"
#include "analyze/log/torn.h"
#include "analyze/util.h"
#include "format/chunk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

char *spool_path(const char *log_path)
{
    return format_text("%s" SPOOL_ENDING, log_path);
}

int spool_make(const char *log_path, const uint8_t session[16])
{
    _cleanup_free_ char *path = spool_path(log_path);
    _cleanup_close_ int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct rec_spool_header header = { .consumed = sizeof header };

    if (fd < 0)
        return -errno;
    file_header_make_with(&header.file, session, 0, sizeof header);
    int error = append_all(fd, &header, sizeof header);
    if (error)
        unlink(path);
    return error;
}

int spool_open(const char *log_path, const uint8_t session[16], int flags, struct rec_spool_header *ret_header)
{
    _cleanup_free_ char *path = spool_path(log_path);
    struct stat st;
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && pread(fd, ret_header, sizeof *ret_header, 0) == (ssize_t)sizeof *ret_header &&
        file_header_check(&ret_header->file) == FILE_HEADER_GOOD && ret_header->file.header_bytes >= sizeof *ret_header &&
        memcmp(ret_header->file.session, session, 16) == 0)
        return fd;
    close(fd);
    return -ENOENT;
}

int spool_owner(const char *log_path, uint8_t ret_session[16])
{
    _cleanup_free_ char *path = spool_path(log_path);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    struct rec_file_header header;
    struct stat st;

    if (fd < 0)
        return errno == ENOENT ? -ENOENT : -EINVAL;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header ||
        file_header_check(&header) != FILE_HEADER_GOOD)
        return -EINVAL;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return -EBUSY;
    memcpy(ret_session, header.session, sizeof header.session);
    return 0;
}

int spool_extent(int fd, uint64_t *ret_consumed, uint64_t *ret_end)
{
    struct rec_spool_header header;
    struct stat st;

    if (pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header || fstat(fd, &st) != 0)
        return -EIO;
    *ret_end = (uint64_t)st.st_size;
    *ret_consumed = header.consumed;
    if (*ret_consumed < header.file.header_bytes || *ret_consumed > *ret_end) /* damage: rather all of it once more */
        *ret_consumed = header.file.header_bytes < *ret_end ? header.file.header_bytes : *ret_end;
    return 0;
}

static int move_all(struct taker *t)
{
    uint64_t moved;
    int error;

    do
        error = taker_move(t, true, &moved);
    while (!error && moved);
    return error;
}

/* A process that comes meanwhile makes its live file, then looks whether the spool
 * is closed; we do it the other way round, so one of us sees the other. */
int spool_adopt(const char *log_path)
{
    struct taker *t;
    int error = taker_make(log_path, 0, &t);

    if (error)
        return error == -ENOENT || error == -EBUSY ? 0 : error;
    if (live_any_running(log_path)) {
        taker_free(t);
        return 0;
    }
    error = taker_set_closed(t, 1);
    if (!error && !live_any_running(log_path)) {
        error = torn_keep(log_path);
        if (!error)
            error = move_all(t);
        if (!error) {
            _cleanup_free_ char *path = spool_path(log_path);
            error = unlink(path) == 0 ? 0 : -errno;
        }
    }
    if (error || live_any_running(log_path))
        taker_set_closed(t, 0);
    taker_free(t);
    return error;
}

void spool_discard(const char *log_path)
{
    struct rec_file_header header;
    struct rec_spool_header spool;
    _cleanup_free_ char *path = spool_path(log_path);
    _cleanup_close_ int log = open(log_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (log < 0 || pread(log, &header, sizeof header, 0) != (ssize_t)sizeof header)
        return;
    _cleanup_close_ int fd = spool_open(log_path, header.session, O_RDONLY, &spool);
    if (fd >= 0)
        unlink(path);
}
