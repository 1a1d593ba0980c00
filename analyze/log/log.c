/* Bytes -> chunks. The hard problem is damage: after a chunk that is not whole,
 * the next one is looked for byte by byte, by its magic number and its header's
 * own checksum, and what was skipped is remembered with its offset. */
#include "analyze/log/log.h"

#include "analyze/log/calibrate.h"
#include "analyze/log/hold.h"
#include "analyze/log/relatives.h"
#include "analyze/log/spool.h"
#include "analyze/log/unpackers.h"
#include "format/chunk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The part of the file that the scan looks at. */
struct window {
    int fd;
    uint64_t file_bytes;
    uint64_t offset; /* of buffer[0] */
    size_t bytes;
    uint8_t *buffer;
};

#define AGAIN_MOST 5
#define AGAIN_US 10000u

#define WINDOW_BYTES (4u << 20) /* at least two of the largest chunks */

int log_read_at(int fd, void *buffer, size_t bytes, uint64_t offset)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(fd, (char *)buffer + done, bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -ENODATA;
        done += (size_t)got;
    }
    return 0;
}

/* The file's bytes at offset, wanted of them if the file has so many;
 * *ret_bytes says how many there are. NULL: the file cannot be read. */
static const uint8_t *window_at(struct window *w, uint64_t offset, size_t wanted, size_t *ret_bytes)
{
    uint64_t end = w->offset + w->bytes;

    if (offset < w->offset || offset > end || (offset + wanted > end && end < w->file_bytes)) {
        uint64_t rest = w->file_bytes - offset;
        w->offset = offset;
        w->bytes = rest < WINDOW_BYTES ? (size_t)rest : WINDOW_BYTES;
        if (log_read_at(w->fd, w->buffer, w->bytes, offset) != 0) {
            w->bytes = 0;
            return NULL;
        }
    }
    *ret_bytes = (size_t)(w->offset + w->bytes - offset);
    return w->buffer + (offset - w->offset);
}

uint32_t log_find_process(struct log *log, uint32_t pid, uint64_t image)
{
    uint32_t process = index_find(&log->process_index, pid, image);

    if (process != UINT32_MAX)
        return process;
    process = (uint32_t)log->process_count++;
    log->processes = grow(log->processes, &log->process_capacity, log->process_count, sizeof *log->processes);
    log->processes[process] = (struct log_process){ .pid = pid, .image = image };
    index_add(&log->process_index, pid, image, process);
    return process;
}

static uint32_t find_stream(struct log *log, uint32_t process, uint32_t number)
{
    uint32_t stream = index_find(&log->stream_index, process, number);

    if (stream != UINT32_MAX)
        return stream;
    stream = (uint32_t)log->stream_count++;
    log->streams = grow(log->streams, &log->stream_capacity, log->stream_count, sizeof *log->streams);
    log->recorded_count += log->processes[process].stream_count++ == 0;
    log->streams[stream] = (struct log_stream){ .process = process, .number = number };
    index_add(&log->stream_index, process, number, stream);
    return stream;
}

struct log_chunk *log_add_chunk(struct log *log, const struct rec_chunk_header *header, uint32_t file,
                                uint64_t payload_offset)
{
    log->chunks = grow(log->chunks, &log->chunk_capacity, log->chunk_count + 1, sizeof *log->chunks);
    struct log_chunk *chunk = &log->chunks[log->chunk_count++];
    *chunk = (struct log_chunk){
        .offset = payload_offset,
        .file = file,
        .payload_bytes = header->payload_bytes,
        .process = log_find_process(log, header->pid, header->image),
        .stream = UINT32_MAX,
        .sequence = header->sequence,
        .ticks_are_ns = header->flags & REC_CHUNK_TICKS_ARE_NS,
        .is_cut = header->flags & REC_CHUNK_CUT,
        .ticks = header->ticks,
        .clock_ns = header->clock_ns,
    };
    if (header->type == REC_CHUNK_EVENTS) {
        chunk->stream = find_stream(log, chunk->process, header->stream);
    } else if (header->sequence == REC_SESSION_END) {
        log->has_session_end = true;
    } else if (header->pid == 0 && header->sequence != REC_SESSION_UNTRACED) {
        log->has_session_start = true;
    } else if (header->sequence == REC_SESSION_SUM) {
        if (log->processes[chunk->process].summed_up)
            chunk->payload_bytes = 0; /* an interrupted merge had written one already */
        log->processes[chunk->process].expected_chunks = header->stream;
        log->processes[chunk->process].summed_up = true;
    }
    return chunk;
}

