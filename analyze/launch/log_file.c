#include "analyze/launch/log_file.h"

#include "analyze/launch/inheritors.h"
#include "analyze/log/append.h"
#include "analyze/log/ballast.h"
#include "analyze/log/hold.h"
#include "analyze/log/live.h"
#include "analyze/log/spool.h"
#include "analyze/log/unrecorded.h"
#include "format/chunk.h"
#include "format/output_name.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define FIRST_ROOM (128 << 10) /* bytes that must be free on the disk beside the ballast to begin at all */
#define COMMAND_BYTES 16384
#define LIVE_ENDING ".live.4194304.999" /* of the longest name that a process of the session gives its live file */

static char *absolute(const char *path)
{
    char directory[PATH_MAX];

    if (path[0] == '/' || !getcwd(directory, sizeof directory))
        return copy_text(path, strlen(path));
    return format_text("%s/%s", directory, path);
}

/* Held by record as long as it runs; in no reader's way, as flock() would be. Where the file
 * system knows no locks, the processes' live files must do. */
static void lock(int fd)
{
    fcntl(fd, F_OFD_SETLK, &(struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 });
}

bool log_file_is_in_use(const char *path)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    return (fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) || live_any_running(path);
}

/* Whether all that lies at this name may go; nothing is touched yet. */
static int check_replaceable(const char *path, struct failure *ret_failure)
{
    uint8_t session[16];
    struct stat st;
    bool is_there = lstat(path, &st) == 0;

    if (is_there && !S_ISREG(st.st_mode))
        return fail(ret_failure, EINVAL, "%s: exists and is no regular file; a log must be one", path);
    int error = spool_owner(path, session);
    if ((is_there && log_file_is_in_use(path)) || error == -EBUSY || (!error && live_any_running_of(path, session)))
        return fail(ret_failure, EBUSY, "%s: a session that still runs is recorded into it; wait for its end, or use "
                    "another name with -o", path);
    if (error == -EINVAL)
        return fail(ret_failure, EEXIST, "%s" SPOOL_ENDING ": exists already, and is nothing of malloscope's; remove it, or use "
                    "another name with -o", path);
    return 0;
}

/* The log, and what is beside it, of another session too: one whose log has gone. */
static int remove_old(const char *path, struct failure *ret_failure)
{
    uint8_t session[16];
    struct rec_file_header header;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool is_log = fd >= 0 && pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header &&
                  file_header_check(&header) == FILE_HEADER_GOOD;

    if (unlink(path) != 0 && errno != ENOENT)
        return fail(ret_failure, errno, "%s: cannot replace it: %s", path, strerror(errno));
    if (is_log)
        live_discard_session(path, header.session);
    if (spool_owner(path, session) == 0)
        live_discard_session(path, session);
    return 0;
}

static int create(const char *path, bool force, int *ret_fd, struct failure *ret_failure)
{
    struct stat st;

    if (!*path)
        return fail(ret_failure, EINVAL, "-o: the name is empty");
    const char *slash = strrchr(path, '/');
    if (strlen(slash ? slash + 1 : path) + strlen(LIVE_ENDING) > NAME_MAX)
        return fail(ret_failure, ENAMETOOLONG, "%.60s...: the name is too long: %s must still fit behind it", path,
                    LIVE_ENDING);
    if (force) {
        int error = check_replaceable(path, ret_failure);
        error = error ? error : remove_old(path, ret_failure);
        if (error)
            return error;
    }
    *ret_fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (*ret_fd >= 0)
        return 0;
    if (errno == EEXIST && lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return fail(ret_failure, EISDIR, "%s: is a directory; name a file in it with -o", path);
    if (errno == EEXIST || errno == EISDIR)
        return fail(ret_failure, EEXIST, "%s: exists already; use -f to overwrite it, or another name with -o", path);
    return fail(ret_failure, errno, "%s: cannot make the log: %s; " ANOTHER_PLACE, path, strerror(errno));
}

/* Whether the first events will find room; takes only the ballast for good. */
static int test_room(const char *path, int fd)
{
    struct rlimit limit;
    int error;

    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < REC_LIVE_HEADER_BYTES + REC_LIVE_SLOT_BYTES)
        return -EFBIG; /* a process could not even make its live file */
    error = ballast_take(path);
    if (error)
        return error;
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, FIRST_ROOM) != 0)
        return errno == ENOSPC || errno == EDQUOT ? -errno : 0; /* other errors: this file system cannot tell */
    return ftruncate(fd, sizeof(struct rec_file_header)) == 0 ? 0 : -errno; /* gives back what is behind its end */
}

