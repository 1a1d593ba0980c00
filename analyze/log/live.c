/* Live files -> chunks of the log. The hard problem is that a process may still
 * be writing, or have been killed between any two instructions, and that we may
 * be killed ourselves: so slots are copied as they are at one moment, and what is
 * there twice afterwards can be told to be the same. */
#include "analyze/log/live.h"

#include "analyze/log/append.h"
#include "analyze/log/pack.h"
#include "analyze/log/spool.h"
#include "format/chunk.h"
#include "format/encode.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOT_PAYLOAD_MAX (REC_LIVE_SLOT_BYTES - sizeof(struct rec_live_slot) - sizeof(struct rec_chunk_header))

/* start: field 22 of its stat; 0: rather wait for whoever has this pid. */
static bool is_running(uint32_t pid, uint64_t start)
{
    _cleanup_free_ char *path = format_text("/proc/%u/stat", pid);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[1024];
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    if (got <= 0)
        return false;
    text[got] = 0;
    const char *at = strrchr(text, ')'); /* of the name, which may hold anything */
    if (at && (at[1] != ' ' || at[2] == 'Z' || at[2] == 'X'))
        return false;
    if (at && !start)
        return true;
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at && strtoull(at, NULL, 10) == start;
}

bool live_is_running(const struct rec_live_header *header)
{
    return is_running(header->pid, header->process_start);
}

/* Calls use() for the path of every live file of the log. */
static int each_live(const char *log_path, int (*use)(void *data, const char *path), void *data)
{
    const char *slash = strrchr(log_path, '/');
    const char *base = slash ? slash + 1 : log_path;
    size_t base_length = strlen(base);
    _cleanup_free_ char *directory = slash ? copy_text(log_path, (size_t)(slash - log_path) + 1) : copy_text("./", 2);
    DIR *entries = opendir(directory);
    int error = 0;

    if (!entries)
        return -errno;
    for (struct dirent *entry; !error && (entry = readdir(entries));) {
        const char *rest = entry->d_name + base_length;
        if (strncmp(entry->d_name, base, base_length) != 0 || strncmp(rest, ".live.", 6) != 0 ||
            rest[6 + strspn(rest + 6, "0123456789.")] != 0)
            continue;
        _cleanup_free_ char *path = format_text("%s%s", directory, entry->d_name);
        error = use(data, path);
    }
    closedir(entries);
    return error;
}

/* A descriptor of a sound live file of this session, or -1. */
static int open_live(const char *path, const uint8_t session[16], struct rec_live_header *ret_header, uint64_t *ret_bytes)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
        pread(fd, ret_header, sizeof *ret_header, 0) == (ssize_t)sizeof *ret_header &&
        memcmp(ret_header->magic, REC_LIVE_MAGIC, sizeof ret_header->magic) == 0 &&
        ret_header->version == REC_VERSION && ret_header->slot_bytes == REC_LIVE_SLOT_BYTES &&
        memcmp(ret_header->session, session, 16) == 0) {
        *ret_bytes = (uint64_t)st.st_size;
        return fd;
    }
    close(fd);
    return -1;
}

/* What is left of a process that was killed while it made its live file: the magic comes last, slots after it. */
static void remove_unborn(const char *path)
{
    uint64_t magic = 0;
    struct stat st;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    const char *suffix = path + strlen(path);

    while (strchr("0123456789.", suffix[-1]))
        suffix--; /* up to .live, then the pid */
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= REC_LIVE_HEADER_BYTES &&
        pread(fd, &magic, sizeof magic, 0) >= 0 && magic == 0 && kill((pid_t)strtoul(suffix + 1, NULL, 10), 0) != 0 &&
        errno == ESRCH)
        unlink(path);
}

struct log_slot {
    struct rec_live_slot head;
    struct rec_chunk_header chunk;
    uint8_t payload[];
};

static uint64_t slot_offset(size_t number)
{
    return REC_LIVE_HEADER_BYTES + (uint64_t)number * REC_LIVE_SLOT_BYTES;
}

static bool is_of_header(const struct rec_live_header *live, const struct rec_chunk_header *chunk)
{
    return chunk->pid == live->pid && chunk->image == live->image;
}

/* Whether the slot is its file's process's, or a forked child's that is a guest there. */
static bool is_owned(const struct rec_live_header *live, const struct log_slot *slot)
{
    return slot->head.owner_start ? slot->chunk.pid != 0 : is_of_header(live, &slot->chunk);
}

/* Whether somebody still has it open who may write: it is locked then, by a forked child, too,
 * that has not begun to record yet. */
static bool is_locked(int fd)
{
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK;
    flock(fd, LOCK_UN);
    return false;
}