static void add_names(struct log *log, const struct rec_chunk_header *header, struct log_chunk chunk)
{
    chunk.process = chunk.stream = UINT32_MAX;
    log->names = grow(log->names, &log->names_capacity, log->names_count + 1, sizeof *log->names);
    log->names[log->names_count++] = (struct log_names){ chunk, header->pid, header->image };
}

static void add_damage(struct log *log, bool in_spool, uint64_t offset, uint64_t bytes, const char *reason,
                       const struct rec_chunk_header *header)
{
    log->damages = grow(log->damages, &log->damage_capacity, log->damage_count + 1, sizeof *log->damages);
    log->damages[log->damage_count] = (struct log_damage){
        .in_spool = in_spool, .offset = offset, .bytes = bytes, .reason = reason };
    if (chunk_header_sound(header))
        log->damages[log->damage_count].header = *header;
    log->damage_count++;
    log->damaged_bytes += bytes;
}

/* The chunk at offset, whole: its size in bytes. 0: there is none, and why. */
static size_t chunk_at(struct window *w, uint64_t offset, struct rec_chunk_header *ret_header,
                       uint32_t *ret_records_bytes, const char **ret_reason)
{
    struct rec_packed_header packed;
    size_t bytes;
    const uint8_t *at = window_at(w, offset, sizeof *ret_header, &bytes);

    *ret_reason = "the file cannot be read here";
    if (!at)
        return 0;
    *ret_reason = "a chunk header cut short";
    if (bytes < sizeof *ret_header)
        return 0;
    memcpy(ret_header, at, sizeof *ret_header);
    *ret_reason = "no chunk header";
    if (!chunk_header_sound(ret_header))
        return 0;
    size_t whole = (size_t)ret_header->header_bytes + ret_header->payload_bytes;
    *ret_reason = "a chunk cut short";
    at = window_at(w, offset, whole, &bytes);
    if (!at || bytes < whole)
        return 0;
    *ret_reason = "a chunk whose checksum is wrong";
    if (!chunk_payload_intact(ret_header, at + ret_header->header_bytes))
        return 0;
    *ret_records_bytes = ret_header->payload_bytes;
    if (!(ret_header->flags & REC_CHUNK_PACKED))
        return whole;
    *ret_reason = "a packed chunk of impossible lengths";
    if (ret_header->payload_bytes < sizeof packed)
        return 0;
    memcpy(&packed, at + ret_header->header_bytes, sizeof packed);
    *ret_records_bytes = packed.payload_bytes;
    return packed_header_sound(&packed) ? whole : 0;
}

/* The offset of the next whole chunk from `offset` on, or the file's end. */
static uint64_t find_chunk(struct window *w, uint64_t offset)
{
    static const uint32_t magic = REC_CHUNK_MAGIC;
    struct rec_chunk_header header;
    uint32_t records_bytes;
    const char *reason;

    while (offset < w->file_bytes) {
        size_t bytes;
        const uint8_t *at = window_at(w, offset, sizeof magic, &bytes);
        if (!at)
            break;
        const uint8_t *found = memmem(at, bytes, &magic, sizeof magic);
        if (!found) {
            if (offset + bytes >= w->file_bytes)
                break;
            offset += bytes - (sizeof magic - 1);
            continue;
        }
        offset += (uint64_t)(found - at);
        if (chunk_at(w, offset, &header, &records_bytes, &reason))
            return offset;
        offset++;
    }
    return w->file_bytes;
}

/* A chunk that the file's end cuts short still has its first records, if it is not packed. */
static void add_torn_chunk(struct log *log, const struct window *w, uint32_t file, struct rec_chunk_header *header,
                           uint64_t offset, uint64_t end)
{
    uint64_t there = end - offset;

    if (end != w->file_bytes || !chunk_header_sound(header) || header->type != REC_CHUNK_EVENTS ||
        (header->flags & REC_CHUNK_PACKED) ||
        there <= header->header_bytes || there >= (uint64_t)header->header_bytes + header->payload_bytes)
        return;
    struct rec_chunk_header piece = *header;
    piece.payload_bytes = (uint32_t)(there - header->header_bytes);
    log_add_chunk(log, &piece, file, offset + header->header_bytes)->torn = true;
}

