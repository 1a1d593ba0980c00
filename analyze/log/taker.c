/* Spool -> log. The hard problem is to tell a chunk that is being written from one
 * that never will be whole: appends to a file happen one after the other, so what
 * has a whole chunk behind it is finished. Such pieces are copied as they are:
 * the reader knows what to do with them. */
#include "analyze/log/spool.h"

#include "analyze/log/append.h"
#include "analyze/log/ballast.h"
#include "analyze/log/cut.h"
#include "analyze/log/pack.h"
#include "analyze/util.h"
#include "format/chunk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BUFFER_BYTES (2u << 20) /* more than the largest chunk */
#define AHEAD_BYTES (8u << 20)  /* a guess of what will be packed must be that wrong before it stops processes */
#define BATCH_BYTES (64u << 10) /* of packed chunks to append at once, about: for so many there is room on a full disk */
#define SHORT_BYTES (32u << 20)
#define HOLE_BYTES (256u << 10) /* given back at once, about */

struct taker {
    char *log_path;
    int spool, log;
    uint64_t offset;    /* in the spool: what is before it is in the log */
    uint64_t hole_end;  /* up to there it has been given back */
    uint64_t limit_bytes, taken_bytes, written_bytes;
    bool was_cut;       /* the spool, by somebody else: what is not whole in it means nothing */
    bool told;          /* the processes know that the limit is reached */
    bool lacks_room;    /* the disk is full, as the processes know */
    bool takes_runs;    /* chunks may become one: if what is appended is cut short, so much room is lost */
    struct cutter *cutter;
    uint8_t *buffer, *batch;
    size_t batch_bytes;
};

static int put_word(int spool, const void *word, size_t bytes, size_t offset)
{
    ssize_t written;

    do
        written = pwrite(spool, word, bytes, (off_t)offset);
    while (written < 0 && (errno == ENOSPC || errno == EDQUOT) && ballast_drop(spool)); /* on btrfs it takes room */
    return written == (ssize_t)bytes ? 0 : written < 0 ? -errno : -EIO;
}

/* What is on its way counts as if it were packed already. Where the spool would have to end
 * is written down before it is there: we may be killed, or go, while processes go on. */
static int keep_limit(struct taker *t)
{
    static const uint32_t stop = REC_STOP_LIMIT;
    struct stat log, spool;

    if (!t->limit_bytes || t->told || fstat(t->log, &log) != 0 || fstat(t->spool, &spool) != 0)
        return 0;
    double ratio = t->taken_bytes ? (double)t->written_bytes / (double)t->taken_bytes : 1;
    double room = (double)t->limit_bytes - (double)log.st_size, most = (double)t->offset + (room > 0 ? room / ratio : 0);
    if (most <= (double)spool.st_size || cutter_is_full(t->cutter)) {
        t->told = true;
        return put_word(t->spool, &stop, sizeof stop, offsetof(struct rec_spool_header, stop));
    }
    uint64_t end_most = most < (double)(UINT64_MAX / 4) ? (uint64_t)most + AHEAD_BYTES : 0;
    return put_word(t->spool, &end_most, sizeof end_most, offsetof(struct rec_spool_header, end_most));
}

int taker_make(const char *log_path, uint64_t limit_bytes, struct taker **ret_taker)
{
    struct rec_file_header header;
    struct rec_spool_header spool;
    uint64_t consumed, end;
    _cleanup_close_ int log = open(log_path, O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK);

    if (log < 0)
        return -errno;
    if (pread(log, &header, sizeof header, 0) != (ssize_t)sizeof header || file_header_check(&header) != FILE_HEADER_GOOD)
        return -EINVAL;
    _cleanup_close_ int fd = spool_open(log_path, header.session, O_RDWR, &spool);
    if (fd < 0)
        return fd;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    int error = spool_extent(fd, &consumed, &end);
    if (error)
        return error;
    struct taker *t = alloc_zeroed(1, sizeof *t);
    t->log_path = copy_text(log_path, strlen(log_path));
    t->spool = fd;
    t->log = log;
    fd = log = -1;
    t->offset = t->hole_end = consumed;
    t->limit_bytes = limit_bytes;
    t->cutter = cutter_make(limit_bytes ? limit_bytes : spool.log_most, true);
    t->buffer = alloc_zeroed(1, BUFFER_BYTES);
    t->batch = alloc_zeroed(1, BUFFER_BYTES);
    error = limit_bytes ? put_word(t->spool, &limit_bytes, sizeof limit_bytes, offsetof(struct rec_spool_header, log_most)) : 0;
    if (!error)
        error = keep_limit(t);
    if (error) {
        taker_free(t);
        return error;
    }
    *ret_taker = t;
    return 0;
}

