#include "analyze/log/live.h"

#include "analyze/log/append.h"
#include "format/chunk.h"
#include "format/encode.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOT_PAYLOAD_MAX (REC_LIVE_SLOT_BYTES - sizeof(struct rec_live_slot) - sizeof(struct rec_chunk_header))

bool live_is_running(const struct rec_live_header *header)
{
    _cleanup_free_ char *path = format_text("/proc/%u/stat", header->pid);
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    char text[1024];

    if (!file || !fgets(text, sizeof text, file))
        return false;
    const char *at = strrchr(text, ')');
    if (at && (at[2] == 'Z' || at[2] == 'X'))
        return false;
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

struct slot_head {
    struct rec_live_slot slot;
    struct rec_chunk_header chunk;
};

static uint64_t slot_offset(size_t number)
{
    return REC_LIVE_HEADER_BYTES + (uint64_t)number * REC_LIVE_SLOT_BYTES;
}

/* Whether a slot holds a chunk; its header then says how long it is. */
static bool read_slot(int fd, const struct rec_live_header *live, size_t number, struct slot_head *ret_head)
{
    if (pread(fd, ret_head, sizeof *ret_head, (off_t)slot_offset(number)) != (ssize_t)sizeof *ret_head)
        return false;
    struct rec_chunk_header *chunk = &ret_head->chunk;
    if (chunk->magic != REC_CHUNK_MAGIC || chunk->type != REC_CHUNK_EVENTS || chunk->pid != live->pid ||
        chunk->image != live->image || ret_head->slot.used_bytes == 0 || ret_head->slot.used_bytes > SLOT_PAYLOAD_MAX)
        return false;
    chunk->payload_bytes = (uint32_t)ret_head->slot.used_bytes;
    return true;
}

static int read_live(void *data, const char *path)
{
    struct log *log = data;
    struct rec_live_header header;
    struct slot_head head;
    uint64_t bytes;
    int fd = open_live(path, log->header.session, &header, &bytes);

    if (fd < 0)
        return 0;
    log->lives = grow(log->lives, &log->live_capacity, log->live_count + 1, sizeof *log->lives);
    log->lives[log->live_count++] = (struct log_live){
        .fd = fd,
        .path = copy_text(path, strlen(path)),
        .header = header,
        .process = log_find_process(log, header.pid, header.image),
        .running = live_is_running(&header),
    };
    log->lost_events += header.lost_events;
    for (size_t i = 0; slot_offset(i + 1) <= bytes; i++)
        if (read_slot(fd, &header, i, &head))
            log_add_chunk(log, &head.chunk, (uint32_t)log->live_count, slot_offset(i) + sizeof head);
    return 0;
}

int log_read_lives(struct log *log)
{
    return each_live(log->path, read_live, log);
}

struct adoption {
    int log_fd;
    uint8_t session[16];
};

/* What the live header knows and no stream can say: when it is adopted (a
 * calibration pair), and what was lost. */
static int append_summary(int log_fd, const struct rec_live_header *live)
{
    uint8_t records[ENCODE_EVENT_MAX * 2];
    struct append_chunk chunk;

    append_begin(&chunk, live->pid, live->image, records);
    if (live->lost_events)
        chunk.at = encode_lost(&chunk.encoder, chunk.at, chunk.encoder.ticks, live->lost_events);
    return append_end(&chunk, log_fd);
}

static int adopt_one(void *data, const char *path)
{
    const struct adoption *adoption = data;
    struct rec_live_header live;
    uint64_t bytes;
    _cleanup_close_ int fd = open_live(path, adoption->session, &live, &bytes);

    if (fd < 0 || live_is_running(&live))
        return 0;
    _cleanup_free_ struct slot_head *head = alloc_zeroed(1, REC_LIVE_SLOT_BYTES);
    for (size_t i = 0; slot_offset(i + 1) <= bytes; i++) {
        if (!read_slot(fd, &live, i, head))
            continue;
        uint32_t used = head->chunk.payload_bytes;
        if (pread(fd, head + 1, used, (off_t)(slot_offset(i) + sizeof *head)) != (ssize_t)used)
            return -EIO;
        int error = append_all(adoption->log_fd, &head->chunk, chunk_seal(&head->chunk, used));
        if (error)
            return error;
    }
    int error = append_summary(adoption->log_fd, &live);
    if (!error && unlink(path) != 0)
        error = -errno;
    return error;
}

int live_adopt(const char *log_path)
{
    struct rec_file_header header;
    struct adoption adoption;
    _cleanup_close_ int fd = open(log_path, O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return -errno;
    if (pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header || file_header_check(&header) != FILE_HEADER_GOOD)
        return -EINVAL;
    adoption.log_fd = fd;
    memcpy(adoption.session, header.session, sizeof adoption.session);
    return each_live(log_path, adopt_one, &adoption);
}
