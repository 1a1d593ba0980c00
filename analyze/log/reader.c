/* A heap of cursors, one for each stream, by their next event's stamp. The
 * cursor at the top is drained as long as it stays the first, which is nearly
 * always: threads do not alternate at every event. A stream that has not begun
 * waits with the stamp of its first chunk, and has nothing loaded yet. */
#include "analyze/log/cursors.h"

struct reader {
    const struct log *log;
    struct cursors cursors;
    uint32_t *heap; /* of cursors that have an event */
    size_t heap_count;
    struct cursor *top; /* whose event was given out; NULL: none */
    uint64_t others_ns; /* stamp of the first event of others then; UINT64_MAX: there are none */
};

/* In one tick, who frees comes before who allocates, which may be what was freed. The other way round the free waits
 * (waiting.h). A stream does not begin with a free in the tick in which its first chunk begins. */
static bool allocates(const struct cursor *c)
{
    return !c->has_begun || c->next.event.type == EVENT_ALLOC || c->next.event.type == EVENT_REALLOC_END;
}

static bool comes_before(const struct cursor *a, const struct cursor *b)
{
    if (a->next.ns != b->next.ns)
        return a->next.ns < b->next.ns;
    if (a->next.event.ticks != b->next.event.ticks)
        return a->next.event.ticks < b->next.event.ticks;
    if (allocates(a) != allocates(b))
        return allocates(b);
    return a->next.stream < b->next.stream;
}

static void sift_down(struct reader *r, size_t at)
{
    for (;;) {
        size_t first = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < r->heap_count; child++)
            if (comes_before(&r->cursors.of[r->heap[child]], &r->cursors.of[r->heap[first]]))
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
    cursors_init(&r->cursors, log);
    r->heap = alloc_zeroed(log->stream_count, sizeof *r->heap);
    for (uint32_t i = 0; i < log->stream_count; i++) {
        struct cursor *c = &r->cursors.of[i];
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

/* Puts the top where its next event belongs. */
static void move_top(struct reader *r, bool has_event)
{
    const uint32_t top = r->heap[0];

    if (!has_event)
        r->heap[0] = r->heap[--r->heap_count];
    sift_down(r, 0);
    if (has_event && r->heap[0] != top)
        cursor_wait(&r->cursors, &r->cursors.of[top]);
}

void reader_free(struct reader *r)
{
    if (!r)
        return;
    cursors_release(&r->cursors);
    free(r->heap);
    free(r);
}

static struct cursor *top_of(const struct reader *r)
{
    return &r->cursors.of[r->heap[0]];
}

static uint64_t find_others_ns(const struct reader *r)
{
    uint64_t ns = UINT64_MAX;

    for (size_t i = 1; i <= 2 && i < r->heap_count; i++)
        if (r->cursors.of[r->heap[i]].next.ns < ns)
            ns = r->cursors.of[r->heap[i]].next.ns;
    return ns;
}

const struct timed_event *reader_look(struct reader *r)
{
    if (r->top) {
        bool has_event = cursor_advance(&r->cursors, r->top);
        if (has_event && r->top->next.ns < r->others_ns)
            return &r->top->next;
        move_top(r, has_event);
    }
    while (r->heap_count && !top_of(r)->has_begun)
        move_top(r, cursor_begin(&r->cursors, top_of(r)));
    r->top = r->heap_count ? top_of(r) : NULL;
    if (!r->top)
        return NULL;
    r->others_ns = find_others_ns(r);
    cursor_resume(&r->cursors, r->top);
    return &r->top->next;
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
    return r->top && cursor_is_last(&r->cursors, r->top);
}

double reader_progress(const struct reader *r)
{
    return r->log->chunk_count ? (double)r->cursors.opened / (double)r->log->chunk_count : 1;
}

uint64_t reader_bad_chunks(const struct reader *r, uint64_t *ret_offset, const char **ret_reason)
{
    *ret_offset = r->cursors.bad_offset;
    *ret_reason = r->cursors.bad_reason;
    return r->cursors.bad_chunks;
}