void taker_free(struct taker *t)
{
    if (!t)
        return;
    close(t->spool);
    close(t->log);
    cutter_free(t->cutter);
    free(t->log_path);
    free(t->buffer);
    free(t->batch);
    free(t);
}

/* The whole chunk at `at`: its size. 0: there is none. */
static size_t whole_chunk(const uint8_t *at, size_t bytes)
{
    struct rec_chunk_header header;

    if (bytes < sizeof header)
        return 0;
    memcpy(&header, at, sizeof header);
    if (!chunk_header_sound(&header) || bytes < (size_t)header.header_bytes + header.payload_bytes ||
        !chunk_payload_intact(&header, at + header.header_bytes))
        return 0;
    return header.header_bytes + header.payload_bytes;
}

static size_t next_whole_chunk(const uint8_t *start, size_t at, size_t bytes)
{
    static const uint32_t magic = REC_CHUNK_MAGIC;

    while (at < bytes) {
        const uint8_t *found = memmem(start + at, bytes - at, &magic, sizeof magic);
        if (!found)
            break;
        at = (size_t)(found - start);
        if (whole_chunk(found, bytes - at))
            return at;
        at++;
    }
    return bytes;
}

/* How many chunks at `at`, of which the first is whole, can be packed as one; *bytes: of all of them. */
static unsigned run_at(const uint8_t *at, size_t there, size_t *bytes)
{
    struct rec_chunk_header header, next;
    unsigned count = 1;

    memcpy(&header, at, sizeof header);
    for (size_t taken; there - *bytes >= sizeof next; *bytes += taken, header = next, count++) {
        memcpy(&next, at + *bytes, sizeof next);
        if (!packer_can_follow(&header, &next) || *bytes + next.payload_bytes > PACKER_RUN_MOST)
            break;
        taken = whole_chunk(at + *bytes, there - *bytes);
        if (!taken)
            break;
    }
    return count;
}

/* Several chunks as one, if there are several: NULL, if they cannot be; else *taken is of all of them. */
static const void *fit_run(struct taker *t, const uint8_t *at, size_t there, uint64_t log_bytes, size_t *taken, size_t *packed_bytes)
{
    size_t bytes = *taken;
    unsigned count = t->takes_runs && !cutter_is_full(t->cutter) ? run_at(at, there, &bytes) : 1;
    const void *packed = count > 1 ? cutter_fit_run(t->cutter, at, count, log_bytes, packed_bytes) : NULL;

    if (packed)
        *taken = bytes;
    return packed;
}

/* Packs of the buffer's `bytes`, of which some are used, what goes into a batch, which cannot
 * become larger than they are; how many of them went into it. */
static size_t fill_batch(struct taker *t, size_t used, size_t bytes, bool end_is_here, bool all, uint64_t log_bytes)
{
    size_t at = used, packed_bytes;

    /* On a full disk one chunk after the other: the last room is enough for each, whoever else has taken of it. */
    for (t->batch_bytes = 0; at < bytes && t->batch_bytes < (t->lacks_room ? 1 : BATCH_BYTES); t->batch_bytes += packed_bytes) {
        const void *packed = t->buffer + at;
        size_t taken = whole_chunk(t->buffer + at, bytes - at);
        if (taken) {
            packed = fit_run(t, t->buffer + at, bytes - at, log_bytes + t->batch_bytes, &taken, &packed_bytes);
            if (!packed)
                packed = cutter_fit(t->cutter, t->buffer + at, log_bytes + t->batch_bytes, &packed_bytes);
        } else {
            size_t next = next_whole_chunk(t->buffer, at + 1, bytes);
            /* The next buffer has it whole; or it is perhaps still being written. */
            if (next == bytes && (end_is_here ? !all : at > 0))
                break;
            taken = next - at;
            packed_bytes = t->was_cut ? 0 : taken; /* then it is nobody's */
        }
        memcpy(t->batch + t->batch_bytes, packed, packed_bytes);
        at += taken;
    }
    return at - used;
}

/* A log that nobody can find any more, or another one of its name, is no place for events. */
static int check_log(const char *path, int fd, uint64_t *ret_bytes)
{
    struct stat mine, there;

    if (fstat(fd, &mine) != 0 || stat(path, &there) != 0)
        return -errno;
    *ret_bytes = (uint64_t)mine.st_size;
    return mine.st_dev == there.st_dev && mine.st_ino == there.st_ino ? 0 : -ESTALE;
}