static int make_spool(const char *path, const struct log_file *file, struct failure *ret_failure)
{
    int error = spool_make(path, file->session);

    if (error == -EEXIST)
        fail(ret_failure, EEXIST, "%s" SPOOL_ENDING ": exists already, from a log that is gone; use -f to overwrite it, or "
             "another name with -o", path);
    else if (error)
        fail(ret_failure, -error, "%s" SPOOL_ENDING ": cannot be made: %s; " ANOTHER_PLACE, path, strerror(-error));
    return error;
}

int log_file_make(const char *pattern, const char *program, pid_t pid, bool force, bool packed,
                  struct log_file *ret_file, struct failure *ret_failure)
{
    struct output_name name = { .program = program, .pid = (uint32_t)pid, .number = 1 };
    struct rec_file_header header;
    struct utsname host;
    char path[PATH_MAX];
    int fd = -1, error;

    uname(&host);
    name.host = host.nodename;
    do {
        path[0] = 0;
        if (*pattern && !output_name_expand(pattern, &name, path, sizeof path))
            return fail(ret_failure, EINVAL, "-o %.60s: too long, or a %% that is none of %%p %%e %%h %%n %%%%", pattern);
        name.number++;
        error = create(path, force && !output_name_is_numbered(pattern), &fd, ret_failure);
    } while (error == -EEXIST && output_name_is_numbered(pattern));
    if (error)
        return error;

    lock(fd);
    *ret_file = (struct log_file){ .path = absolute(path), .fd = fd, .packed = packed };
    if (getrandom(ret_file->session, sizeof ret_file->session, 0) != (ssize_t)sizeof ret_file->session)
        memcpy(ret_file->session, &pid, sizeof pid);
    file_header_make_with(&header, ret_file->session, packed ? REC_FILE_PACKED : 0, sizeof header);
    log_hold(fd);
    error = append_all(fd, &header, sizeof header);
    if (!error)
        error = test_room(path, fd);
    if (error)
        fail(ret_failure, -error, "%s: cannot write the log: %s; " ANOTHER_PLACE, path, strerror(-error));
    else if (packed)
        error = make_spool(path, ret_file, ret_failure);
    if (error) {
        log_file_discard(ret_file);
    } else {
        unrecorded_make(ret_file->session);
        unrecorded_sweep(inheritors_run);
    }
    return error;
}

void log_file_release(struct log_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    *file = (struct log_file){ .fd = -1 };
}

bool log_file_is_there(const struct log_file *file)
{
    struct stat mine, there;

    return fstat(file->fd, &mine) == 0 && stat(file->path, &there) == 0 && mine.st_dev == there.st_dev &&
           mine.st_ino == there.st_ino;
}

void log_file_discard(struct log_file *file)
{
    spool_discard(file->path);
    unrecorded_remove(file->session);
    unlink(file->path);
    log_file_release(file);
}

char *log_file_session(const struct log_file *file, pid_t first)
{
    char hex[33];

    for (int i = 0; i < 16; i++)
        sprintf(hex + 2 * i, "%02x", file->session[i]);
    return first ? format_text("MALLOSCOPE_SESSION=%s:%d:%s", hex, first, file->path)
                 : format_text("MALLOSCOPE_SESSION=%s:%s", hex, file->path);
}

int log_file_begin(struct log_file *file, char **command, pid_t first, unsigned flags)
{
    _cleanup_free_ uint8_t *records = alloc_zeroed(1, ENCODE_TEXTS_MAX + COMMAND_BYTES + sizeof(struct utsname));
    _cleanup_free_ char *joined = alloc_zeroed(1, COMMAND_BYTES);
    struct append_chunk chunk;
    struct timespec now;
    struct utsname host;
    size_t used = 0;

    for (; *command && used + strlen(*command) + 1 < COMMAND_BYTES; command++)
        used += (size_t)(stpcpy(joined + used, *command) + 1 - (joined + used));
    uname(&host);
    clock_gettime(CLOCK_REALTIME, &now);
    append_begin(&chunk, 0, 0, records);
    chunk.at = encode_session_start(&chunk.encoder, chunk.at, chunk.encoder.ticks,
                                    (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
                                    (struct encode_text){ joined, used }, (struct encode_text){ host.nodename, strlen(host.nodename) },
                                    (struct encode_text){ MALLOSCOPE_VERSION, strlen(MALLOSCOPE_VERSION) }, (uint32_t)first, flags);
    return append_end(&chunk, file->fd);
}
