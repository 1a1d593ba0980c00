/* A log, opened: what its files have, found by scan.c and live.c and put in order by streams.c, and
 * from where it can be loaded. Who moves it on meanwhile may make it be looked at again. */
#include "analyze/log/log.h"

#include "analyze/log/calibrate.h"
#include "analyze/log/hold.h"
#include "analyze/log/relatives.h"
#include "analyze/log/unpackers.h"
#include "format/chunk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define AGAIN_MOST 5
#define AGAIN_US 10000u

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

/* The same bytes were there before, its time among them: what it tells of is not to be counted again. */
static bool is_there_twice(struct log *log, const struct rec_chunk_header *header)
{
    bool is_known = index_find(&log->session_index, header->header_checksum, header->payload_checksum) != UINT32_MAX;

    if (!is_known)
        index_add(&log->session_index, header->header_checksum, header->payload_checksum, 0);
    return is_known;
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
        .sequences = 1,
        .ticks_are_ns = header->flags & REC_CHUNK_TICKS_ARE_NS,
        .is_cut = header->flags & REC_CHUNK_CUT,
        .torn = header->flags & REC_CHUNK_TORN,
        .ticks = header->ticks,
        .clock_ns = header->clock_ns,
    };
    if (header->type == REC_CHUNK_EVENTS) {
        chunk->stream = find_stream(log, chunk->process, header->stream);
        return chunk;
    }
    if (is_there_twice(log, header))
        chunk->payload_bytes = 0;
    if (header->sequence == REC_SESSION_END) {
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

bool log_is_running(const struct log *log)
{
    for (size_t i = 0; i < log->live_count; i++)
        if (log->lives[i].running)
            return true;
    return log->launcher_runs;
}

/* How much of a live file's name is its log's: LOG of LOG.live.PID and LOG.live.PID.N. 0: it is no such name. */
static int log_name_length(const char *path)
{
    static const char part[] = ".live.";
    const char *found = NULL;

    for (const char *at = path; (at = strstr(at, part)); at++)
        found = at;
    const char *numbers = found ? found + strlen(part) : "";
    return *numbers && !numbers[strspn(numbers, "0123456789.")] ? (int)(found - path) : 0;
}

static int check_header(const char *path, off_t file_bytes, ssize_t got, const struct rec_file_header *header,
                        struct failure *ret_failure)
{
    const int length = log_name_length(path);

    if (got == 0)
        return fail(ret_failure, ENODATA, "%s: empty at offset 0: not even a log's header was written", path);
    if (got >= 8 && memcmp(header->magic, REC_LIVE_MAGIC, 8) == 0)
        return fail(ret_failure, EINVAL, "%s: is not a log but a live file, which belongs to one: read the log, %.*s, with "
                    "this file beside it", path, length ? length : 3, length ? path : "LOG");
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

static void note_time(struct log *log)
{
    struct timespec now;
    uint64_t ticks;

    clock_now(&ticks, &log->opened_ns);
    clock_gettime(CLOCK_REALTIME, &now);
    log->opened_realtime_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
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
        log_scan_spool(log);
    }
    if (fstat(log->fd, &st) == 0)
        log->bytes = (uint64_t)st.st_size;
    note_time(log);
    log_scan(log, 0, log->fd, header.header_bytes, log->bytes);
    log_add_lives(log);
    log_order_streams(log);
    log_count_missing(log);
    log_forget_torn_pieces(log);
    calibrate(log);
    log->lacks_processes = log_launcher_died(log) && relatives_lack(log);
    *ret_log = log;
    return 0;
}

static int open_once(const char *path, int launcher_fd, struct log **ret_log, struct failure *ret_failure)
{
    struct stat st;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT && log_name_length(path))
        return fail(ret_failure, ENOENT, "%s: is not there: a live file goes when its log is read, which takes it in; read the log, %.*s",
                    path, log_name_length(path), path);
    if (fd < 0 || fstat(fd, &st) != 0)
        return fail(ret_failure, errno, "%s: cannot open: %s", *path ? path : "''", strerror(errno));
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
    index_release(&log->session_index);
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

int log_load_columns(const struct log *log, const struct log_chunk *chunk, void **columns, size_t *capacity)
{
    return unpackers_columns(log->unpackers, fd_of(log, chunk), chunk->offset, chunk->packed_bytes, chunk->payload_bytes, columns,
                             capacity);
}

int log_load_sizes(const struct log *log, const struct log_chunk *chunk, columns_add *add, void *data, uint64_t *ret_events)
{
    if (!chunk->packed_bytes || !chunk->payload_bytes)
        return -EAGAIN;
    return unpackers_sizes(log->unpackers, fd_of(log, chunk), chunk->offset, chunk->packed_bytes, add, data, ret_events);
}