/* The chunks of the log, or of its spool, from offset to end. */
static void scan(struct log *log, uint32_t file, int fd, uint64_t offset, uint64_t end)
{
    _cleanup_free_ uint8_t *buffer = alloc_zeroed(1, end < WINDOW_BYTES ? (size_t)end : WINDOW_BYTES);
    struct window w = { fd, end, 0, 0, buffer };

    while (offset < end) {
        struct rec_chunk_header header = { 0 };
        uint32_t records_bytes;
        const char *reason;
        size_t whole = chunk_at(&w, offset, &header, &records_bytes, &reason);
        if (whole) {
            uint32_t stored_bytes = header.payload_bytes;
            header.payload_bytes = records_bytes;
            uint32_t packed_bytes = header.flags & REC_CHUNK_PACKED ? stored_bytes : 0;
            /* Of a later version's type: not ours to read. */
            if (header.type == REC_CHUNK_EVENTS || header.type == REC_CHUNK_SESSION)
                log_add_chunk(log, &header, file, offset + header.header_bytes)->packed_bytes = packed_bytes;
            else if (header.type == REC_CHUNK_NAMES)
                add_names(log, &header, (struct log_chunk){ .offset = offset + header.header_bytes, .file = file,
                    .payload_bytes = records_bytes, .packed_bytes = packed_bytes });
            offset += whole;
            continue;
        }
        uint64_t next = find_chunk(&w, offset + 1);
        add_torn_chunk(log, &w, file, &header, offset, next);
        add_damage(log, file == LOG_FILE_SPOOL, offset, next - offset, reason, &header);
        offset = next;
    }
}

/* Locked against giving back what is read here; somebody who moves it on meanwhile
 * has it in the log before we look there. */
static void scan_spool(struct log *log)
{
    struct rec_spool_header header;
    uint64_t from;

    log->spool_fd = spool_open(log->path, log->header.session, O_RDONLY, &header);
    if (log->spool_fd < 0)
        return;
    flock(log->fd, LOCK_SH);
    if (spool_extent(log->spool_fd, &from, &log->spool_end) != 0)
        return;
    log->spool_bytes = log->spool_end - from;
    scan(log, LOG_FILE_SPOOL, log->spool_fd, from, log->spool_end);
}

static int by_sequence(const void *left, const void *right, void *data)
{
    const struct log *log = data;
    const struct log_chunk *a = &log->chunks[*(const size_t *)left], *b = &log->chunks[*(const size_t *)right];
    if (a->sequence != b->sequence)
        return a->sequence < b->sequence ? -1 : 1;
    if (a->payload_bytes != b->payload_bytes) /* taken earlier from a slot that was still being filled */
        return a->payload_bytes > b->payload_bytes ? -1 : 1;
    return a->file < b->file ? -1 : a->file > b->file; /* the log's own comes first */
}

/* Puts each stream's chunks in order. A chunk that a dying process has both
 * logged and left in its buffer is there twice: the shorter, or the second, is
 * dropped. */
static void order_streams(struct log *log)
{
    for (size_t i = 0; i < log->chunk_count; i++) {
        if (log->chunks[i].stream == UINT32_MAX)
            continue;
        struct log_stream *stream = &log->streams[log->chunks[i].stream];
        stream->chunks = grow(stream->chunks, &stream->chunk_capacity, stream->chunk_count + 1, sizeof *stream->chunks);
        stream->chunks[stream->chunk_count++] = i;
    }
    for (size_t i = 0; i < log->stream_count; i++) {
        struct log_stream *stream = &log->streams[i];
        size_t kept = 0;
        uint64_t expected = 0;
        qsort_r(stream->chunks, stream->chunk_count, sizeof *stream->chunks, by_sequence, log);
        for (size_t k = 0; k < stream->chunk_count; k++) {
            struct log_chunk *chunk = &log->chunks[stream->chunks[k]];
            if (kept && chunk->sequence < expected) {
                chunk->payload_bytes = 0;
                continue;
            }
            log->processes[stream->process].gaps += chunk->sequence - expected;
            log->processes[stream->process].chunk_count++;
            expected = (uint64_t)chunk->sequence + 1;
            stream->chunks[kept++] = stream->chunks[k];
            if (chunk->file && chunk->file != LOG_FILE_SPOOL) {
                log->lives[chunk->file - 1].recovered_bytes += chunk->payload_bytes;
                log->recovered_bytes += chunk->payload_bytes;
            }
        }
        stream->chunk_count = kept;
    }
}

static void count_missing(struct log *log)
{
    for (size_t i = 0; i < log->process_count; i++) {
        const struct log_process *p = &log->processes[i];
        uint64_t absent = p->expected_chunks > p->chunk_count ? p->expected_chunks - p->chunk_count : 0;
        log->missing_chunks += absent > p->gaps ? absent : p->gaps;
        log->cut_processes += p->stream_count && !p->summed_up && !p->has_live;
    }
}

