/* Between ahead.c, or log_load(), which have whole payloads, and the heap of reader.c, which wants events.
 *
 * Thousands of threads that live together have a chunk each, and some hundred bytes may unpack to a megabyte. So a window
 * is as large as its payload only where there is room for that. What is hard is time: each window takes a whole chunk to be
 * loaded, and if streams take turns at every event, small ones would take forever: the more that has taken, the more
 * room there is. */
#include "analyze/log/cursors.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Read ahead, for all streams together. Of each more than one chunk, so that no thread waits for another one that the
 * kernel lets wait. */
#define AHEAD_BYTES_MOST ((size_t)4 << 20)
#define AHEAD_CHUNKS 16

#define CURSORS_BYTES ((uint64_t)23 << 20)
#define WINDOW_LEAST 4096
#define FREE_TIMES 16 /* a payload may be loaded so often, and that is no reason for more room; then it is for a 16th of it */
#define LET_GO_LEAST 65536
#define FIRST_DEPTHS 64
#define STEPS_MOST 64 /* of the hand, at one time */

static uint64_t room_for_all(const struct cursors *all)
{
    uint64_t least = (uint64_t)all->begun * WINDOW_LEAST * 5 / 4, free_bytes = all->loaded_bytes * FREE_TIMES;
    uint64_t more = all->loaded_again_bytes > free_bytes ? (all->loaded_again_bytes - free_bytes) / 16 : 0;

    return (least > CURSORS_BYTES ? least : CURSORS_BYTES) + more;
}

static uint32_t share_of_one(const struct cursors *all)
{
    uint64_t share = room_for_all(all) / (all->begun + 1);

    return share < WINDOW_LEAST ? WINDOW_LEAST : share > REC_CHUNK_PAYLOAD_MAX ? REC_CHUNK_PAYLOAD_MAX : (uint32_t)share;
}

static const struct log_chunk *chunk_of(const struct cursors *all, const struct cursor *c)
{
    return &all->log->chunks[c->next.chunk];
}

static bool is_partial(const struct cursors *all, const struct cursor *c)
{
    return c->from + c->count < chunk_of(all, c)->payload_bytes;
}

static void note_bad(struct cursors *all, const struct cursor *c, const char *reason)
{
    if (all->bad_chunks++ == 0) {
        all->bad_offset = chunk_of(all, c)->offset + c->from + (uint64_t)(c->decoding.at - c->decoding.start);
        all->bad_reason = reason;
    }
}

/* --- reading ahead --------------------------------------------------------------------- */

static void want_next(struct cursors *all, struct cursor *c)
{
    const struct log_stream *stream = &all->log->streams[c->next.stream];

    while (all->ahead && c->wanted < AHEAD_CHUNKS && c->next_chunk + c->wanted < stream->chunk_count) {
        const struct log_chunk *chunk = &all->log->chunks[stream->chunks[c->next_chunk + c->wanted]];
        if (all->ahead_bytes + chunk->payload_bytes > AHEAD_BYTES_MOST)
            return;
        c->wanted++;
        all->ahead_bytes += chunk->payload_bytes;
        ahead_want(all->ahead, c->next.stream, chunk);
    }
}

static int load(const struct log *log, const struct log_chunk *chunk, void **payload, size_t *capacity)
{
    *payload = make_room_for(*payload, capacity, (size_t)chunk->payload_bytes + 1);
    return log_load(log, chunk, *payload);
}

/* The payload of the chunk that the stream comes to; then those after it are wanted. */
static int load_next(struct cursors *all, struct cursor *c, void **payload, size_t *capacity)
{
    const struct log_chunk *chunk = chunk_of(all, c);
    int error;

    if (c->wanted) {
        error = ahead_take(all->ahead, c->next.stream, payload, capacity);
        all->ahead_bytes -= chunk->payload_bytes;
        c->wanted--;
    } else {
        error = load(all->log, chunk, payload, capacity);
    }
    all->loaded_bytes += chunk->payload_bytes;
    want_next(all, c);
    return error;
}

/* --- windows --------------------------------------------------------------------------- */

static void set_window(const struct cursors *all, struct cursor *c, uint32_t from, uint32_t count)
{
    c->from = from;
    c->count = count;
    c->decoding.start = c->decoding.at = c->window;
    c->decoding.end = c->window + count;
    c->decoding.problem = NULL;
    /* Whether zeros are a hole takes so many to tell. */
    c->slide_at = !is_partial(all, c) ? CURSOR_NO_SLIDE : count > REC_HOLE_BYTES ? c->decoding.end - REC_HOLE_BYTES : c->window;
}

/* Takes these bytes, which may be in the window now, as the window. */
static void copy_window(struct cursors *all, struct cursor *c, const uint8_t *bytes, uint32_t from, uint32_t count)
{
    uint8_t *window = alloc_unset((size_t)count + 1);

    memcpy(window, bytes, count);
    free(c->window);
    all->bytes += count + 1 - (c->is_let_go ? 0 : c->capacity);
    c->is_let_go = false;
    c->window = window;
    c->capacity = (size_t)count + 1;
    set_window(all, c, from, count);
}

static bool has_texts(const struct event *e)
{
    return e->type == EVENT_OTHER && e->other != REC_PC && rec_other_name(e->other);
}

/* Its address stays: the next event points into it. */
static void let_go(struct cursors *all, struct cursor *c)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = ((uintptr_t)c->window + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)c->window + c->capacity) / page * page;

    madvise((void *)start, end - start, MADV_DONTNEED);
    c->is_let_go = true;
    all->bytes -= c->capacity;
}

