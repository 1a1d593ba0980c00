/* A heap of cursors, one for each stream, by their next event's stamp. The
 * cursor at the top is drained as long as it stays the first, which is nearly
 * always: threads do not alternate at every event. A stream that has not begun
 * waits with the stamp of its first chunk, and has no decoder yet. */
#include "analyze/log/reader.h"

#include "analyze/log/ahead.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Read ahead, for all streams together: a chunk of each, and where that is not much, more of each, so that no
 * thread waits for another one that the kernel lets wait. */
#define AHEAD_BYTES_MOST ((size_t)32 << 20)
#define DEEP_BYTES_MOST ((size_t)4 << 20)
#define DEEP_CHUNKS 16

/* No recorder makes a chunk that is larger, but some hundred bytes may unpack to a megabyte, in each of thousands of
 * streams. So those that have not come to their turn for long are let go where they take too much, and loaded again
 * for it. If streams take turns at every event that would take forever: the more it takes, the more may stay. */
#define LARGE_BYTES REC_LIVE_SLOT_BYTES
#define LARGE_BYTES_MOST(reloaded_bytes) (((uint64_t)64 << 20) + (reloaded_bytes) / 16)

struct cursor {
    size_t next_chunk; /* in the stream's list */
    bool ticks_are_ns;
    uint32_t wanted; /* of the next chunks, of the one who reads ahead */
    bool is_let_go; /* the payload's memory is 0 */
    uint32_t large_bytes; /* of the payload, if it is large */
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
    size_t ahead_bytes;                   /* wanted, and not taken yet */
    uint64_t large_bytes, reloaded_bytes; /* that are there; that were loaded more than once */
    uint32_t hand;                        /* the stream after the last one whose payload was let go */
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

static bool may_want(const struct reader *r, const struct cursor *c, uint32_t bytes)
{
    return r->ahead_bytes + bytes <= (c->wanted ? DEEP_BYTES_MOST : AHEAD_BYTES_MOST);
}

static void want_next(struct reader *r, struct cursor *c)
{
    const struct log_stream *stream = &r->log->streams[c->next.stream];

    while (r->ahead && c->wanted < DEEP_CHUNKS && c->next_chunk + c->wanted < stream->chunk_count) {
        const struct log_chunk *chunk = &r->log->chunks[stream->chunks[c->next_chunk + c->wanted]];
        if (!may_want(r, c, chunk->payload_bytes))
            return;
        c->wanted++;
        r->ahead_bytes += chunk->payload_bytes;
        ahead_want(r->ahead, c->next.stream, chunk);
    }
}

/* The payload of the stream's next chunk; then those after it are wanted. */
static int load(struct reader *r, struct cursor *c, const struct log_chunk *chunk)
{
    int error;

    if (c->wanted) {
        error = ahead_take(r->ahead, c->next.stream, &c->payload, &c->payload_capacity);
        r->ahead_bytes -= chunk->payload_bytes;
        c->wanted--;
    } else {
        c->payload = make_room_for(c->payload, &c->payload_capacity, (size_t)chunk->payload_bytes + 1);
        error = log_load(r->log, chunk, c->payload);
    }
    want_next(r, c);
    return error;
}

/* Its address stays: events and decoders point into it. */
static void let_go(struct reader *r, struct cursor *c)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = ((uintptr_t)c->payload + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)c->payload + c->payload_capacity) / page * page;

    madvise((void *)start, end - start, MADV_DONTNEED);
    c->is_let_go = true;
    r->large_bytes -= c->large_bytes;
}

/* The cursor's payload is there: others may have to go. */
static void make_room(struct reader *r, const struct cursor *mine)
{
    for (size_t i = 0; i < r->log->stream_count && r->large_bytes > LARGE_BYTES_MOST(r->reloaded_bytes); i++) {
        struct cursor *c = &r->cursors[r->hand++];
        r->hand %= (uint32_t)r->log->stream_count;
        if (c != mine && c->large_bytes && !c->is_let_go)
            let_go(r, c);
    }
}

static void load_again(struct reader *r, struct cursor *c)
{
    const struct log_chunk *chunk = &r->log->chunks[c->next.chunk];

    log_load(r->log, chunk, c->payload); /* if it fails now, what is there shows when it is decoded */
    c->is_let_go = false;
    r->large_bytes += c->large_bytes;
    r->reloaded_bytes += c->large_bytes;
    make_room(r, c);
}

static void take_large(struct reader *r, struct cursor *c, uint32_t bytes)
{
    if (c->large_bytes && !c->is_let_go)
        r->large_bytes -= c->large_bytes;
    c->is_let_go = false;
    c->large_bytes = bytes > LARGE_BYTES ? bytes : 0;
    r->large_bytes += c->large_bytes;
    if (c->large_bytes)
        make_room(r, c);
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
        take_large(r, c, chunk->payload_bytes);
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

static void end_cursor(struct reader *r, struct cursor *c)
{
    take_large(r, c, 0);
    free(c->payload);
    free(c->decoder);
    c->payload = NULL;
    c->decoder = NULL;
}

static bool begin_cursor(struct reader *r, struct cursor *c)
{
    c->decoder = alloc_unset(sizeof *c->decoder); /* most of it is for deep stacks and chunks with many */
    want_next(r, c);
    return open_chunk(r, c) && advance(r, c);
}

/* Puts the top where its next event belongs. */
static void move_top(struct reader *r, bool has_event)
{
    if (!has_event) {
        end_cursor(r, &r->cursors[r->heap[0]]);
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
        end_cursor(r, &r->cursors[i]);
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
    struct cursor *c = &r->cursors[r->heap[0]];
    if (c->is_let_go)
        load_again(r, c);
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

struct loss {
    const struct log *log;
    struct reader_lost *sum;
};

static void add_lost(void *data, const struct timed_event *e)
{
    const struct loss *loss = data;

    if (e->event.type == EVENT_OTHER && e->event.other == REC_LOST)
        count_lost(loss->sum, e->event.lost.count, e->event.lost.reason);
}

static void add_lost_of_session(void *data, const struct timed_event *e)
{
    const struct loss *loss = data;
    const struct event *event = &e->event;

    add_lost(data, e);
    if (event->type != EVENT_OTHER)
        return;
    if (event->other == REC_UNTRACED)
        loss->sum->programs += event->untraced.reason == REC_UNTRACED_WITHDRAWN ? -1 : 1;
    /* It had no memory for a stream, nor for its own first block: nothing else tells of it. */
    if (event->other == REC_LOST && !event->lost.count && event->lost.reason && !loss->log->processes[e->process].stream_count)
        loss->sum->programs++;
}

struct reader_lost reader_lost_events(const struct log *log)
{
    _cleanup_free_ struct decoder *decoder = alloc_zeroed(1, sizeof *decoder);
    struct reader_lost lost = { .programs = (int64_t)log->untraced };
    struct loss loss = { log, &lost };

    count_lost(&lost, log->lost_events, log->stop_errno); /* of live files that are still there */
    for (size_t i = 0; i < log->chunk_count; i++)
        if (log->chunks[i].stream == UINT32_MAX || log->chunks[i].is_cut)
            read_records(log, i, decoder, log->chunks[i].is_cut ? add_lost : add_lost_of_session, &loss);
    return lost;
}