/* Not while somebody reads the spool. Where the file system knows no holes the space is
 * taken until the spool goes. */
static void give_back(struct taker *t)
{
    if (t->offset < t->hole_end + (ballast_is_gone() ? 1 : HOLE_BYTES) || flock(t->log, LOCK_EX | LOCK_NB) != 0)
        return;
    fallocate(t->spool, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)t->hole_end, (off_t)(t->offset - t->hole_end));
    flock(t->log, LOCK_UN);
    t->hole_end = t->offset;
}

/* The buffer has what follows `offset` in the spool. Returns how much, or -errno. */
static ssize_t fill_buffer(struct taker *t, uint64_t *ret_rest)
{
    struct stat st;

    if (fstat(t->spool, &st) != 0)
        return -errno;
    if ((uint64_t)st.st_size < t->offset) { /* somebody has cut it short: what is there now may be new */
        t->offset = 0;
        t->hole_end = sizeof(struct rec_spool_header); /* if that is still there, it is needed */
        t->was_cut = true;
    }
    *ret_rest = (uint64_t)st.st_size > t->offset ? (uint64_t)st.st_size - t->offset : 0;
    size_t wanted = *ret_rest < BUFFER_BYTES ? (size_t)*ret_rest : BUFFER_BYTES;
    ssize_t got = wanted ? pread(t->spool, t->buffer, wanted, (off_t)t->offset) : 0;
    return got < 0 && errno != EINTR ? -errno : got < 0 ? 0 : got;
}

bool taker_room_is_short(const struct taker *t)
{
    struct statvfs room;

    return fstatvfs(t->log, &room) == 0 && (uint64_t)room.f_bavail * room.f_frsize < SHORT_BYTES;
}

/* Nothing more is worth recording; 0: it is. */
static void stop(struct taker *t, uint32_t reason)
{
    put_word(t->spool, &reason, sizeof reason, offsetof(struct rec_spool_header, stop));
}

/* The processes are stopped before the ballast goes: else they would take its room, and what each chunk that is packed
 * gives back, and nothing would be left to pack with. */
static void begin_shortage(struct taker *t, uint32_t reason)
{
    t->lacks_room = true;
    if (!t->told)
        stop(t, reason);
}

/* Who begins to record from now on may do so. */
static void end_shortage(struct taker *t)
{
    if (taker_room_is_short(t) || ballast_take(t->log_path) != 0)
        return;
    t->lacks_room = false;
    if (!t->told)
        stop(t, 0);
}

/* Appends the batch, which stands for the next `taken` bytes of the spool. */
static int append_batch(struct taker *t, size_t taken)
{
    int error = (t->lacks_room ? append_all : append_once)(t->log, t->batch, t->batch_bytes);

    if (error)
        return error;
    t->offset += taken;
    t->taken_bytes += taken;
    t->written_bytes += t->batch_bytes;
    error = put_word(t->spool, &t->offset, sizeof t->offset, offsetof(struct rec_spool_header, consumed));
    if (!error)
        give_back(t);
    return error;
}

int taker_move(struct taker *t, bool all, uint64_t *ret_bytes)
{
    uint64_t rest = 0, log_bytes = 0;
    size_t used = 0, taken;
    ssize_t got = fill_buffer(t, &rest);

    *ret_bytes = 0;
    if (got < 0)
        return (int)got;
    int error = got ? check_log(t->log_path, t->log, &log_bytes) : 0;
    if (error)
        stop(t, (uint32_t)-error);
    const uint64_t offset = t->offset, written_bytes = t->written_bytes;
    t->takes_runs = got && !taker_room_is_short(t);
    while (!error && used < (size_t)got) {
        taken = fill_batch(t, used, (size_t)got, (uint64_t)got == rest, all, log_bytes + t->written_bytes - written_bytes);
        if (!taken)
            break;
        error = append_batch(t, taken);
        if (append_lacks_room(error) && !t->lacks_room) {
            begin_shortage(t, (uint32_t)-error);
            error = 0; /* a smaller batch may do */
        }
        used = (size_t)(t->offset - offset);
    }
    if (!error && t->lacks_room && (uint64_t)got == rest) /* all that is whole */
        end_shortage(t);
    *ret_bytes = error ? 0 : used;
    return error ? error : keep_limit(t);
}

int taker_set_closed(struct taker *t, uint32_t closed)
{
    return put_word(t->spool, &closed, sizeof closed, offsetof(struct rec_spool_header, closed));
}