static bool is_there_whole(const struct log *log, const struct rec_chunk_header *torn)
{
    uint32_t process = index_find(&log->process_index, torn->pid, torn->image);
    uint32_t number = process == UINT32_MAX ? UINT32_MAX : index_find(&log->stream_index, process, torn->stream);

    if (number == UINT32_MAX)
        return false;
    const struct log_stream *stream = &log->streams[number];
    for (size_t k = 0; k < stream->chunk_count; k++) {
        const struct log_chunk *chunk = &log->chunks[stream->chunks[k]];
        if (chunk->sequence == torn->sequence && chunk->payload_bytes >= torn->payload_bytes)
            return true;
    }
    return false;
}

bool log_is_running(const struct log *log)
{
    for (size_t i = 0; i < log->live_count; i++)
        if (log->lives[i].running)
            return true;
    return log->launcher_runs;
}

/* The end of the file, while somebody is appending to it. */
static bool is_being_written(const struct log *log, const struct log_damage *d)
{
    return log_is_running(log) && d->offset + d->bytes == (d->in_spool ? log->spool_end : log->bytes);
}

/* A write that a kill or a full disk cut short leaves a piece of a chunk that is
 * also whole, in the slot or written again: then nothing is missing. */
static void forget_torn_pieces(struct log *log)
{
    size_t kept = 0;

    for (size_t i = 0; i < log->damage_count; i++) {
        const struct log_damage *d = &log->damages[i];
        bool has_header = d->header.type == REC_CHUNK_EVENTS;
        uint64_t whole = has_header ? (uint64_t)d->header.header_bytes + d->header.payload_bytes : sizeof d->header;
        if (d->bytes < whole && ((has_header && is_there_whole(log, &d->header)) || is_being_written(log, d)))
            log->damaged_bytes -= d->bytes;
        else
            log->damages[kept++] = *d;
    }
    log->damage_count = kept;
}

static int check_header(const char *path, off_t file_bytes, ssize_t got, const struct rec_file_header *header,
                        struct failure *ret_failure)
{
    if (got == 0)
        return fail(ret_failure, ENODATA, "%s: empty at offset 0: not even a log's header was written", path);
    if (got < 8 || memcmp(header->magic, REC_FILE_MAGIC, 8) != 0)
        return fail(ret_failure, EINVAL, "%s: not a malloscope log (offset 0 has no log header); "
                    "record one with `malloscope record PROGRAM`", path);
    if ((size_t)got < sizeof *header)
        return fail(ret_failure, ENODATA, "%s: truncated at offset %zd, inside the %zu-byte file header: "
                    "no event was saved", path, got, sizeof *header);
    switch (file_header_check(header)) {
    case FILE_HEADER_NEWER:
        return fail(ret_failure, EPROTO, "%s: log version %u (flags %#llx at offset 24) is newer than this malloscope, "
                    "which reads version %d: use a newer malloscope", path, header->version,
                    (unsigned long long)header->incompatible_flags, REC_VERSION);
    case FILE_HEADER_GOOD:
        if (file_bytes >= header->header_bytes)
            return 0;
        return fail(ret_failure, ENODATA, "%s: truncated at offset %lld, inside the %u-byte file header: "
                    "no event was saved", path, (long long)file_bytes, header->header_bytes);
    default:
        return fail(ret_failure, EINVAL, "%s: damaged file header (checksum at offset %zu is wrong)", path,
                    offsetof(struct rec_file_header, checksum));
    }
}

/* launcher_fd: the descriptor by which the launcher, if it is asking, holds the log; else fd. */
static int open_from(int fd, int launcher_fd, const char *path, bool is_alone, struct log **ret_log, struct failure *ret_failure)
{
    struct rec_file_header header = { 0 };
    struct stat st;
    ssize_t got = pread(fd, &header, sizeof header, 0);

    if (got < 0 || fstat(fd, &st) != 0)
        return fail(ret_failure, errno, "%s: cannot read at offset 0: %s", path, strerror(errno));
    int error = check_header(path, st.st_size, got, &header, ret_failure);
    if (error)
        return error;

    struct log *log = alloc_zeroed(1, sizeof *log);
    log->path = copy_text(path, strlen(path));
    log->fd = fd;
    log->spool_fd = -1;
    log->is_alone = is_alone;
    log->header = header;
    log->unpackers = unpackers_make();
    if (!is_alone) {
        log->launcher_runs = log_is_held(launcher_fd);
        /* Live files first, then the spool: what moves on meanwhile is then there twice, not missing. */
        log_read_lives(log);
        scan_spool(log);
    }
    if (fstat(log->fd, &st) == 0)
        log->bytes = (uint64_t)st.st_size;
    scan(log, 0, log->fd, header.header_bytes, log->bytes);
    log_add_lives(log);
    order_streams(log);
    count_missing(log);
    forget_torn_pieces(log);
    calibrate(log);
    log->lacks_processes = log_launcher_died(log) && relatives_lack(log);
    *ret_log = log;
    return 0;
}

