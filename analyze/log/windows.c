/* How large a window may be, who has to make room, and how it moves on.
 *
 * Thousands of threads that live together have a chunk each, and some hundred bytes may unpack to a megabyte. So a window
 * is as large as its payload only where there is room for that. What is hard is time: each window takes a whole chunk to be
 * loaded, and if streams take turns at every event, small ones would take forever: the more that has taken, the more
 * room there is. */
#include "analyze/log/windows.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CURSORS_BYTES ((uint64_t)23 << 20)
#define WINDOW_LEAST 4096
#define FREE_TIMES 16 /* a payload may be loaded so often, and that is no reason for more room; then it is for a 16th of it */
#define LET_GO_LEAST 65536
#define STEPS_MOST 64 /* of the hand, at one time */

uint64_t windows_room(const struct cursors *all)
{
    uint64_t least = (uint64_t)all->begun * WINDOW_LEAST * 5 / 4, free_bytes = all->loaded_bytes * FREE_TIMES;
    uint64_t more = all->loaded_again_bytes > free_bytes ? (all->loaded_again_bytes - free_bytes) / 16 : 0;

    return (least > CURSORS_BYTES ? least : CURSORS_BYTES) + more;
}

uint32_t windows_share(const struct cursors *all)
{
    uint64_t share = windows_room(all) / (all->begun + 1);

    return share < WINDOW_LEAST ? WINDOW_LEAST : share > REC_CHUNK_PAYLOAD_MAX ? REC_CHUNK_PAYLOAD_MAX : (uint32_t)share;
}

void cursor_note_bad(struct cursors *all, const struct cursor *c, const char *reason)
{
    if (all->bad_chunks++ == 0) {
        all->bad_offset = cursor_chunk(all, c)->offset + c->from + (uint64_t)(c->decoding.at - c->decoding.start);
        all->bad_reason = reason;
    }
}

int payload_load(const struct log *log, const struct log_chunk *chunk, void **payload, size_t *capacity)
{
    *payload = make_room_for(*payload, capacity, (size_t)chunk->payload_bytes + 1);
    return log_load(log, chunk, *payload);
}

void window_set(const struct cursors *all, struct cursor *c, uint32_t from, uint32_t count)
{
    c->from = from;
    c->count = count;
    c->decoding.start = c->decoding.at = c->window;
    c->decoding.end = c->window + count;
    c->decoding.problem = NULL;
    /* Whether zeros are a hole takes so many to tell. */
    c->slide_at = !cursor_is_partial(all, c) ? CURSOR_NO_SLIDE : count > REC_HOLE_BYTES ? c->decoding.end - REC_HOLE_BYTES : c->window;
}

/* Takes these bytes, which may be in the window now, as the window. */
void window_copy(struct cursors *all, struct cursor *c, const uint8_t *bytes, uint32_t from, uint32_t count)
{
    uint8_t *window = alloc_unset((size_t)count + 1);

    memcpy(window, bytes, count);
    free(c->window);
    all->bytes += count + 1 - (c->is_let_go ? 0 : c->capacity);
    c->is_let_go = false;
    c->window = window;
    c->capacity = (size_t)count + 1;
    window_set(all, c, from, count);
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

    if (!c->has_begun || c->is_let_go || c->is_columns || c->capacity <= kept + WINDOW_LEAST / 4)
        return;
    if (!has_texts(&c->next.event))
        window_copy(all, c, c->decoding.at, c->from + (uint32_t)(c->decoding.at - c->decoding.start), (uint32_t)kept);
    else if (c->capacity >= LET_GO_LEAST)
        let_go(all, c);
}

/* The cursor's window is there: others may have to become smaller. */
void windows_make_room(struct cursors *all, const struct cursor *mine)
{
    uint32_t share = windows_share(all);

    for (unsigned i = 0; i < STEPS_MOST && all->bytes > windows_room(all); i++) {
        struct cursor *c = &all->of[all->hand++];
        all->hand %= (uint32_t)all->log->stream_count;
        if (c != mine)
            make_smaller(all, c, share);
    }
}

/* The window moves on to what is decoded next; to so many bytes from there, as far as there are more. */
void window_slide(struct cursors *all, struct cursor *c, uint32_t count)
{
    const struct log_chunk *chunk = cursor_chunk(all, c);
    uint32_t from = c->from + (uint32_t)(c->decoding.at - c->decoding.start), left = chunk->payload_bytes - from;

    if (payload_load(all->log, chunk, &all->scratch, &all->scratch_capacity) != 0) {
        cursor_note_bad(all, c, "the file cannot be read here any more");
        window_set(all, c, chunk->payload_bytes, 0);
        return;
    }
    all->loaded_again_bytes += chunk->payload_bytes;
    window_copy(all, c, (uint8_t *)all->scratch + from, from, count < left ? count : left);
    windows_make_room(all, c);
}

/* A record that does not end in the window: from there, and if that is where it begins, to further on. */
void window_widen(struct cursors *all, struct cursor *c)
{
    window_slide(all, c, c->decoding.at > c->decoding.start ? windows_share(all) : c->count * 2);
}
