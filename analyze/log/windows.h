/* The part of its chunk's payload that a cursor has in memory. For cursors.c. */
#ifndef MALLOSCOPE_LOG_WINDOWS_H
#define MALLOSCOPE_LOG_WINDOWS_H

#include "analyze/log/cursors.h"

static inline const struct log_chunk *cursor_chunk(const struct cursors *all, const struct cursor *c)
{
    return &all->log->chunks[c->chunk];
}

static inline bool cursor_is_partial(const struct cursors *all, const struct cursor *c)
{
    return c->from + c->count < cursor_chunk(all, c)->payload_bytes;
}

/* Bytes that all windows together may have, and one, when room is short. */
uint64_t windows_room(const struct cursors *all);
uint32_t windows_share(const struct cursors *all);

/* c->window has these bytes of the payload; they are what is decoded next. */
void window_set(const struct cursors *all, struct cursor *c, uint32_t from, uint32_t count);
/* The same of a copy of `bytes`, which may be in the window now. */
void window_copy(struct cursors *all, struct cursor *c, const uint8_t *bytes, uint32_t from, uint32_t count);

/* The cursor's window is there: others may have to become smaller. */
void windows_make_room(struct cursors *all, const struct cursor *mine);

/* The window moves on to what is decoded next; to so many bytes from there, as far as there are more. */
void window_slide(struct cursors *all, struct cursor *c, uint32_t count);
/* A record does not end in the window: from there, and if that is where it begins, to further on. */
void window_widen(struct cursors *all, struct cursor *c);

int payload_load(const struct log *log, const struct log_chunk *chunk, void **payload, size_t *capacity);
void cursor_note_bad(struct cursors *all, const struct cursor *c, const char *reason);

#endif
