#include "analyze/log/ballast.h"

#include "analyze/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define BALLAST_BYTES (128 << 10) /* more than one append of what takes chunks (log/spool.c) */

static _Atomic int ballast_fd = -1;
static atomic_bool ballast_gone;

/* Without a name, or with one that goes at once. */
static int make_file(const char *log_path)
{
    const char *slash = strrchr(log_path, '/');
    _cleanup_free_ char *directory = slash ? copy_text(log_path, (size_t)(slash - log_path) + 1) : copy_text(".", 1);
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0)
        return fd;
    _cleanup_free_ char *path = format_text("%s.ballast", log_path);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        unlink(path);
    return fd;
}

int ballast_take(const char *log_path)
{
    int fd = make_file(log_path);

    if (fd < 0)
        return 0;
    if (fallocate(fd, 0, 0, BALLAST_BYTES) != 0) {
        int error = errno;
        close(fd);
        return error == ENOSPC || error == EDQUOT ? -error : 0;
    }
    atomic_store(&ballast_gone, false);
    fd = atomic_exchange(&ballast_fd, fd);
    if (fd >= 0)
        close(fd);
    return 0;
}

bool ballast_drop(int fd)
{
    int ballast = atomic_exchange(&ballast_fd, -1);

    if (ballast < 0)
        return false;
    atomic_store(&ballast_gone, true);
    close(ballast);
    syncfs(fd); /* before that btrfs has no use for it */
    return true;
}

bool ballast_is_gone(void)
{
    return atomic_load(&ballast_gone);
}
