/* Chunks -> streams, and what of them is missing. Comes after scan.c and live.c, which have found all
 * chunks; what is hard is that one may be there twice, whole, or once whole and once as a piece. */
#include "analyze/log/log.h"

#include <stddef.h>
#include <string.h>

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
void log_order_streams(struct log *log)
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
            log->processes[stream->process].chunk_count += chunk->sequences;
            expected = (uint64_t)chunk->sequence + chunk->sequences;
            stream->chunks[kept++] = stream->chunks[k];
            if (chunk->file && chunk->file != LOG_FILE_SPOOL) {
                log->lives[chunk->file - 1].recovered_bytes += chunk->payload_bytes;
                log->recovered_bytes += chunk->payload_bytes;
            }
        }
        stream->chunk_count = kept;
    }
}

void log_count_missing(struct log *log)
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
    if (torn->type == REC_CHUNK_SESSION) /* a live file's sum: that is still there, or the sum was written again */
        return torn->sequence == REC_SESSION_SUM && process != UINT32_MAX &&
               (log->processes[process].has_live || log->processes[process].summed_up);
    uint32_t number = process == UINT32_MAX ? UINT32_MAX : index_find(&log->stream_index, process, torn->stream);

    if (number == UINT32_MAX)
        return false;
    const struct log_stream *stream = &log->streams[number];
    size_t low = 0, high = stream->chunk_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct log_chunk *chunk = &log->chunks[stream->chunks[middle]];
        if ((uint64_t)chunk->sequence + chunk->sequences <= torn->sequence)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == stream->chunk_count)
        return false;
    const struct log_chunk *chunk = &log->chunks[stream->chunks[low]];
    if (chunk->sequence > torn->sequence)
        return false;
    /* How long a packed one was says nothing; it was made of whole ones, and if others that it took in are missing, there is a gap. */
    return torn->flags & REC_CHUNK_PACKED ? !chunk->torn : chunk->payload_bytes >= torn->payload_bytes;
}

/* The end of the file, while somebody is appending to it. */
static bool is_being_written(const struct log *log, const struct log_damage *d)
{
    const bool has_header = d->header_bytes == sizeof d->header && d->header.type == REC_CHUNK_EVENTS;
    const uint64_t whole = has_header ? (uint64_t)d->header.header_bytes + d->header.payload_bytes : sizeof d->header;

    return d->bytes < whole && log_is_running(log) &&
           d->offset + d->bytes == (d->in_spool ? log->spool_end : log->bytes);
}

static bool is_of_known_type(const struct rec_chunk_header *h)
{
    return h->type == REC_CHUNK_EVENTS || h->type == REC_CHUNK_SESSION;
}

/* A piece that is not even a header. What of it is there must be a header's beginning; where it does not come to
 * the stream and sequence, a chunk that is not whole elsewhere is missed by these all the same. */
static bool is_piece_of_header(const struct log *log, const struct rec_chunk_header *h, uint32_t bytes)
{
    static const uint32_t magic = REC_CHUNK_MAGIC;

    return bytes && memcmp(h, &magic, bytes < sizeof magic ? bytes : sizeof magic) == 0 &&
           (bytes < offsetof(struct rec_chunk_header, flags) || is_of_known_type(h)) &&
           (bytes < offsetof(struct rec_chunk_header, ticks) || is_there_whole(log, h));
}

static bool is_torn_piece(const struct log *log, const struct log_damage *d)
{
    if (d->header_bytes < sizeof d->header)
        return is_piece_of_header(log, &d->header, d->header_bytes);
    return is_of_known_type(&d->header) && d->bytes < (uint64_t)d->header.header_bytes + d->header.payload_bytes &&
           is_there_whole(log, &d->header);
}

/* A write that a kill or a full disk cut short leaves a piece of a chunk that is
 * also whole, in the slot or written again: then nothing is missing. Other damage that lies side by side is one. */
void log_forget_torn_pieces(struct log *log)
{
    size_t kept = 0;

    for (size_t i = 0; i < log->damage_count; i++) {
        const struct log_damage *d = &log->damages[i];
        struct log_damage *last = kept ? &log->damages[kept - 1] : NULL;
        if (is_torn_piece(log, d) || is_being_written(log, d))
            log->damaged_bytes -= d->bytes;
        else if (last && last->in_spool == d->in_spool && last->offset + last->bytes == d->offset)
            last->bytes += d->bytes;
        else
            log->damages[kept++] = *d;
    }
    log->damage_count = kept;
}
