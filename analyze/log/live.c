/* Live files -> chunks of the log. The hard problem is that a process may still
 * be writing, or have been killed between any two instructions, and that we may
 * be killed ourselves: so slots are copied as they are at one moment, and what is
 * there twice afterwards can be told to be the same. */
#include "analyze/log/live.h"

#include "format/live_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#define SLOT_PAYLOAD_MAX (REC_LIVE_SLOT_BYTES - sizeof(struct rec_live_slot) - sizeof(struct rec_chunk_header))

char *live_names(const char *log_path)
{
    char name[LIVE_PLACE_BYTES];
    struct rec_file_header header;
    struct statfs fs;
    _cleanup_close_ int fd = open(log_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstatfs(fd, &fs) != 0 || !live_place_is_memory((uint64_t)fs.f_type) ||
        pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header)
        return format_text("%s.live.", log_path);
    live_place_name(header.session, name);
    return format_text("%s%s.live.", LIVE_PLACE_MEMORY, name);
}

/* Field 22 of its stat: when it began, in clock ticks since boot. False: no process has this
 * pid, or only one that has ended and that nobody has waited for. */
static bool start_of(uint32_t pid, uint64_t *ret_start)
{
    _cleanup_free_ char *path = format_text("/proc/%u/stat", pid);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[1024];
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    if (got <= 0)
        return false;
    text[got] = 0;
    const char *at = strrchr(text, ')'); /* of the name, which may hold anything */
    if (!at || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X')
        return false;
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    *ret_start = at ? strtoull(at, NULL, 10) : 0;
    return at;
}

/* start: 0: rather wait for whoever has this pid. */
static bool is_pid_running(uint32_t pid, uint64_t start)
{
    uint64_t its;

    return start_of(pid, &its) && (!start || start == its);
}

bool live_may_be_of(uint32_t pid, const struct timespec *made)
{
    enum { SLACK_S = 2 }; /* clock ticks, and a file's time, are coarse */
    struct timespec now, since_boot;
    uint64_t start;

    if (!start_of(pid, &start))
        return false;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &since_boot);
    return (int64_t)(start / (uint64_t)sysconf(_SC_CLK_TCK)) <= made->tv_sec - (now.tv_sec - since_boot.tv_sec) + SLACK_S;
}

bool live_is_running(const struct rec_live_header *header)
{
    return is_pid_running(header->pid, header->process_start);
}

