/* Everybody may write to the file: what it says is cut to what can be, and of what could fill the log only
 * so much is taken. */
#include "analyze/log/unrecorded.h"

#include "analyze/log/append.h"
#include "analyze/log/hold.h"
#include "analyze/log/live.h"
#include "analyze/util.h"
#include "format/live_place.h"
#include "format/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_ROOM (8 << 10) /* that it has in any case */
#define ENTRIES_MOST 10000
#define AT_ONCE 32             /* entries for one chunk */
#define SWEPT_MOST 4           /* to look for whoever has inherited a session takes a while */

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
    log_hold(fd); /* before it is anything that others know */
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, FIRST_ROOM) != 0 || pwrite(fd, &header, sizeof header, 0) != (ssize_t)sizeof header ||
        fchmod(fd, 0622) != 0)
        unlink(path);
    else
        fd = -1; /* stays open */
}

void unrecorded_remove(const uint8_t session[16])
{
    _cleanup_free_ char *path = path_of(session);
    unlink(path);
}

static bool is_read(int fd)
{
    struct rec_unrecorded_header header;
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
           pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header &&
           memcmp(header.magic, REC_UNRECORDED_MAGIC, sizeof header.magic) == 0 && header.consumed == (uint64_t)st.st_size;
}

/* False: it is not named like one. */
static bool session_of(const char *name, uint8_t ret_session[16])
{
    const char *digits = name + strlen(LIVE_PLACE_NAME);

    if (strncmp(name, LIVE_PLACE_NAME, strlen(LIVE_PLACE_NAME)) != 0 || strlen(digits) != 32 + strlen(LIVE_PLACE_UNRECORDED))
        return false;
    for (size_t i = 0; i < 16; i++)
        if (sscanf(digits + 2 * i, "%2hhx", &ret_session[i]) != 1)
            return false;
    _cleanup_free_ char *path = path_of(ret_session);
    return strcmp(path + strlen(LIVE_PLACE_MEMORY), name) == 0;
}

void unrecorded_sweep(bool (*inherited)(const uint8_t session[16]))
{
    DIR *entries = opendir(LIVE_PLACE_MEMORY);
    uint8_t session[16];
    int asked = 0;

    for (struct dirent *entry; entries && asked < SWEPT_MOST && (entry = readdir(entries));) {
        if (!session_of(entry->d_name, session))
            continue;
        _cleanup_free_ char *path = path_of(session);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
        if (fd < 0 || !is_read(fd) || log_is_held(fd))
            continue;
        asked++;
        if (!live_any_running_of(path, session) && !inherited(session))
            unlink(path);
    }
    if (entries)
        closedir(entries);
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
