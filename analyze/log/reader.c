/* A heap of cursors, one for each stream, by their next event's stamp. The
 * cursor at the top is drained as long as it stays the first, which is nearly
 * always: threads do not alternate at every event. A stream that has not begun
 * waits with the stamp of its first chunk, and has no decoder yet. */
#include "analyze/log/reader.h"

#include "analyze/log/ahead.h"

#include <errno.h>
#include <string.h>

struct cursor {
    size_t next_chunk; /* in the stream's list */
    bool ticks_are_ns;
    void *payload;
    size_t payload_capacity;
    struct decoder *decoder; /* NULL: before its first event, or after its last */
    struct timed_event next;
};

struct reader {
    const struct log *log;
    struct ahead *ahead; /* NULL: nothing in the log is packed, or one thread is to do all */
    struct cursor *cursors;
    uint32_t *heap; /* of cursors that have an event */
    size_t heap_count;
    bool top_is_used;  /* the top's event was given out */
    bool last_ended;
    uint64_t bad_chunks, bad_offset;
    const char *bad_reason;
    size_t opened; /* chunks */
};

static bool comes_before(const struct cursor *a, const struct cursor *b)
{
    if (a->next.ns != b->next.ns)
        return a->next.ns < b->next.ns;
    if (a->next.event.ticks != b->next.event.ticks)
        return a->next.event.ticks < b->next.event.ticks;
    return a->next.stream < b->next.stream;
}

static void note_bad(struct reader *r, const struct log_chunk *chunk, uint64_t at, const char *reason)
{
    if (r->bad_chunks++ == 0) {
        r->bad_offset = chunk->offset + at;
        r->bad_reason = reason;
    }
}

static void want_next(struct reader *r, struct cursor *c)
{
    const struct log_stream *stream = &r->log->streams[c->next.stream];

    if (r->ahead && c->next_chunk < stream->chunk_count)
        ahead_want(r->ahead, c->next.stream, &r->log->chunks[stream->chunks[c->next_chunk]]);
}

/* The payload of the stream's next chunk, which was wanted; then the one after it is. */
static int load(struct reader *r, struct cursor *c, const struct log_chunk *chunk)
{
    if (!r->ahead) {
        c->payload = grow(c->payload, &c->payload_capacity, chunk->payload_bytes + 1, 1);
        return log_load(r->log, chunk, c->payload);
    }
    int error = ahead_take(r->ahead, c->next.stream, &c->payload, &c->payload_capacity);
    want_next(r, c);
    return error;
}

/* Loads the stream's next chunk. False: there is none. */
static bool open_chunk(struct reader *r, struct cursor *c)
{
    const struct log_stream *stream = &r->log->streams[c->next.stream];

    while (c->next_chunk < stream->chunk_count) {
        c->next.chunk = stream->chunks[c->next_chunk++];
        r->opened++;
        const struct log_chunk *chunk = &r->log->chunks[c->next.chunk];
        int error = load(r, c, chunk);
        if (error) {
            note_bad(r, chunk, 0, error == -EBADMSG ? "a packed chunk that cannot be unpacked" : "the file cannot be read here any more");
            continue;
        }
        c->ticks_are_ns = chunk->ticks_are_ns;
        decoder_begin(c->decoder, c->payload, chunk->payload_bytes, chunk->ticks);
        return true;
    }
    return false;
}

static bool advance(struct reader *r, struct cursor *c)
{
    for (;;) {
        int got = decoder_next(c->decoder, &c->next.event);
        if (got == 1) {
            c->next.ns = log_ns(r->log, c->ticks_are_ns, c->next.event.ticks);
            return true;
        }
        if (got < 0 && !r->log->chunks[c->next.chunk].torn)
            note_bad(r, &r->log->chunks[c->next.chunk], (uint64_t)(c->decoder->at - c->decoder->start), c->decoder->problem);
        if (!open_chunk(r, c))
            return false;
    }
}

static void sift_down(struct reader *r, size_t at)
{
    for (;;) {
        size_t first = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < r->heap_count; child++)
            if (comes_before(&r->cursors[r->heap[child]], &r->cursors[r->heap[first]]))
                first = child;
        if (first == at)
            return;
        uint32_t swapped = r->heap[at];
        r->heap[at] = r->heap[first];
        r->heap[first] = swapped;
        at = first;
    }
}

struct reader *reader_open(const struct log *log)
{
    struct reader *r = alloc_zeroed(1, sizeof *r);

    r->log = log;
    r->cursors = alloc_zeroed(log->stream_count, sizeof *r->cursors);
    r->heap = alloc_zeroed(log->stream_count, sizeof *r->heap);
    bool packed = false;
    for (size_t i = 0; i < log->chunk_count && !packed; i++)
        packed = log->chunks[i].packed_bytes && log->chunks[i].stream != UINT32_MAX;
    r->ahead = packed && !log->one_thread ? ahead_make(log, log->stream_count) : NULL;
    for (uint32_t i = 0; i < log->stream_count; i++) {
        struct cursor *c = &r->cursors[i];
        c->next.stream = i;
        c->next.process = log->streams[i].process;
        if (!log->streams[i].chunk_count)
            continue;
        const struct log_chunk *first = &log->chunks[log->streams[i].chunks[0]];
        c->next.event.ticks = first->ticks;
        c->next.ns = log_ns(log, first->ticks_are_ns, first->ticks);
        r->heap[r->heap_count++] = i;
    }
    for (size_t i = r->heap_count; i-- > 0;)
        sift_down(r, i);
    return r;
}