static int each_in(const char *directory, const char *base, int (*use)(void *data, const char *path), void *data)
{
    size_t base_length = strlen(base);
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

int live_each(const char *log_path, const uint8_t session[16], int (*use)(void *data, const char *path), void *data)
{
    const char *slash = strrchr(log_path, '/');
    _cleanup_free_ char *directory = slash ? copy_text(log_path, (size_t)(slash - log_path) + 1) : copy_text("./", 2);
    char name[LIVE_PLACE_BYTES];
    int error = each_in(directory, slash ? slash + 1 : log_path, use, data);

    live_place_name(session, name);
    int other_error = each_in(LIVE_PLACE_MEMORY, name, use, data);
    return error ? error : other_error == -ENOENT || other_error == -EACCES ? 0 : other_error;
}

static int say_there(void *data, const char *path)
{
    (void)path;
    *(bool *)data = true;
    return 1;
}

bool live_is_there(const char *log_path, const uint8_t session[16])
{
    bool is_there = false;

    live_each(log_path, session, say_there, &is_there);
    return is_there;
}

int live_open(const char *path, const uint8_t session[16], struct rec_live_header *ret_header, uint64_t *ret_bytes)
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

uint64_t live_slot_offset(size_t number)
{
    return REC_LIVE_HEADER_BYTES + (uint64_t)number * REC_LIVE_SLOT_BYTES;
}

bool live_is_cut(int fd, uint64_t bytes)
{
    if (bytes < REC_LIVE_HEADER_BYTES)
        return true;
    size_t rest = (bytes - REC_LIVE_HEADER_BYTES) % REC_LIVE_SLOT_BYTES;
    _cleanup_free_ uint8_t *slot = alloc_zeroed(1, rest + 1);
    bool is_there = log_read_at(fd, slot, rest, bytes - rest) == 0;

    for (size_t i = 0; is_there && i < rest; i++)
        if (slot[i])
            return true;
    return false;
}

bool live_is_of_header(const struct rec_live_header *live, const struct rec_chunk_header *chunk)
{
    return chunk->pid == live->pid && chunk->image == live->image;
}

bool live_is_owned(const struct rec_live_header *live, const struct log_slot *slot)
{
    return slot->head.owner_start ? slot->chunk.pid != 0 : live_is_of_header(live, &slot->chunk);
}

/* Whether somebody still has it open who may write: it is locked then, by a forked child, too,
 * that has not begun to record yet. */
bool live_is_locked(int fd)
{
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK;
    flock(fd, LOCK_UN);
    return false;
}

bool live_is_used(int fd, const struct rec_live_header *live, uint64_t bytes)
{
    struct log_slot slot;

    if (live_is_running(live) || live_is_locked(fd))
        return true;
    for (size_t i = 0; live_slot_offset(i) < bytes; i++)
        if (pread(fd, &slot, sizeof slot, (off_t)live_slot_offset(i)) == (ssize_t)sizeof slot &&
            slot.chunk.magic == REC_CHUNK_MAGIC && slot.head.owner_start &&
            is_pid_running(slot.chunk.pid, slot.head.owner_start == 1 ? 0 : slot.head.owner_start))
            return true;
    return false;
}

bool live_read_slot(int fd, const struct rec_live_header *live, size_t number, struct log_slot *slot)
{
    off_t offset = (off_t)live_slot_offset(number);
    struct log_slot after;

    for (int tries = 0; tries < 100; tries++) {
        struct rec_chunk_header *chunk = &slot->chunk;
        uint64_t used;
        if (pread(fd, slot, sizeof *slot, offset) != (ssize_t)sizeof *slot)
            return false;
        used = slot->head.used_bytes;
        if (chunk->magic != REC_CHUNK_MAGIC || chunk->type != REC_CHUNK_EVENTS || chunk->flags & REC_CHUNK_PACKED ||
            !live_is_owned(live, slot) || used == 0 || used > SLOT_PAYLOAD_MAX)
            return false;
        ssize_t got = pread(fd, slot->payload, used, offset + (off_t)sizeof *slot);
        if (got <= 0)
            return false;
        used = (uint64_t)got;
        if (pread(fd, &after, sizeof after, offset) != (ssize_t)sizeof after)
            return false;
        if (memcmp(&after.chunk, chunk, sizeof *chunk) == 0 && after.head.used_bytes >= used) {
            chunk->payload_bytes = (uint32_t)used;
            return true;
        }
    }
    return false;
}

/* The process whose events are in the file, its own or a guest's. */
static bool find_running_in(const struct log *log, const struct log_live *live, uint32_t *ret_process)
{
    *ret_process = live->process;
    if (live_is_running(&live->header))
        return true;
    for (size_t i = 0; i < live->slot_count; i++) {
        const struct log_slot *slot = live->slots[i];
        if (!slot || !slot->head.owner_start || !is_pid_running(slot->chunk.pid, slot->head.owner_start == 1 ? 0 : slot->head.owner_start))
            continue;
        for (uint32_t k = 0; k < log->process_count; k++)
            if (log->processes[k].pid == slot->chunk.pid && log->processes[k].image == slot->chunk.image) {
                *ret_process = k;
                return true;
            }
    }
    return false;
}

bool live_find_running(const struct log *log, uint32_t *ret_process, bool *ret_known)
{
    bool is_found = false;

    *ret_known = false;
    for (size_t i = 0; i < log->live_count && !*ret_known; i++) {
        uint32_t process;
        if (!log->lives[i].running)
            continue;
        *ret_known = find_running_in(log, &log->lives[i], &process);
        if (*ret_known || !is_found)
            *ret_process = process;
        is_found = true;
    }
    return is_found;
}

static int read_live(void *data, const char *path)
{
    struct log *log = data;
    struct rec_live_header header;
    uint64_t bytes;
    _cleanup_close_ int fd = live_open(path, log->header.session, &header, &bytes);
    _cleanup_free_ struct log_slot *slot = alloc_zeroed(1, REC_LIVE_SLOT_BYTES);

    if (fd < 0)
        return 0;
    log->lives = grow(log->lives, &log->live_capacity, log->live_count + 1, sizeof *log->lives);
    struct log_live *live = &log->lives[log->live_count++];
    *live = (struct log_live){
        .path = copy_text(path, strlen(path)),
        .header = header,
        .running = live_is_used(fd, &header, bytes),
        .is_cut = live_is_cut(fd, bytes),
    };
    for (size_t i = 0; live_slot_offset(i) < bytes; i++) {
        if (!live_read_slot(fd, &header, i, slot))
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
    return live_each(log->path, log->header.session, read_live, log);
}

void log_add_lives(struct log *log)
{
    for (uint32_t i = 0; i < log->live_count; i++) {
        struct log_live *live = &log->lives[i];
        live->process = log_find_process(log, live->header.pid, live->header.image);
        log->processes[live->process].has_live = true;
        if (live->header.stop_errno && (!log->stop_errno || log->stop_errno == REC_STOP_LIMIT))
            log->stop_errno = live->header.stop_errno;
        if (!log->processes[live->process].summed_up) { /* else what it has lost is in the log, and what is missing in the sum */
            log->lost_events += live->header.lost_events;
            log->missing_chunks += live->is_cut;
            log->untraced += (int64_t)live->header.untraced > 0 ? live->header.untraced : 0;
        }
        for (size_t k = 0; k < live->slot_count; k++) {
            if (!live->slots[k])
                continue;
            const struct rec_chunk_header *chunk = &live->slots[k]->chunk;
            log_add_chunk(log, chunk, i + 1, live_slot_offset(k) + sizeof **live->slots);
            log->processes[log_find_process(log, chunk->pid, chunk->image)].has_live = true;
        }
    }
}

void log_load_live(const struct log_live *live, const struct log_chunk *chunk, void *buffer)
{
    const struct log_slot *slot = live->slots[(chunk->offset - REC_LIVE_HEADER_BYTES) / REC_LIVE_SLOT_BYTES];
    memcpy(buffer, slot->payload, chunk->payload_bytes);
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
    _cleanup_close_ int fd = live_open(path, search->session, &live, &bytes);

    search->found |= fd >= 0 && live_is_used(fd, &live, bytes);
    return search->found;
}

bool live_any_running_of(const char *log_path, const uint8_t session[16])
{
    struct search search = { 0 };

    memcpy(search.session, session, sizeof search.session);
    live_each(log_path, search.session, look_whether_running, &search);
    return search.found;
}

bool live_any_running(const char *log_path)
{
    struct rec_file_header header;
    _cleanup_close_ int fd = open(log_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header)
        return false;
    return live_any_running_of(log_path, header.session);
}
