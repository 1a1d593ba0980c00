/* Live files of ended processes -> chunks of the log. The hard problem is that we may be
 * killed at any point, or find no room: what is there twice then can be told to be the
 * same, and what is in no file any more never was removed before it was in another. */
#include "analyze/log/live.h"

#include "analyze/log/append.h"
#include "analyze/log/ballast.h"
#include "analyze/log/cut.h"
#include "analyze/log/hold.h"
#include "analyze/log/spool.h"
#include "analyze/log/torn.h"
#include "analyze/log/unrecorded.h"
#include "format/chunk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is left of a process that was killed while it made its live file: the magic comes last, slots after it. */
static void remove_unborn(const char *path)
{
    uint64_t magic = 0;
    struct stat st;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    const char *suffix = path + strlen(path);

    while (strchr("0123456789.", suffix[-1]))
        suffix--; /* up to .live, then the pid */
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > REC_LIVE_HEADER_BYTES ||
        pread(fd, &magic, sizeof magic, 0) < 0 || magic != 0)
        return;
    /* It is locked as soon as it is made, nearly. */
    if (!live_is_locked(fd) && !live_may_be_of((uint32_t)strtoul(suffix + 1, NULL, 10), &st.st_mtim))
        unlink(path);
}

struct adoption {
    const char *log_path;
    int log_fd;
    bool packs;
    struct cutter *cutter;
    uint8_t session[16];
    bool refused; /* a file that may not be removed */
    bool is_kept; /* what the log ends with */
    struct adoptee {
        char *path;
        uint64_t image; /* 0: nothing that can be read */
    } *files;
    size_t file_count, file_capacity;
};

/* What the live header knows and no stream can say: when it is adopted (a
 * calibration pair), and what was lost. One of them counts for each process. */
static int append_summary(int log_fd, const struct rec_live_header *live, const struct rec_chunk_header *process,
                          uint32_t chunk_count)
{
    uint8_t records[ENCODE_EVENT_MAX * 2];
    struct append_chunk chunk;

    append_begin(&chunk, process->pid, process->image, records);
    chunk.header.sequence = REC_SESSION_SUM;
    chunk.header.stream = chunk_count;
    if (live_is_of_header(live, process) && (live->lost_events || live->stop_errno))
        chunk.at = encode_lost(&chunk.encoder, chunk.at, chunk.encoder.ticks, live->lost_events, live->stop_errno);
    return append_end(&chunk, log_fd);
}

/* Renames it, so that nothing is appended again and again where the file could
 * not be removed in the end (a directory of another user, say). A name with a
 * final .0 has been through this before. NULL: it must stay as it is. */
static char *claim(const char *path)
{
    size_t length = strlen(path);

    if (strcmp(path + length - 2, ".0") == 0)
        return copy_text(path, length);
    char *claimed = format_text("%s.0", path);
    while (access(claimed, F_OK) == 0) { /* of an earlier process with this pid */
        char *next = format_text("%s.0", claimed);
        free(claimed);
        claimed = next;
    }
    if (rename(path, claimed) == 0)
        return claimed;
    free(claimed);
    return NULL;
}

/* The streams of a live file: of each the latest chunk that was in a slot, and how
 * many came up to it. */
struct stream_counts {
    struct stream_count {
        struct rec_chunk_header of;
        uint32_t chunk_count;
    } *streams;
    size_t count, capacity;
};

static bool is_same_process(const struct rec_chunk_header *a, const struct rec_chunk_header *b)
{
    return a->pid == b->pid && a->image == b->image;
}

/* By what live_read_slot has seen: the number of the chunk in the slot is how many came
 * before it. A stream may have several slots. */
