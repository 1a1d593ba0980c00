/* Between a full chunk and the log on disk. The hard problem is to write to our
 * own file only, and never to be killed for it (SIGXFSZ). */
#include "interpose/inside/kept_file.h"

#include "interpose/inside/hints.h"
#include "interpose/inside/numbers.h"
#include "interpose/inside/process.h"
#include "interpose/inside/sys.h"

#include <errno.h>
#include <string.h>

/* A filter's signal has come in place of the call, or nothing is known of what the call did:
 * the program has forbidden itself system calls behind our back, and no more are made. */
static int trapped(void)
{
    sys_forbidden = true;
    return -(int)REC_STOP_SANDBOX;
}

/* A trapped call "returns" the same number again, and that is no descriptor of ours. */
static long open_surely(const char *path, int flags, unsigned mode)
{
    long fd = sys_open(path, flags, mode);

    if (!sys_was_trapped(SYS_openat, fd))
        return fd;
    long other = sys_open("/", O_PATH, 0);
    if (other == fd)
        return trapped();
    if (other >= 0)
        sys_close((int)other);
    return fd;
}

/* What of a file's status is of use. */
struct status {
    dev_t device;
    ino_t inode;
    uint64_t names, bytes;
};

static NOINLINE long get_status(int fd, struct status *ret)
{
    struct stat st;
    long error = sys_fstat(fd, &st);

    if (!error)
        *ret = (struct status){ st.st_dev, st.st_ino, st.st_nlink, (uint64_t)st.st_size };
    return error;
}

static int open_high(const char *path, int flags, unsigned mode, struct status *ret_status)
{
    long fd = open_surely(path, flags, mode);
    if (fd < 0)
        return (int)fd;
    int high = sys_careful ? (int)fd : numbers_duplicate((int)fd);
    if (!sys_careful)
        sys_close((int)fd);
    if (high < 0)
        return high;
    long error = get_status(high, ret_status);
    if (error) {
        sys_close(high);
        return error < 0 ? (int)error : trapped();
    }
    return high;
}

int kept_file_open(struct kept_file *file, const char *path, int flags, unsigned mode)
{
    struct status st;
    size_t length = strlen(path);

    if (length >= sizeof file->path)
        return -ENAMETOOLONG;
    if (sys_careful && flags & O_CREAT) /* it grows by write only */
        flags |= O_APPEND;
    int fd = open_high(path, flags, mode, &st);
    if (fd < 0)
        return fd;
    if (flags & O_CREAT)
        sys_chmod(fd, mode); /* whatever the umask */
    memcpy(file->path, path, length + 1);
    file->flags = flags & ~(O_CREAT | O_EXCL | O_TRUNC);
    file->named = st.names > 0;
    file->device = st.device;
    file->inode = st.inode;
    if (sys_careful)
        sys_close(fd);
    atomic_store(&file->fd, sys_careful ? -1 : fd);
    return 0;
}

void kept_file_adopt(struct kept_file *file, int fd)
{
    struct status st;

    if (get_status(fd, &st) != 0)
        return;
    file->device = st.device;
    file->inode = st.inode;
    atomic_store(&file->fd, fd);
    numbers_note(fd);
}

void kept_file_move(struct kept_file *to, const struct kept_file *from)
{
    memcpy(to->path, from->path, strlen(from->path) + 1);
    to->flags = from->flags;
    to->named = from->named;
    to->device = from->device;
    to->inode = from->inode;
    atomic_store(&to->fd, atomic_load(&from->fd));
}

static bool is_file(const struct kept_file *file, const struct status *st)
{
    return st->device == file->device && st->inode == file->inode;
}

/* The number, if it is this file's; -EBADF if it is not. */
static int look(const struct kept_file *file, int number, struct status *ret_status)
{
    long error = number > 0 ? get_status(number, ret_status) : -EBADF;

    if (error > 0)
        return trapped();
    return !error && is_file(file, ret_status) ? number : -EBADF;
}

bool kept_file_owns(const struct kept_file *file, int number)
{
    struct status st;

    return number == atomic_load(&file->fd) && look(file, number, &st) == number;
}

void kept_file_close(struct kept_file *file)
{
    int fd = atomic_load(&file->fd);

    if (kept_file_owns(file, fd))
        sys_close(fd);
    atomic_store(&file->fd, -1);
}

void kept_file_leave(struct kept_file *file, int number)
{
    enum { WAITS_MAX = 10000, WAIT_NS = 100000 }; /* a second: who is not through by then is in write() itself, which is safe */
    int other = file->path[0] ? numbers_duplicate(number) : -1;

    atomic_store(&file->fd, other < 0 ? -1 : other);
    uint32_t before = atomic_fetch_add(&process->file_epoch, 1); /* who comes now finds the other number */
    for (int waits = 0; atomic_load(&process->file_users[before & 1]) && waits < WAITS_MAX; waits++)
        sys_sleep(WAIT_NS);
}

/* One that nobody may write is made so that we may, for the moment. */
static int open_write_protected(const struct kept_file *file, struct status *ret_status)
{
    long fd = sys_open(file->path, O_RDONLY, 0);
    int high = -EACCES;

    if (fd < 0)
        return (int)fd;
    if (look(file, (int)fd, ret_status) == (int)fd) {
        sys_chmod((int)fd, S_IRUSR | S_IWUSR);
        high = open_high(file->path, file->flags, 0, ret_status);
        sys_chmod((int)fd, S_IRUSR);
    }
    sys_close((int)fd);
    return high;
}

/* Opens it again. Two threads may be at it: the first one's descriptor counts; where none is
 * kept, each has its own. */