static void end_cursor(struct cursor *c)
{
    free(c->payload);
    free(c->decoder);
    c->payload = NULL;
    c->decoder = NULL;
}

static bool begin_cursor(struct reader *r, struct cursor *c)
{
    c->decoder = alloc_zeroed(1, sizeof *c->decoder);
    want_next(r, c);
    return open_chunk(r, c) && advance(r, c);
}

/* Puts the top where its next event belongs. */
static void move_top(struct reader *r, bool has_event)
{
    if (!has_event) {
        end_cursor(&r->cursors[r->heap[0]]);
        r->heap[0] = r->heap[--r->heap_count];
    }
    sift_down(r, 0);
}

void reader_free(struct reader *r)
{
    if (!r)
        return;
    ahead_free(r->ahead);
    for (size_t i = 0; i < r->log->stream_count; i++)
        end_cursor(&r->cursors[i]);
    free(r->cursors);
    free(r->heap);
    free(r);
}

const struct timed_event *reader_look(struct reader *r)
{
    if (r->top_is_used)
        move_top(r, advance(r, &r->cursors[r->heap[0]]));
    while (r->heap_count && !r->cursors[r->heap[0]].decoder)
        move_top(r, begin_cursor(r, &r->cursors[r->heap[0]]));
    r->top_is_used = r->heap_count > 0;
    if (!r->top_is_used)
        return NULL;
    const struct cursor *c = &r->cursors[r->heap[0]];
    r->last_ended = c->decoder->at == c->decoder->end && c->next_chunk == r->log->streams[c->next.stream].chunk_count;
    return &c->next;
}

int reader_next(struct reader *r, struct timed_event *ret_event)
{
    const struct timed_event *event = reader_look(r);

    if (event)
        *ret_event = *event;
    return event != NULL;
}

bool reader_stream_ended(const struct reader *r)
{
    return r->last_ended;
}

double reader_progress(const struct reader *r)
{
    return r->log->chunk_count ? (double)r->opened / (double)r->log->chunk_count : 1;
}

uint64_t reader_bad_chunks(const struct reader *r, uint64_t *ret_offset, const char **ret_reason)
{
    *ret_offset = r->bad_offset;
    *ret_reason = r->bad_reason;
    return r->bad_chunks;
}

static void read_records(const struct log *log, size_t number, struct decoder *decoder,
                         void (*use)(void *data, const struct timed_event *event), void *data)
{
    const struct log_chunk *chunk = &log->chunks[number];
    _cleanup_free_ void *payload = alloc_zeroed(1, chunk->payload_bytes);

    if (log_load(log, chunk, payload) != 0)
        return;
    struct timed_event event = { .stream = UINT32_MAX, .process = chunk->process, .chunk = number };
    decoder_begin(decoder, payload, chunk->payload_bytes, chunk->ticks);
    while (decoder_next(decoder, &event.event) == 1) {
        event.ns = log_ns(log, chunk->ticks_are_ns, event.event.ticks);
        use(data, &event);
    }
}

void reader_session_records(const struct log *log, void (*use)(void *data, const struct timed_event *event), void *data)
{
    _cleanup_free_ struct decoder *decoder = alloc_zeroed(1, sizeof *decoder);

    for (size_t i = 0; i < log->chunk_count; i++)
        if (log->chunks[i].stream == UINT32_MAX)
            read_records(log, i, decoder, use, data);
}

static void count_lost(struct reader_lost *lost, uint64_t count, uint32_t reason)
{
    lost->count += count;
    if (reason == REC_STOP_LIMIT)
        lost->beyond_limit += count;
    if (reason && (!lost->reason || lost->reason == REC_STOP_LIMIT))
        lost->reason = reason;
}

static void add_lost(void *data, const struct timed_event *e)
{
    if (e->event.type == EVENT_OTHER && e->event.other == REC_LOST)
        count_lost(data, e->event.lost.count, e->event.lost.reason);
}

static void add_lost_of_session(void *data, const struct timed_event *e)
{
    add_lost(data, e);
    if (e->event.type == EVENT_OTHER && e->event.other == REC_UNTRACED)
        ((struct reader_lost *)data)->programs += e->event.untraced.reason == REC_UNTRACED_WITHDRAWN ? -1 : 1;
}

struct reader_lost reader_lost_events(const struct log *log)
{
    _cleanup_free_ struct decoder *decoder = alloc_zeroed(1, sizeof *decoder);
    struct reader_lost lost = { .programs = (int64_t)log->untraced };

    count_lost(&lost, log->lost_events, log->stop_errno); /* of live files that are still there */
    for (size_t i = 0; i < log->chunk_count; i++)
        if (log->chunks[i].stream == UINT32_MAX || log->chunks[i].is_cut)
            read_records(log, i, decoder, log->chunks[i].is_cut ? add_lost : add_lost_of_session, &lost);
    return lost;
}
