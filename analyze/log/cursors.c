/* Between ahead.c, or log_load(), which have whole payloads, and the heap of reader.c, which wants events. What of a payload
 * is in memory is the concern of windows.c; here chunks follow each other, and events. */
#include "analyze/log/pack.h"
#include "analyze/log/windows.h"

#include <errno.h>
#include <string.h>

/* Read ahead, for all streams together. Of each more than one chunk, so that no thread waits for another one that the
 * kernel lets wait. */
#define AHEAD_BYTES_MOST ((size_t)1 << 20)
#define AHEAD_CHUNKS 16
#define FIRST_DEPTHS 64
/* A chunk is decoded from its columns, and never made records, where few streams run at one time, and chunks are of a usual size: it takes
 * some 30 KB more than its window, and all of it has to be there. */
#define COLUMNS_CURSORS_MOST 64
#define COLUMNS_BYTES_MOST (8u << 20)

/* --- payloads ------------------------------------------------------------------------ */

static bool suits_columns(const struct cursors *all, const struct log_chunk *chunk)
{
    return chunk->packed_bytes && all->begun <= COLUMNS_CURSORS_MOST && (uint64_t)all->begun * chunk->payload_bytes <= COLUMNS_BYTES_MOST;
}

static void want_next(struct cursors *all, struct cursor *c)
{
    const struct log_stream *stream = &all->log->streams[c->next.stream];

    while (all->ahead && c->wanted < AHEAD_CHUNKS && c->next_chunk + c->wanted < stream->chunk_count) {
        const struct log_chunk *chunk = &all->log->chunks[stream->chunks[c->next_chunk + c->wanted]];
        if (all->ahead_bytes + chunk->payload_bytes > AHEAD_BYTES_MOST)
            return;
        c->wanted++;
        all->ahead_bytes += chunk->payload_bytes;
        ahead_want(all->ahead, c->next.stream, chunk, suits_columns(all, chunk));
    }
}

/* The payload of the chunk that the stream comes to; then those after it are wanted. */
static int load_next(struct cursors *all, struct cursor *c, void **payload, size_t *capacity)
{
    const struct log_chunk *chunk = cursor_chunk(all, c);
    int error;

    if (c->wanted) {
        error = ahead_take(all->ahead, c->next.stream, payload, capacity);
        all->ahead_bytes -= chunk->payload_bytes;
        c->wanted--;
    } else if (c->is_columns) {
        error = log_load_columns(all->log, chunk, payload, capacity);
    } else {
        error = payload_load(all->log, chunk, payload, capacity);
    }
    all->loaded_bytes += chunk->payload_bytes;
    want_next(all, c);
    return error;
}

/* More room for the depths of stacks: as much as the chunk turns out to have. */
void cursor_deepen(struct cursor *c)
{
    struct decoding *d = &c->decoding;

    d->depth_room = d->depth_room * 2 < REC_STACK_NUMBERS ? d->depth_room * 2 : REC_STACK_NUMBERS;
    uint16_t *depths = alloc_unset(d->depth_room * sizeof *depths);
    memcpy(depths, d->depths, d->stacks * sizeof *depths);
    free(d->depths);
    d->depths = depths;
}

/* --- chunks ---------------------------------------------------------------------------- */

/* The payload as a whole, if there is room for it, or its beginning. */
static int load_window(struct cursors *all, struct cursor *c)
{
    uint32_t bytes = cursor_chunk(all, c)->payload_bytes, share = windows_share(all);
    size_t mine = c->is_let_go ? 0 : c->capacity;

    c->is_columns = c->wanted ? ahead_is_columns(all->ahead, c->next.stream) : suits_columns(all, cursor_chunk(all, c));
    if (!c->is_columns && bytes > share && all->bytes - mine + bytes > windows_room(all)) {
        int error = load_next(all, c, &all->scratch, &all->scratch_capacity);
        if (!error)
            window_copy(all, c, all->scratch, 0, share);
        return error;
    }
    void *window = c->window;
    int error = load_next(all, c, &window, &c->capacity);
    c->window = window;
    c->is_let_go = false;
    all->bytes += c->capacity - mine;
    window_set(all, c, 0, error ? 0 : bytes);
    return error;
}

static void begin_columns(struct cursor *c)
{
    if (!c->columns)
        c->columns = alloc_unset(sizeof *c->columns);
    columns_at(c->columns, c->window);
    columns_begin(c->columns);
}

