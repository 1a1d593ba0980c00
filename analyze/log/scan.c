/* Bytes -> chunks. The hard problem is damage: after a chunk that is not whole,
 * the next one is looked for byte by byte, by its magic number and its header's
 * own checksum, and what was skipped is remembered with its offset. It may be broken
 * as well: pieces of chunks that lie side by side are told apart, as each may be whole elsewhere. */
#include "analyze/log/log.h"

#include "analyze/log/pack.h"
#include "analyze/log/spool.h"
#include "format/chunk.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#define WINDOW_BYTES (4u << 20) /* at least two of the largest chunks */

/* Headers that are whole may be put side by side, each with the checksum of a megabyte that is not its own. Of real
 * ones no two claim the same bytes, so that each byte is summed once in vain: this is far beyond all damage, and a second
 * or two. */
#define VAIN_BYTES_MOST(file_bytes) (((uint64_t)12 << 30) + 16 * (file_bytes))

/* The part of the file that the scan looks at. */
struct window {
    int fd;
    uint64_t file_bytes;
    uint64_t offset; /* of buffer[0] */
    size_t bytes;
    uint8_t *buffer;
    uint64_t vain_bytes; /* of payloads whose checksums were found wrong */
};

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

static void add_names(struct log *log, const struct rec_chunk_header *header, struct log_chunk chunk)
{
    chunk.process = chunk.stream = UINT32_MAX;
    log->names = grow(log->names, &log->names_capacity, log->names_count + 1, sizeof *log->names);
    log->names[log->names_count++] = (struct log_names){ chunk, header->pid, header->image };
}

/* header: the file's bytes from offset on, if they could be read. */
static void add_damage(struct log *log, bool in_spool, uint64_t offset, uint64_t bytes, const char *reason,
                       const struct rec_chunk_header *header, bool is_at_end)
{
    log->damages = grow(log->damages, &log->damage_capacity, log->damage_count + 1, sizeof *log->damages);
    log->damages[log->damage_count] = (struct log_damage){
        .in_spool = in_spool, .offset = offset, .bytes = bytes, .reason = reason };
    struct log_damage *d = &log->damages[log->damage_count++];
    if (chunk_header_sound(header))
        d->header_bytes = sizeof *header;
    else if (bytes < sizeof *header && !is_at_end) /* there it is what a file has that was cut */
        d->header_bytes = (uint32_t)bytes;
    memcpy(&d->header, header, d->header_bytes);
    log->damaged_bytes += bytes;
}

/* The chunk at offset, whole: its size in bytes. 0: there is none, and why. *ret_packed: of one that is not packed as
 * if it were. */
static size_t chunk_at(struct window *w, uint64_t offset, struct rec_chunk_header *ret_header,
                       struct rec_packed_header *ret_packed, const char **ret_reason)
{
    size_t bytes;
    const uint8_t *at = window_at(w, offset, sizeof *ret_header, &bytes);

    *ret_reason = "the file cannot be read here";
    if (!at)
        return 0;
    *ret_reason = "a chunk header cut short";
    memcpy(ret_header, at, bytes < sizeof *ret_header ? bytes : sizeof *ret_header);
    if (bytes < sizeof *ret_header)
        return 0;
    *ret_reason = "no chunk header";
    if (!chunk_header_sound(ret_header))
        return 0;
    size_t whole = (size_t)ret_header->header_bytes + ret_header->payload_bytes;
    *ret_reason = "a chunk cut short";
    at = window_at(w, offset, whole, &bytes);
    if (!at || bytes < whole)
        return 0;
    *ret_reason = "a chunk whose checksum is wrong";
    if (!chunk_payload_intact(ret_header, at + ret_header->header_bytes)) {
        w->vain_bytes += ret_header->payload_bytes;
        return 0;
    }
    *ret_packed = (struct rec_packed_header){ .payload_bytes = ret_header->payload_bytes, .sequences = 1 };
    if (!(ret_header->flags & REC_CHUNK_PACKED))
        return whole;
    *ret_reason = "a packed chunk of impossible lengths";
    if (ret_header->payload_bytes < sizeof *ret_packed)
        return 0;
    memcpy(ret_packed, at + ret_header->header_bytes, sizeof *ret_packed);
    return packed_header_sound(ret_packed) ? whole : 0;
}