static int reopen(struct kept_file *file, int gone, struct status *ret_status)
{
    int fd = open_high(file->path, file->flags, 0, ret_status);

    if (fd == -EACCES)
        fd = open_write_protected(file, ret_status);
    if (fd < 0)
        return fd;
    if (!is_file(file, ret_status)) { /* deleted or replaced: not continued elsewhere */
        sys_close(fd);
        return -ESTALE;
    }
    if (sys_careful || atomic_compare_exchange_strong(&file->fd, &gone, fd))
        return fd;
    sys_close(fd);
    return look(file, gone, ret_status);
}

int kept_file_begin(struct kept_file *file, struct kept_use *ret_use)
{
    struct status st;

    if (sys_forbidden)
        return -EPERM;
    ret_use->signals = sys_block_signals();
    for (;;) {
        ret_use->epoch = atomic_load(&process->file_epoch);
        atomic_fetch_add(&process->file_users[ret_use->epoch & 1], 1);
        if (atomic_load(&process->file_epoch) == ret_use->epoch)
            break;
        atomic_fetch_sub(&process->file_users[ret_use->epoch & 1], 1);
    }
    int kept = atomic_load(&file->fd), fd = look(file, kept, &st), error = 0;
    if (fd == -EBADF)
        fd = reopen(file, kept, &st);
    if (fd < 0)
        error = fd;
    else if (file->named && st.names == 0)
        error = -ESTALE; /* deleted: nobody would read it, and the disk would fill */
    ret_use->fd = fd;
    ret_use->bytes = st.bytes;
    if (error)
        kept_file_end(ret_use);
    return error;
}

void kept_file_end(const struct kept_use *use)
{
    if (sys_careful && use->fd >= 0)
        sys_close(use->fd);
    atomic_fetch_sub(&process->file_users[use->epoch & 1], 1);
    sys_restore_signals(use->signals);
}

/* What the kernel sends beside -EFBIG is about our file: the program never sees it.
 * One that was pending before is the program's own. */
static bool has_size_signal(const struct kept_use *use)
{
    const uint64_t signal = 1ull << (SIGXFSZ - 1);
    return use->signals & signal && sys_pending_signals() & signal;
}

static void drop_size_signal(long result, bool is_programs)
{
    if (result == -EFBIG && !is_programs)
        sys_drop_signal(1ull << (SIGXFSZ - 1));
}

static int append(const struct kept_use *use, const void *data, size_t bytes)
{
    uint64_t limit = sys_file_size_limit();

    if (use->bytes > limit || bytes > limit - use->bytes)
        return -EFBIG;
    bool is_programs = has_size_signal(use);
    long written = sys_write(use->fd, data, bytes);
    drop_size_signal(written, is_programs);
    if (written == (long)bytes)
        return 0;
    if (sys_was_trapped(SYS_write, written))
        return trapped();
    return written < 0 ? (int)written : -EAGAIN;
}

int kept_file_append(struct kept_file *file, const void *data, size_t bytes)
{
    struct kept_use use;
    int error = -EAGAIN;

    /* After a short write another process may have appended behind the torn piece, so
     * the whole is written once more, and the reader drops the piece. */
    for (int tries = 0; error == -EAGAIN && tries < 2; tries++) {
        do {
            error = kept_file_begin(file, &use);
            if (error)
                return error;
            error = append(&use, data, bytes);
            kept_file_end(&use);
        } while (error == -EINTR);
    }
    return error == -EAGAIN ? -ENOSPC : error;
}

static char zeros[REC_LIVE_SLOT_BYTES]; /* not const: so that it takes no room in the library */

/* By write to a descriptor that appends. Another thread may be at the same. */
static long append_zeros(int fd, uint64_t end)
{
    for (struct stat st;;) {
        long error = sys_fstat(fd, &st);
        if (error || (uint64_t)st.st_size >= end)
            return error;
        const uint64_t missing = end - (uint64_t)st.st_size;
        long written = sys_write(fd, zeros, missing < sizeof zeros ? missing : sizeof zeros);
        if (written <= 0 && written != -EINTR)
            return written < 0 ? written : -ENOSPC;
    }
}

static long write_zeros(int fd, uint64_t offset, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        long written = sys_pwrite(fd, zeros, bytes - done < sizeof zeros ? bytes - done : sizeof zeros, offset + done);
        if (written == -EINTR)
            continue;
        if (sys_was_trapped(SYS_pwrite64, written))
            return trapped();
        if (written <= 0)
            return written < 0 ? written : -ENOSPC;
        done += (size_t)written;
    }
    return 0;
}

/* Makes room on the disk. What is written is only promised its place there, until the
 * kernel writes it back: most processes have ended and their files are gone by then, and
 * the file system, which may take milliseconds to give a place back, never knew of them. */
static long allocate(int fd, uint64_t offset, size_t bytes)
{
    long error;

    if (sys_careful)
        return append_zeros(fd, offset + bytes);
    if (bytes <= REC_LIVE_SLOT_BYTES)
        return write_zeros(fd, offset, bytes);
    do
        error = sys_fallocate(fd, offset, bytes);
    while (error == -EINTR);
    if (error > 0)
        return trapped();
    return error != -EOPNOTSUPP && error != -ENOSYS && error != -EPERM ? error : write_zeros(fd, offset, bytes);
}

int kept_file_map(struct kept_file *file, uint64_t offset, size_t bytes, void **ret_at)
{
    struct kept_use use;
    long error = kept_file_begin(file, &use);

    if (error)
        return (int)error;
    error = -EFBIG;
    if (offset + bytes <= sys_file_size_limit()) {
        bool is_programs = has_size_signal(&use);
        error = allocate(use.fd, offset, bytes);
        drop_size_signal(error, is_programs);
    }
    if (!error && !(*ret_at = sys_map(use.fd, offset, bytes)))
        error = -ENOMEM;
    kept_file_end(&use);
    return (int)error;
}
