/* Unpacks chunks ahead of whoever reads them in order, in a thread of its own: each
 * cursor of a reader says which chunks it will want, and has them when it comes to them. */
#ifndef MALLOSCOPE_LOG_AHEAD_H
#define MALLOSCOPE_LOG_AHEAD_H

#include "analyze/log/log.h"

struct ahead;

/* For `count` cursors. NULL where no thread can be had: then log_load() does. */
struct ahead *ahead_make(const struct log *log, size_t count);
void ahead_free(struct ahead *a);

/* The cursor will want this chunk, after those that it has said before; as_columns: as log_load_columns() has it. */
void ahead_want(struct ahead *a, size_t cursor, const struct log_chunk *chunk, bool as_columns);

/* Of the first chunk that the cursor has wanted and not taken: how, and its payload: as log_load(). *payload and its
 * capacity, grow()'s, are exchanged for what has been read ahead. */
bool ahead_is_columns(const struct ahead *a, size_t cursor);
int ahead_take(struct ahead *a, size_t cursor, void **payload, size_t *capacity);

#endif
