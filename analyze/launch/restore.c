/* The hard problem is that the log has no room in front: what was appended since is moved,
 * where nobody else appends. */
#include "analyze/launch/log_file.h"

#include "analyze/log/append.h"
#include "analyze/log/live.h"
#include "format/chunk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES (1u << 20)

bool log_file_is_whole(const struct log_file *file)
{
    struct rec_file_header header;

    return pread(file->fd, &header, sizeof header, 0) == (ssize_t)sizeof header &&
           file_header_check(&header) == FILE_HEADER_GOOD && memcmp(header.session, file->session, sizeof header.session) == 0;
}

/* From its end on, so that nothing is overwritten that has not been moved. */
static int move_up(int fd, off_t bytes, size_t by)
{
    _cleanup_free_ uint8_t *block = alloc_zeroed(1, BLOCK_BYTES);

    while (bytes > 0) {
        size_t part = bytes < (off_t)BLOCK_BYTES ? (size_t)bytes : BLOCK_BYTES;
        bytes -= (off_t)part;
        if (pread(fd, block, part, bytes) != (ssize_t)part)
            return -EIO;
        ssize_t written = pwrite(fd, block, part, bytes + (off_t)by);
        if (written != (ssize_t)part)
            return written < 0 ? -errno : -ENOSPC;
    }
    return 0;
}

int log_file_restore(const struct log_file *file)
{
    struct rec_file_header header;
    struct stat st;

    file_header_make_with(&header, file->session, file->packed ? REC_FILE_PACKED : 0, sizeof header);
    if (fstat(file->fd, &st) != 0)
        return -errno;
    if (st.st_size == 0)
        return append_all(file->fd, &header, sizeof header);
    if (!file->packed && live_any_running_of(file->path, file->session))
        return -EBUSY;
    _cleanup_close_ int fd = open(file->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW); /* without O_APPEND */
    if (fd < 0)
        return -errno;
    int error = move_up(fd, st.st_size, sizeof header);
    return error ? error : pwrite(fd, &header, sizeof header, 0) == (ssize_t)sizeof header ? 0 : -EIO;
}