/* Whether the file's process or one of its guests still runs. */
static bool is_used(int fd, const struct rec_live_header *live, uint64_t bytes)
{
    struct log_slot slot;

    if (live_is_running(live) || is_locked(fd))
        return true;
    for (size_t i = 0; slot_offset(i + 1) <= bytes; i++)
        if (pread(fd, &slot, sizeof slot, (off_t)slot_offset(i)) == (ssize_t)sizeof slot &&
            slot.chunk.magic == REC_CHUNK_MAGIC && slot.head.owner_start &&
            is_running(slot.chunk.pid, slot.head.owner_start == 1 ? 0 : slot.head.owner_start))
            return true;
    return false;
}

/* The chunk in a slot as it is at one moment, though its thread goes on: that
 * only appends until it begins another chunk. slot has room for SLOT_PAYLOAD_MAX
 * of payload. False: there is no chunk. */
static bool read_slot(int fd, const struct rec_live_header *live, size_t number, struct log_slot *slot)
{
    off_t offset = (off_t)slot_offset(number);
    struct log_slot after;

    for (int tries = 0; tries < 100; tries++) {
        struct rec_chunk_header *chunk = &slot->chunk;
        uint64_t used;
        if (pread(fd, slot, sizeof *slot, offset) != (ssize_t)sizeof *slot)
            return false;
        used = slot->head.used_bytes;
        if (chunk->magic != REC_CHUNK_MAGIC || chunk->type != REC_CHUNK_EVENTS || chunk->flags & REC_CHUNK_PACKED ||
            !is_owned(live, slot) || used == 0 || used > SLOT_PAYLOAD_MAX)
            return false;
        if (pread(fd, slot->payload, used, offset + (off_t)sizeof *slot) != (ssize_t)used ||
            pread(fd, &after, sizeof after, offset) != (ssize_t)sizeof after)
            return false;
        if (memcmp(&after.chunk, chunk, sizeof *chunk) == 0 && after.head.used_bytes >= used) {
            chunk->payload_bytes = (uint32_t)used;
            return true;
        }
    }
    return false;
}

static int read_live(void *data, const char *path)
{
    struct log *log = data;
    struct rec_live_header header;
    uint64_t bytes;
    _cleanup_close_ int fd = open_live(path, log->header.session, &header, &bytes);
    _cleanup_free_ struct log_slot *slot = alloc_zeroed(1, REC_LIVE_SLOT_BYTES);

    if (fd < 0)
        return 0;
    log->lives = grow(log->lives, &log->live_capacity, log->live_count + 1, sizeof *log->lives);
    struct log_live *live = &log->lives[log->live_count++];
    *live = (struct log_live){
        .path = copy_text(path, strlen(path)),
        .header = header,
        .running = is_used(fd, &header, bytes),
    };
    for (size_t i = 0; slot_offset(i + 1) <= bytes; i++) {
        if (!read_slot(fd, &header, i, slot))
            continue;
        live->slots = grow(live->slots, &live->slot_capacity, i + 1, sizeof *live->slots);
        live->slot_count = i + 1;
        live->slots[i] = alloc_zeroed(1, sizeof *slot + slot->chunk.payload_bytes);
        memcpy(live->slots[i], slot, sizeof *slot + slot->chunk.payload_bytes);
    }
    return 0;
}

int log_read_lives(struct log *log)
{
    return each_live(log->path, read_live, log);
}

void log_add_lives(struct log *log)
{
    for (uint32_t i = 0; i < log->live_count; i++) {
        struct log_live *live = &log->lives[i];
        live->process = log_find_process(log, live->header.pid, live->header.image);
        log->processes[live->process].has_live = true;
        if (live->header.stop_errno && (!log->stop_errno || log->stop_errno == REC_STOP_LIMIT))
            log->stop_errno = live->header.stop_errno;
        if (!log->processes[live->process].summed_up) /* else its lost events are in the log */
            log->lost_events += live->header.lost_events;
        for (size_t k = 0; k < live->slot_count; k++) {
            if (!live->slots[k])
                continue;
            const struct rec_chunk_header *chunk = &live->slots[k]->chunk;
            log_add_chunk(log, chunk, i + 1, slot_offset(k) + sizeof **live->slots);
            log->processes[log_find_process(log, chunk->pid, chunk->image)].has_live = true;
        }
    }
}

void log_load_live(const struct log_live *live, const struct log_chunk *chunk, void *buffer)
{
    const struct log_slot *slot = live->slots[(chunk->offset - REC_LIVE_HEADER_BYTES) / REC_LIVE_SLOT_BYTES];
    memcpy(buffer, slot->payload, chunk->payload_bytes);
}