static void count_chunks(struct stream_counts *counts, const struct log_slot *slot, const struct rec_live_header *live,
                         bool has_chunk)
{
    uint32_t chunk_count = slot->chunk.sequence + has_chunk;
    size_t i = 0;

    if (slot->chunk.magic != REC_CHUNK_MAGIC || !live_is_owned(live, slot))
        return;
    while (i < counts->count && !(is_same_process(&counts->streams[i].of, &slot->chunk) &&
                                  counts->streams[i].of.stream == slot->chunk.stream))
        i++;
    if (i == counts->count) {
        counts->streams = grow(counts->streams, &counts->capacity, i + 1, sizeof *counts->streams);
        counts->streams[counts->count++] = (struct stream_count){ slot->chunk, 0 };
    }
    if (chunk_count > counts->streams[i].chunk_count)
        counts->streams[i].chunk_count = chunk_count;
}

static uint32_t chunks_of(const struct stream_counts *counts, const struct rec_chunk_header *process)
{
    uint32_t chunk_count = 0;

    for (size_t i = 0; i < counts->count; i++)
        if (is_same_process(&counts->streams[i].of, process))
            chunk_count += counts->streams[i].chunk_count;
    return chunk_count;
}

/* Of the file's own process, in the log and its files. */
static uint32_t chunks_there(const char *log_path, const struct rec_live_header *live)
{
    struct failure failure;
    struct log *log;

    if (log_open(log_path, &log, &failure) != 0)
        return 0;
    const struct log_process *p = &log->processes[log_find_process(log, live->pid, live->image)];
    uint32_t chunk_count = (uint32_t)(p->chunk_count + p->gaps);
    log_free(log);
    return chunk_count;
}

/* A sum for the file's own process, and one for each guest. */
static int append_summaries(int log_fd, const struct rec_live_header *live, const struct stream_counts *counts, uint32_t owner_count)
{
    const struct rec_chunk_header owner = { .pid = live->pid, .image = live->image };
    int error = append_summary(log_fd, live, &owner, owner_count ? owner_count : chunks_of(counts, &owner));

    for (size_t i = 0; !error && i < counts->count; i++) {
        const struct rec_chunk_header *process = &counts->streams[i].of;
        size_t first = 0;
        while (!is_same_process(&counts->streams[first].of, process))
            first++;
        if (first == i && !live_is_of_header(live, process))
            error = append_summary(log_fd, live, process, chunks_of(counts, process));
    }
    return error;
}

static int append_chunk(const struct adoption *adoption, const void *chunk)
{
    struct stat log;
    size_t bytes;

    if (fstat(adoption->log_fd, &log) != 0)
        return -errno;
    const void *fit = cutter_fit(adoption->cutter, chunk, (uint64_t)log.st_size, &bytes);
    return append_all(adoption->log_fd, fit, bytes);
}

/* On a full disk one slot makes room for the next. Should somebody have to begin again, its
 * chunks are not in the sum that tells a log that was cut. */
static void give_back(const char *path, size_t slot)
{
    chmod(path, 0600);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);

    if (fd >= 0)
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)live_slot_offset(slot), REC_LIVE_SLOT_BYTES);
}

static int adopt_one(struct adoption *adoption, const char *path)
{
    struct rec_live_header live;
    uint64_t bytes;
    struct stream_counts counts = { 0 };
    _cleanup_close_ int fd = live_open(path, adoption->session, &live, &bytes);
    _cleanup_free_ struct log_slot *slot = alloc_zeroed(1, REC_LIVE_SLOT_BYTES);

    if (fd < 0)
        remove_unborn(path);
    if (fd < 0 || live_is_used(fd, &live, bytes))
        return 0;
    if (!adoption->cutter) /* the limit is the session's */
        adoption->cutter = cutter_make(live.log_most, adoption->packs);
    _cleanup_free_ char *claimed = claim(path);
    if (!claimed) {
        adoption->refused = true;
        return 0;
    }
    int error = adoption->is_kept ? 0 : torn_keep(adoption->log_path);
    adoption->is_kept = true;
    for (size_t i = 0; !error && live_slot_offset(i) < bytes; i++) {
        bool has_chunk = live_read_slot(fd, &live, i, slot);
        count_chunks(&counts, slot, &live, has_chunk);
        if (!has_chunk)
            continue;
        chunk_seal(&slot->chunk, slot->chunk.payload_bytes);
        error = append_chunk(adoption, &slot->chunk);
        if (!error && ballast_is_gone())
            give_back(claimed, i);
    }
    if (!error)
        error = append_summaries(adoption->log_fd, &live, &counts, /* what was cut off is a chunk or more, of whatever stream */
                                 live_is_cut(fd, bytes) ? chunks_there(adoption->log_path, &live) + 1 : 0);
    if (!error && (int64_t)live.untraced > 0) /* a withdrawal alone may have found no room */
        error = unrecorded_append_count(adoption->log_fd, live.untraced);
    free(counts.streams);
    if (!error && unlink(claimed) != 0)
        error = -errno;
    return error;
}