/* Loads the stream's next chunk. False: there is none. */
static bool open_chunk(struct cursors *all, struct cursor *c)
{
    const struct log_stream *stream = &all->log->streams[c->next.stream];

    while (c->next_chunk < stream->chunk_count) {
        c->chunk = stream->chunks[c->next_chunk++];
        c->next.chunk++;
        all->opened++;
        const struct log_chunk *chunk = cursor_chunk(all, c);
        int error = load_window(all, c);
        if (error) {
            window_set(all, c, 0, 0);
            cursor_note_bad(all, c, error == -EBADMSG ? "a packed chunk that cannot be unpacked" : "the file cannot be read here any more");
            continue;
        }
        c->ticks_are_ns = chunk->ticks_are_ns;
        decoding_begin(&c->decoding, c->window, c->is_columns ? 0 : c->count, chunk->ticks);
        c->decoding.begins = chunk->sequences - 1;
        if (c->is_columns)
            begin_columns(c);
        windows_make_room(all, c);
        return true;
    }
    return false;
}

static void end(struct cursors *all, struct cursor *c)
{
    if (!c->is_let_go)
        all->bytes -= c->capacity;
    all->begun -= c->has_begun;
    c->has_begun = false;
    free(c->window);
    free(c->columns);
    free(c->decoding.depths);
    free(c->ids);
    c->window = NULL;
    c->columns = NULL;
    c->is_columns = false;
    c->capacity = 0;
    c->decoding.depths = NULL;
    c->ids = NULL;
}

bool cursor_go_on(struct cursors *all, struct cursor *c, int got)
{
    for (;; got = cursor_decode(c)) {
        if (got == 1) {
            c->next.ns = log_ns(all->log, c->ticks_are_ns, c->next.event.ticks);
            return true;
        }
        if (got == DECODING_ANEW) {
            c->next.chunk++;
        } else if (c->is_columns) {
            if (got < 0)
                cursor_note_bad(all, c, c->decoding.problem);
            if (!open_chunk(all, c))
                break;
        } else if (got < 0 && cursor_lacks_depths(c)) {
            cursor_deepen(c);
            c->decoding.end = c->decoding.start + c->count;
            c->decoding.problem = NULL;
        } else if (c->decoding.at >= c->slide_at) {
            window_slide(all, c, windows_share(all));
        } else if (got < 0 && cursor_is_partial(all, c)) {
            window_widen(all, c);
        } else {
            if (got < 0 && !cursor_chunk(all, c)->torn)
                cursor_note_bad(all, c, c->decoding.problem);
            if (!open_chunk(all, c))
                break;
        }
    }
    end(all, c);
    return false;
}

bool cursor_begin(struct cursors *all, struct cursor *c)
{
    c->has_begun = true;
    all->begun++;
    c->decoding.ids = all->ids;
    c->decoding.depth_room = FIRST_DEPTHS;
    c->decoding.depths = alloc_unset(FIRST_DEPTHS * sizeof *c->decoding.depths);
    want_next(all, c);
    if (open_chunk(all, c))
        return cursor_advance(all, c);
    end(all, c);
    return false;
}

void cursor_keep_ids(struct cursor *c)
{
    struct event *e = &c->next.event;

    c->ids = make_room_for(c->ids, &c->id_capacity, e->pushes * sizeof *c->ids);
    memcpy(c->ids, e->ids, e->pushes * sizeof *c->ids);
    e->ids = c->ids;
}

void cursor_load_again(struct cursors *all, struct cursor *c)
{
    const struct log_chunk *chunk = cursor_chunk(all, c);

    /* If it fails now, what is there shows when it is decoded. */
    if (payload_load(all->log, chunk, &all->scratch, &all->scratch_capacity) == 0)
        memcpy(c->window, (const uint8_t *)all->scratch + c->from, c->count);
    c->is_let_go = false;
    all->bytes += c->capacity;
    all->loaded_again_bytes += chunk->payload_bytes;
    windows_make_room(all, c);
}

static bool is_packed(const struct log *log)
{
    for (size_t i = 0; i < log->chunk_count; i++)
        if (log->chunks[i].packed_bytes && log->chunks[i].stream != UINT32_MAX)
            return true;
    return false;
}

void cursors_init(struct cursors *all, const struct log *log)
{
    *all = (struct cursors){ .log = log };
    all->of = alloc_zeroed(log->stream_count, sizeof *all->of);
    all->ids = alloc_unset(REC_STACK_DEPTH_MAX * sizeof *all->ids);
    all->ahead = is_packed(log) && !log->one_thread ? ahead_make(log, log->stream_count) : NULL;
    for (uint32_t i = 0; i < log->stream_count; i++) {
        all->of[i].next.stream = i;
        all->of[i].next.process = log->streams[i].process;
    }
}

void cursors_release(struct cursors *all)
{
    ahead_free(all->ahead);
    for (size_t i = 0; i < all->log->stream_count; i++)
        end(all, &all->of[i]);
    free(all->of);
    free(all->ids);
    free(all->scratch);
}