struct adoption {
    int log_fd;
    struct packer *packer; /* NULL: chunks are not packed */
    uint8_t session[16];
    bool refused; /* a file that may not be removed */
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
    if (is_of_header(live, process) && (live->lost_events || live->stop_errno))
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

/* By what read_slot has seen: the number of the chunk in the slot is how many came
 * before it. A stream may have several slots. */
static void count_chunks(struct stream_counts *counts, const struct log_slot *slot, const struct rec_live_header *live,
                         bool has_chunk)
{
    uint32_t chunk_count = slot->chunk.sequence + has_chunk;
    size_t i = 0;

    if (slot->chunk.magic != REC_CHUNK_MAGIC || !is_owned(live, slot))
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

/* A sum for the file's own process, and one for each guest. */
static int append_summaries(int log_fd, const struct rec_live_header *live, const struct stream_counts *counts)
{
    const struct rec_chunk_header owner = { .pid = live->pid, .image = live->image };
    int error = append_summary(log_fd, live, &owner, chunks_of(counts, &owner));

    for (size_t i = 0; !error && i < counts->count; i++) {
        const struct rec_chunk_header *process = &counts->streams[i].of;
        size_t first = 0;
        while (!is_same_process(&counts->streams[first].of, process))
            first++;
        if (first == i && !is_of_header(live, process))
            error = append_summary(log_fd, live, process, chunks_of(counts, process));
    }
    return error;
}

static int adopt_one(void *data, const char *path)
{
    struct adoption *adoption = data;
    struct rec_live_header live;
    uint64_t bytes;
    struct stream_counts counts = { 0 };
    _cleanup_close_ int fd = open_live(path, adoption->session, &live, &bytes);
    _cleanup_free_ struct log_slot *slot = alloc_zeroed(1, REC_LIVE_SLOT_BYTES);

    if (fd < 0)
        remove_unborn(path);
    if (fd < 0 || is_used(fd, &live, bytes))
        return 0;
    _cleanup_free_ char *claimed = claim(path);
    if (!claimed) {
        adoption->refused = true;
        return 0;
    }
    int error = 0;
    for (size_t i = 0; !error && slot_offset(i + 1) <= bytes; i++) {
        bool has_chunk = read_slot(fd, &live, i, slot);
        count_chunks(&counts, slot, &live, has_chunk);
        if (!has_chunk)
            continue;
        const void *chunk = &slot->chunk;
        size_t chunk_bytes = chunk_seal(&slot->chunk, slot->chunk.payload_bytes);
        if (adoption->packer)
            chunk = packer_pack(adoption->packer, chunk, &chunk_bytes);
        error = append_all(adoption->log_fd, chunk, chunk_bytes);
    }
    if (!error)
        error = append_summaries(adoption->log_fd, &live, &counts);
    free(counts.streams);
    if (!error && unlink(claimed) != 0)
        error = -errno;
    return error;
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
    adoption.log_fd = fd;
    adoption.packer = header.incompatible_flags & REC_FILE_PACKED ? packer_make() : NULL;
    memcpy(adoption.session, header.session, sizeof adoption.session);
    int error = each_live(log_path, adopt_one, &adoption);
    packer_free(adoption.packer);
    return error ? error : adoption.refused ? -EACCES : spool_error;
}

struct search {
    uint8_t session[16];
    bool found;
};

static int look_whether_running(void *data, const char *path)
{
    struct search *search = data;
    struct rec_live_header live;
    uint64_t bytes;
    _cleanup_close_ int fd = open_live(path, search->session, &live, &bytes);

    search->found |= fd >= 0 && is_used(fd, &live, bytes);
    return search->found;
}

bool live_any_running(const char *log_path)
{
    struct rec_file_header header;
    struct search search = { 0 };
    _cleanup_close_ int fd = open(log_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header)
        return false;
    memcpy(search.session, header.session, sizeof search.session);
    each_live(log_path, look_whether_running, &search);
    return search.found;
}

static int discard_one(void *data, const char *path)
{
    struct rec_live_header live;
    uint64_t bytes;
    _cleanup_close_ int fd = open_live(path, data, &live, &bytes);

    if (fd < 0)
        remove_unborn(path);
    else if (!is_used(fd, &live, bytes))
        unlink(path);
    return 0;
}

void live_discard_session(const char *log_path, const uint8_t session[16])
{
    struct rec_spool_header header;
    _cleanup_close_ int spool = spool_open(log_path, session, O_RDONLY, &header);
    _cleanup_free_ char *path = format_text("%s" SPOOL_ENDING, log_path);

    each_live(log_path, discard_one, (void *)session);
    if (spool >= 0)
        unlink(path);
}

void live_discard(const char *log_path)
{
    struct rec_file_header header;
    _cleanup_close_ int fd = open(log_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0 && pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header &&
        file_header_check(&header) == FILE_HEADER_GOOD)
        each_live(log_path, discard_one, header.session);
}