static bool is_in_vain(const struct window *w)
{
    return w->vain_bytes > VAIN_BYTES_MOST(w->file_bytes);
}

/* The offset of the next chunk's header from `offset` on, or the file's end. */
static uint64_t find_header(struct window *w, uint64_t offset)
{
    static const uint32_t magic = REC_CHUNK_MAGIC;
    struct rec_chunk_header header;

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
        if (!(at = window_at(w, offset, sizeof header, &bytes)) || bytes < sizeof header)
            break;
        memcpy(&header, at, sizeof header);
        if (chunk_header_sound(&header))
            return offset;
        offset++;
    }
    return w->file_bytes;
}

/* What is no chunk, and its header, if that is one. */
struct piece {
    struct rec_chunk_header header;
    uint64_t offset, bytes; /* 0: there is none */
};

/* A chunk that the recording's end cuts short still has its first records, if it is not packed. */
static void add_torn_chunk(struct log *log, uint32_t file, const struct piece *last)
{
    const struct rec_chunk_header *header = &last->header;

    if (!last->bytes || !chunk_header_sound(header) || header->type != REC_CHUNK_EVENTS ||
        (header->flags & REC_CHUNK_PACKED) ||
        last->bytes <= header->header_bytes || last->bytes >= (uint64_t)header->header_bytes + header->payload_bytes)
        return;
    struct rec_chunk_header torn = *header;
    torn.payload_bytes = (uint32_t)(last->bytes - header->header_bytes);
    struct log_chunk *chunk = log_add_chunk(log, &torn, file, last->offset + header->header_bytes);
    chunk->torn = chunk->is_piece = true;
}

/* The chunks of the log, or of its spool, from offset to end. */
void log_scan(struct log *log, uint32_t file, int fd, uint64_t offset, uint64_t end)
{
    _cleanup_free_ uint8_t *buffer = alloc_zeroed(1, end < WINDOW_BYTES ? (size_t)end : WINDOW_BYTES);
    struct window w = { .fd = fd, .file_bytes = end, .buffer = buffer };
    struct piece last = { 0 }; /* behind which there is nothing, or only what readers and the launcher have appended later */

    while (offset < end) {
        struct rec_chunk_header header = { 0 };
        struct rec_packed_header packed;
        const char *reason;
        size_t whole = chunk_at(&w, offset, &header, &packed, &reason);
        if (whole) {
            uint32_t packed_bytes = header.flags & REC_CHUNK_PACKED ? header.payload_bytes : 0;
            header.payload_bytes = packed.payload_bytes;
            /* Of a later version's type: not ours to read. */
            if (header.type == REC_CHUNK_EVENTS || header.type == REC_CHUNK_SESSION) {
                struct log_chunk *chunk = log_add_chunk(log, &header, file, offset + header.header_bytes);
                chunk->packed_bytes = packed_bytes;
                chunk->sequences = packed.sequences;
            } else if (header.type == REC_CHUNK_NAMES) {
                add_names(log, &header, (struct log_chunk){ .offset = offset + header.header_bytes, .file = file,
                    .payload_bytes = packed.payload_bytes, .packed_bytes = packed_bytes });
            }
            if (header.type != REC_CHUNK_NAMES && header.type != REC_CHUNK_SESSION)
                last.bytes = 0;
            offset += whole;
            continue;
        }
        uint64_t next = is_in_vain(&w) ? end : find_header(&w, offset + 1);
        if (is_in_vain(&w))
            reason = "chunks whose checksums are wrong, one within the other: the rest was not looked at";
        if (!chunk_header_sound(&header) || !(header.flags & REC_CHUNK_TORN)) /* else it is a copy of the one before it */
            last = (struct piece){ header, offset, next - offset };
        /* What the spool has comes behind the log, and what live files have behind both. */
        const bool is_at_end = next == end && !log->live_count && (file == LOG_FILE_SPOOL || !log->spool_bytes);
        add_damage(log, file == LOG_FILE_SPOOL, offset, next - offset, reason, &header, is_at_end);
        offset = next;
    }
    add_torn_chunk(log, file, &last);
}

/* Locked against giving back what is read here; somebody who moves it on meanwhile
 * has it in the log before we look there. */
void log_scan_spool(struct log *log)
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
    log_scan(log, LOG_FILE_SPOOL, log->spool_fd, from, log->spool_end);
}
