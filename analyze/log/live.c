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
#include <sys/stat.h>
#include <unistd.h>

#define SLOT_PAYLOAD_MAX (REC_LIVE_SLOT_BYTES - sizeof(struct rec_live_slot) - sizeof(struct rec_chunk_header))

bool live_is_running(const struct rec_live_header *header)
{
    _cleanup_free_ char *path = format_text("/proc/%u/stat", header->pid);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[1024];
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    if (got <= 0)
        return false;
    text[got] = 0;
    const char *at = strrchr(text, ')'); /* of the name, which may hold anything */
    if (at && (at[1] != ' ' || at[2] == 'Z' || at[2] == 'X'))
        return false;
    if (at && !header->process_start)
        return true; /* the process could not tell its start: rather wait */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at && strtoull(at, NULL, 10) == header->process_start;
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

/* The chunk in a slot as it is at one moment, though its thread goes on: that
 * only appends until it begins another chunk. slot has room for SLOT_PAYLOAD_MAX
 * of payload. False: there is no chunk of this process. */
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
        if (chunk->magic != REC_CHUNK_MAGIC || chunk->type != REC_CHUNK_EVENTS ||
            chunk->flags & REC_CHUNK_PACKED || chunk->pid != live->pid || chunk->image != live->image || used == 0 || used > SLOT_PAYLOAD_MAX)
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
        .running = live_is_running(&header),
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
        for (size_t k = 0; k < live->slot_count; k++)
            if (live->slots[k])
                log_add_chunk(log, &live->slots[k]->chunk, i + 1, slot_offset(k) + sizeof **live->slots);
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
static int append_summary(int log_fd, const struct rec_live_header *live, uint32_t chunk_count)
{
    uint8_t records[ENCODE_EVENT_MAX * 2];
    struct append_chunk chunk;

    append_begin(&chunk, live->pid, live->image, records);
    chunk.header.sequence = REC_SESSION_SUM;
    chunk.header.stream = chunk_count;
    if (live->lost_events || live->stop_errno)
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

/* How many event chunks a stream has had, by what read_slot has seen: the number
 * of the chunk in the slot is how many came before it. */
static uint32_t chunks_of_slot(const struct log_slot *slot, const struct rec_live_header *live, bool has_chunk)
{
    if (slot->chunk.magic != REC_CHUNK_MAGIC || slot->chunk.pid != live->pid || slot->chunk.image != live->image)
        return 0;
    return slot->chunk.sequence + has_chunk;
}

static int adopt_one(void *data, const char *path)
{
    struct adoption *adoption = data;
    struct rec_live_header live;
    uint64_t bytes;
    uint32_t chunk_count = 0;
    _cleanup_close_ int fd = open_live(path, adoption->session, &live, &bytes);
    _cleanup_free_ struct log_slot *slot = alloc_zeroed(1, REC_LIVE_SLOT_BYTES);

    if (fd < 0)
        remove_unborn(path);
    if (fd < 0 || live_is_running(&live))
        return 0;
    _cleanup_free_ char *claimed = claim(path);
    if (!claimed) {
        adoption->refused = true;
        return 0;
    }
    for (size_t i = 0; slot_offset(i + 1) <= bytes; i++) {
        bool has_chunk = read_slot(fd, &live, i, slot);
        chunk_count += chunks_of_slot(slot, &live, has_chunk);
        if (!has_chunk)
            continue;
        const void *chunk = &slot->chunk;
        size_t chunk_bytes = chunk_seal(&slot->chunk, slot->chunk.payload_bytes);
        if (adoption->packer)
            chunk = packer_pack(adoption->packer, chunk, &chunk_bytes);
        int error = append_all(adoption->log_fd, chunk, chunk_bytes);
        if (error)
            return error;
    }
    int error = append_summary(adoption->log_fd, &live, chunk_count);
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

    search->found |= fd >= 0 && live_is_running(&live);
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
    else if (!live_is_running(&live))
        unlink(path);
    return 0;
}

void live_discard(const char *log_path)
{
    struct rec_file_header header;
    _cleanup_close_ int fd = open(log_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0 && pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header &&
        file_header_check(&header) == FILE_HEADER_GOOD)
        each_live(log_path, discard_one, header.session);
}
