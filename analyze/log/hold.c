#include "analyze/log/hold.h"

#include <fcntl.h>
#include <unistd.h>

#ifdef F_OFD_SETLK
#define HELD_BYTE ((off_t)1 << 62) /* beyond any log's end */

static struct flock lock_of(short type)
{
    return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = HELD_BYTE, .l_len = 1 };
}

void log_hold(int fd)
{
    struct flock lock = lock_of(F_WRLCK);
    fcntl(fd, F_OFD_SETLK, &lock);
}

void log_let_go(int fd)
{
    struct flock lock = lock_of(F_UNLCK);
    fcntl(fd, F_OFD_SETLK, &lock);
}

bool log_is_held(int fd)
{
    struct flock lock = lock_of(F_RDLCK);
    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}
#else
void log_hold(int fd)
{
    (void)fd;
}

void log_let_go(int fd)
{
    (void)fd;
}

bool log_is_held(int fd)
{
    (void)fd;
    return false;
}
#endif
