/* A stream's place in a log that a reader merges: the chunk that it is in, a window on that chunk's payload, and its
 * next event. All that a reader's cursors have of payloads is some 24 MB at most (windows.c), but for what each needs at least: so
 * memory does not grow by a chunk for each thread. Where the chunks are more, a cursor has only a part of its own, and loads it
 * again to have the next one. */
#ifndef MALLOSCOPE_LOG_CURSORS_H
#define MALLOSCOPE_LOG_CURSORS_H

#include "analyze/log/ahead.h"
#include "analyze/log/reader.h"

#define CURSOR_NO_SLIDE ((const uint8_t *)UINTPTR_MAX)

struct cursor {
    struct timed_event next;
    struct decoding decoding;
    bool has_begun; /* and not ended */
    bool ticks_are_ns;
    bool is_let_go; /* the window's memory is 0 */
    bool is_columns; /* the window has the chunk as columns, whole */
    struct columns *columns; /* of it; NULL: it has had none */
    size_t chunk;      /* in the log's list */
    size_t next_chunk; /* in the stream's list */
    uint32_t wanted; /* of the next chunks, of the one who reads ahead */
    uint8_t *window;
    size_t capacity;
    uint32_t from, count; /* which bytes of the payload the window has */
    const uint8_t *slide_at; /* from there on, the next window is needed; CURSOR_NO_SLIDE: it has the payload's end */
    uint32_t *ids; /* of the next event, while others have theirs in `ids` below */
    size_t id_capacity;
};

struct cursors {
    const struct log *log;
    struct ahead *ahead; /* NULL: nothing in the log is packed, or one thread is to do all */
    struct cursor *of;   /* by stream */
    uint32_t *ids;       /* of the event that was decoded last */
    size_t opened;       /* chunks */
    size_t ahead_bytes;  /* wanted, and not taken yet */
    void *scratch; /* for a payload of which only a part is kept */
    size_t scratch_capacity;
    uint32_t begun;  /* that have begun and not ended */
    uint64_t bytes;  /* of all windows */
    uint64_t loaded_bytes, loaded_again_bytes; /* of payloads, for the first window and for others */
    uint32_t hand;   /* the stream after the last one whose window was made smaller */
    uint64_t bad_chunks, bad_offset;
    const char *bad_reason;
};

void cursors_init(struct cursors *all, const struct log *log);
void cursors_release(struct cursors *all);

/* For the functions below. */
void cursor_deepen(struct cursor *c);
bool cursor_go_on(struct cursors *all, struct cursor *c, int got);
void cursor_keep_ids(struct cursor *c);
void cursor_load_again(struct cursors *all, struct cursor *c);

/* To the stream's first event, to the next one. False: there are no more, and its memory is given back. What the
 * last event points to is gone then. */
bool cursor_begin(struct cursors *all, struct cursor *c);
static inline bool cursor_lacks_depths(const struct cursor *c)
{
    return c->decoding.stacks == c->decoding.depth_room && c->decoding.depth_room < REC_STACK_NUMBERS;
}

static inline int cursor_decode(struct cursor *c)
{
    if (!c->is_columns)
        return c->decoding.at >= c->slide_at ? 0 : decoding_next(&c->decoding, &c->next.event);
    if (cursor_lacks_depths(c)) /* columns cannot be gone back in: there is always room for one */
        cursor_deepen(c);
    return columns_next(c->columns, &c->decoding, &c->next.event);
}

static inline bool cursor_advance(struct cursors *all, struct cursor *c)
{
    int got = cursor_decode(c);

    if (got != 1)
        return cursor_go_on(all, c, got);
    c->next.ns = log_ns(all->log, c->ticks_are_ns, c->next.event.ticks);
    return true;
}

/* Another one's event comes before this one's, which keeps what it points to. */
static inline void cursor_wait(const struct cursors *all, struct cursor *c)
{
    const struct event *e = &c->next.event;

    if ((e->type == EVENT_ALLOC || e->type == EVENT_REALLOC_END) && e->pushes && e->ids == all->ids)
        cursor_keep_ids(c);
}

/* It comes to its turn. */
static inline void cursor_resume(struct cursors *all, struct cursor *c)
{
    if (c->is_let_go)
        cursor_load_again(all, c);
}

/* The next event is its last. */
static inline bool cursor_is_last(const struct cursors *all, const struct cursor *c)
{
    bool is_used = c->is_columns ? columns_are_used(c->columns) : c->decoding.at == c->decoding.end && c->slide_at == CURSOR_NO_SLIDE;

    return is_used &&
           c->next_chunk == all->log->streams[c->next.stream].chunk_count;
}

#endif