static int open_once(const char *path, int launcher_fd, struct log **ret_log, struct failure *ret_failure)
{
    struct stat st;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) != 0)
        return fail(ret_failure, errno, "%s: cannot open: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return fail(ret_failure, EINVAL, "%s: is a %s, not a log file", path,
                    S_ISDIR(st.st_mode) ? "directory" : "device or pipe");
    int error = open_from(fd, launcher_fd < 0 ? fd : launcher_fd, path, false, ret_log, ret_failure);
    if (!error)
        fd = -1;
    return error;
}

/* What is moved from a live file into the log, under a new name of the file, may have been in neither when we looked. */
static bool may_be_whole_soon(const struct log *log, int launcher_fd)
{
    struct stat st;

    return (log->missing_chunks || log->cut_processes || log->lacks_processes) &&
           ((fstat(log->fd, &st) == 0 && (uint64_t)st.st_size != log->bytes) || log_is_held(launcher_fd < 0 ? log->fd : launcher_fd));
}

static int open_again(const char *path, int launcher_fd, struct log **ret_log, struct failure *ret_failure)
{
    int error = open_once(path, launcher_fd, ret_log, ret_failure);

    for (int i = 0; !error && i < AGAIN_MOST && may_be_whole_soon(*ret_log, launcher_fd); i++) {
        log_free(*ret_log);
        usleep(AGAIN_US << i);
        error = open_once(path, launcher_fd, ret_log, ret_failure);
    }
    return error;
}

int log_open(const char *path, struct log **ret_log, struct failure *ret_failure)
{
    return open_again(path, -1, ret_log, ret_failure);
}

int log_open_held(const char *path, int launcher_fd, struct log **ret_log, struct failure *ret_failure)
{
    return open_again(path, launcher_fd, ret_log, ret_failure);
}

int log_open_fd(int fd, const char *name, struct log **ret_log, struct failure *ret_failure)
{
    int error = open_from(fd, fd, name, true, ret_log, ret_failure);

    if (error)
        close(fd);
    return error;
}

void log_free(struct log *log)
{
    if (!log)
        return;
    for (size_t i = 0; i < log->stream_count; i++)
        free(log->streams[i].chunks);
    for (size_t i = 0; i < log->live_count; i++) {
        for (size_t k = 0; k < log->lives[i].slot_count; k++)
            free(log->lives[i].slots[k]);
        free(log->lives[i].slots);
        free(log->lives[i].path);
    }
    if (log->spool_fd >= 0)
        close(log->spool_fd);
    unpackers_free(log->unpackers);
    index_release(&log->process_index);
    index_release(&log->stream_index);
    close(log->fd);
    free(log->path);
    free(log->chunks);
    free(log->names);
    free(log->streams);
    free(log->processes);
    free(log->lives);
    free(log->damages);
    free(log);
}

static int fd_of(const struct log *log, const struct log_chunk *chunk)
{
    return chunk->file ? log->spool_fd : log->fd;
}

int log_load(const struct log *log, const struct log_chunk *chunk, void *buffer)
{
    if (chunk->file && chunk->file != LOG_FILE_SPOOL) {
        log_load_live(&log->lives[chunk->file - 1], chunk, buffer);
        return 0;
    }
    if (chunk->packed_bytes && chunk->payload_bytes)
        return unpackers_load(log->unpackers, fd_of(log, chunk), chunk->offset, chunk->packed_bytes, buffer, chunk->payload_bytes);
    return log_read_at(fd_of(log, chunk), buffer, chunk->payload_bytes, chunk->offset);
}

int log_load_sizes(const struct log *log, const struct log_chunk *chunk, columns_add *add, void *data, uint64_t *ret_events)
{
    if (!chunk->packed_bytes || !chunk->payload_bytes)
        return -EAGAIN;
    return unpackers_sizes(log->unpackers, fd_of(log, chunk), chunk->offset, chunk->packed_bytes, add, data, ret_events);
}