static void make_smaller(struct cursors *all, struct cursor *c, uint32_t most)
{
    size_t left = (size_t)(c->decoding.end - c->decoding.at), kept = left < most ? left : most;

    if (!c->has_begun || c->is_let_go || c->capacity <= kept + WINDOW_LEAST / 4)
        return;
    if (!has_texts(&c->next.event))
        copy_window(all, c, c->decoding.at, c->from + (uint32_t)(c->decoding.at - c->decoding.start), (uint32_t)kept);
    else if (c->capacity >= LET_GO_LEAST)
        let_go(all, c);
}

/* The cursor's window is there: others may have to become smaller. */
static void make_room(struct cursors *all, const struct cursor *mine)
{
    uint32_t share = share_of_one(all);

    for (unsigned i = 0; i < STEPS_MOST && all->bytes > room_for_all(all); i++) {
        struct cursor *c = &all->of[all->hand++];
        all->hand %= (uint32_t)all->log->stream_count;
        if (c != mine)
            make_smaller(all, c, share);
    }
}

/* The window moves on to what is decoded next; to so many bytes from there, as far as there are more. */
static void slide(struct cursors *all, struct cursor *c, uint32_t count)
{
    const struct log_chunk *chunk = chunk_of(all, c);
    uint32_t from = c->from + (uint32_t)(c->decoding.at - c->decoding.start), left = chunk->payload_bytes - from;

    if (load(all->log, chunk, &all->scratch, &all->scratch_capacity) != 0) {
        note_bad(all, c, "the file cannot be read here any more");
        set_window(all, c, chunk->payload_bytes, 0);
        return;
    }
    all->loaded_again_bytes += chunk->payload_bytes;
    copy_window(all, c, (uint8_t *)all->scratch + from, from, count < left ? count : left);
    make_room(all, c);
}

/* A record that does not end in the window: from there, and if that is where it begins, to further on. */
static void widen(struct cursors *all, struct cursor *c)
{
    slide(all, c, c->decoding.at > c->decoding.start ? share_of_one(all) : c->count * 2);
}

/* More room for the depths of stacks: as much as the chunk turns out to have. */
static void deepen(struct cursor *c)
{
    struct decoding *d = &c->decoding;

    d->depth_room = d->depth_room * 2 < REC_STACK_NUMBERS ? d->depth_room * 2 : REC_STACK_NUMBERS;
    uint16_t *depths = alloc_unset(d->depth_room * sizeof *depths);
    memcpy(depths, d->depths, d->stacks * sizeof *depths);
    free(d->depths);
    d->depths = depths;
    d->end = d->start + c->count;
    d->problem = NULL;
}

/* --- chunks ---------------------------------------------------------------------------- */

/* The payload as a whole, if there is room for it, or its beginning. */
static int load_window(struct cursors *all, struct cursor *c)
{
    uint32_t bytes = chunk_of(all, c)->payload_bytes, share = share_of_one(all);
    size_t mine = c->is_let_go ? 0 : c->capacity;

    if (bytes > share && all->bytes - mine + bytes > room_for_all(all)) {
        int error = load_next(all, c, &all->scratch, &all->scratch_capacity);
        if (!error)
            copy_window(all, c, all->scratch, 0, share);
        return error;
    }
    void *window = c->window;
    int error = load_next(all, c, &window, &c->capacity);
    c->window = window;
    c->is_let_go = false;
    all->bytes += c->capacity - mine;
    set_window(all, c, 0, error ? 0 : bytes);
    return error;
}

/* Loads the stream's next chunk. False: there is none. */
static bool open_chunk(struct cursors *all, struct cursor *c)
{
    const struct log_stream *stream = &all->log->streams[c->next.stream];

    while (c->next_chunk < stream->chunk_count) {
        c->next.chunk = stream->chunks[c->next_chunk++];
        all->opened++;
        const struct log_chunk *chunk = chunk_of(all, c);
        int error = load_window(all, c);
        if (error) {
            set_window(all, c, 0, 0);
            note_bad(all, c, error == -EBADMSG ? "a packed chunk that cannot be unpacked" : "the file cannot be read here any more");
            continue;
        }
        c->ticks_are_ns = chunk->ticks_are_ns;
        decoding_begin(&c->decoding, c->window, c->count, chunk->ticks);
        make_room(all, c);
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
    free(c->decoding.depths);
    free(c->ids);
    c->window = NULL;
    c->capacity = 0;
    c->decoding.depths = NULL;
    c->ids = NULL;
}

bool cursor_go_on(struct cursors *all, struct cursor *c, int got)
{
    for (;; got = c->decoding.at >= c->slide_at ? 0 : decoding_next(&c->decoding, &c->next.event)) {
        if (got == 1) {
            c->next.ns = log_ns(all->log, c->ticks_are_ns, c->next.event.ticks);
            return true;
        }
        if (got < 0 && c->decoding.stacks == c->decoding.depth_room && c->decoding.depth_room < REC_STACK_NUMBERS) {
            deepen(c);
        } else if (c->decoding.at >= c->slide_at) {
            slide(all, c, share_of_one(all));
        } else if (got < 0 && is_partial(all, c)) {
            widen(all, c);
        } else {
            if (got < 0 && !chunk_of(all, c)->torn)
                note_bad(all, c, c->decoding.problem);
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
    const struct log_chunk *chunk = chunk_of(all, c);

    /* If it fails now, what is there shows when it is decoded. */
    if (load(all->log, chunk, &all->scratch, &all->scratch_capacity) == 0)
        memcpy(c->window, (const uint8_t *)all->scratch + c->from, c->count);
    c->is_let_go = false;
    all->bytes += c->capacity;
    all->loaded_again_bytes += chunk->payload_bytes;
    make_room(all, c);
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
