/* Everybody may write to the file: what it says is cut to what can be, and of what could fill the log only
 * so much is taken. */
#include "analyze/log/unrecorded.h"

#include "analyze/log/append.h"
#include "analyze/util.h"
#include "format/live_place.h"
#include "format/record.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_ROOM (8 << 10) /* that it has in any case */
#define ENTRIES_MOST 10000
#define AT_ONCE 32             /* entries for one chunk */

static char *path_of(const uint8_t session[16])
{
    char name[LIVE_PLACE_BYTES];

    live_place_name(session, name);
    return format_text("%s%s%s", LIVE_PLACE_MEMORY, name, LIVE_PLACE_UNRECORDED);
}

void unrecorded_make(const uint8_t session[16])
{
    const struct rec_unrecorded_header header = { .magic = REC_UNRECORDED_MAGIC, .consumed = sizeof header };
    _cleanup_free_ char *path = path_of(session);
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return;
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, FIRST_ROOM) != 0 || pwrite(fd, &header, sizeof header, 0) != (ssize_t)sizeof header ||
        fchmod(fd, 0622) != 0)
        unlink(path);
}

void unrecorded_remove(const uint8_t session[16])
{
    _cleanup_free_ char *path = path_of(session);
    unlink(path);
}

static void begin(struct append_chunk *chunk, uint8_t *records)
{
    append_begin(chunk, 0, 0, records);
    chunk->header.sequence = REC_SESSION_UNTRACED;
}

static void add(struct append_chunk *chunk, const struct rec_unrecorded *e)
{
    const struct encode_text path = { e->path, strnlen(e->path, sizeof e->path) };
    chunk->at = encode_untraced(&chunk->encoder, chunk->at, chunk->encoder.ticks, e->pid, (enum rec_untraced)e->reason, path);
}

static int append_entries(int log_fd, const struct rec_unrecorded *entries, size_t count)
{
    uint8_t records[AT_ONCE * (ENCODE_TEXTS_MAX + sizeof entries->path)];
    struct append_chunk chunk;

    begin(&chunk, records);
    for (size_t i = 0; i < count; i++)
        add(&chunk, &entries[i]);
    return append_end(&chunk, log_fd);
}

int unrecorded_append_count(int log_fd, uint64_t programs)
{
    const struct rec_unrecorded unknown = { .reason = REC_UNTRACED_UNTOLD };
    struct rec_unrecorded some[AT_ONCE];
    uint64_t left = programs < ENTRIES_MOST ? programs : ENTRIES_MOST;
    int error = 0;

    for (size_t i = 0; i < AT_ONCE; i++)
        some[i] = unknown;
    for (; !error && left; left -= left < AT_ONCE ? left : AT_ONCE)
        error = append_entries(log_fd, some, left < AT_ONCE ? left : AT_ONCE);
    return error;
}

static int adopt(int fd, int log_fd)
{
    struct rec_unrecorded_header header;
    struct rec_unrecorded entries[AT_ONCE];
    int error = 0;

    if (pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header || memcmp(header.magic, REC_UNRECORDED_MAGIC, sizeof header.magic) != 0 ||
        header.consumed < sizeof header || header.consumed % sizeof *entries)
        return 0;
    while (!error && header.consumed / sizeof *entries < ENTRIES_MOST) {
        ssize_t got = pread(fd, entries, sizeof entries, (off_t)header.consumed);
        size_t count = got > 0 ? (size_t)got / sizeof *entries : 0;
        if (!count)
            break;
        error = append_entries(log_fd, entries, count);
        header.consumed += error ? 0 : count * sizeof *entries;
        if (!error && pwrite(fd, &header.consumed, sizeof header.consumed, offsetof(struct rec_unrecorded_header, consumed)) < 0)
            error = -errno;
    }
    return error;
}

int unrecorded_adopt(int log_fd, const uint8_t session[16])
{
    _cleanup_free_ char *path = path_of(session);
    _cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_uid != geteuid() && geteuid() != 0) || flock(fd, LOCK_EX) != 0)
        return 0;
    return adopt(fd, log_fd);
}