static int note_file(void *data, const char *path)
{
    struct adoption *adoption = data;
    struct rec_live_header live = { .image = 0 };
    uint64_t bytes;
    _cleanup_close_ int fd = live_open(path, adoption->session, &live, &bytes);

    adoption->files = grow(adoption->files, &adoption->file_capacity, adoption->file_count + 1, sizeof *adoption->files);
    adoption->files[adoption->file_count++] = (struct adoptee){ copy_text(path, strlen(path)), fd < 0 ? 0 : live.image };
    return 0;
}

static int latest_first(const void *left, const void *right)
{
    const struct adoptee *a = left, *b = right;
    return a->image != b->image ? (a->image < b->image ? 1 : -1) : strcmp(a->path, b->path);
}

/* The session's first process comes last: a log that is cut before lacks it, or its sum. */
static int adopt_files(struct adoption *adoption, const char *log_path)
{
    int error = live_each(log_path, adoption->session, note_file, adoption), adopt_error = 0;

    if (adoption->file_count)
        qsort(adoption->files, adoption->file_count, sizeof *adoption->files, latest_first);
    for (size_t i = 0; i < adoption->file_count; i++) {
        if (!adopt_error)
            adopt_error = adopt_one(adoption, adoption->files[i].path);
        free(adoption->files[i].path);
    }
    free(adoption->files);
    return adopt_error ? adopt_error : error;
}

int live_adopt(const char *log_path)
{
    struct rec_file_header header;
    struct adoption adoption = { 0 };
    struct stat st;
    _cleanup_close_ int fd = open(log_path, O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) != 0 || pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header ||
        file_header_check(&header) != FILE_HEADER_GOOD || st.st_size < header.header_bytes)
        return -EINVAL;
    int spool_error = spool_adopt(log_path);
    adoption.log_path = log_path;
    adoption.log_fd = fd;
    adoption.packs = header.incompatible_flags & REC_FILE_PACKED;
    memcpy(adoption.session, header.session, sizeof adoption.session);
    int notes_error = unrecorded_adopt(fd, adoption.session);
    int error = adopt_files(&adoption, log_path);
    if (!error && !notes_error && !log_is_held(fd) && !live_any_running(log_path))
        unrecorded_remove(adoption.session);
    cutter_free(adoption.cutter);
    return error ? error : adoption.refused ? -EACCES : spool_error ? spool_error : notes_error;
}

static int discard_one(void *data, const char *path)
{
    struct rec_live_header live;
    uint64_t bytes;
    _cleanup_close_ int fd = live_open(path, data, &live, &bytes);

    if (fd < 0)
        remove_unborn(path);
    else if (!live_is_used(fd, &live, bytes))
        unlink(path);
    return 0;
}

void live_discard_session(const char *log_path, const uint8_t session[16])
{
    struct rec_spool_header header;
    _cleanup_close_ int spool = spool_open(log_path, session, O_RDONLY, &header);
    _cleanup_free_ char *path = format_text("%s" SPOOL_ENDING, log_path);

    live_each(log_path, session, discard_one, (void *)session);
    unrecorded_remove(session);
    if (spool >= 0)
        unlink(path);
}

void live_discard(const char *log_path)
{
    struct rec_file_header header;
    _cleanup_close_ int fd = open(log_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0 && pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header &&
        file_header_check(&header) == FILE_HEADER_GOOD) {
        live_each(log_path, header.session, discard_one, header.session);
        unrecorded_remove(header.session);
    }
}
