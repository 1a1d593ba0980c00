/* A chunk's payload as columns: bytes of one meaning side by side, which zstd
 * packs far better than records, and addresses as guesses (places.h). One to one:
 * joining gives the very bytes back, whatever they were. docs/format.md says how.
 *
 * Pure: memory is the caller's. Joining believes nothing. */
#ifndef MALLOSCOPE_LOG_COLUMNS_H
#define MALLOSCOPE_LOG_COLUMNS_H

#include "analyze/log/places.h"
#include "format/layout.h"

#include <stddef.h>

enum column {
    COLUMN_OPERATION,
    COLUMN_STAMP,           /* four: of allocations, of frees; each after an allocation, after a free */
    COLUMN_STAMP_LOW = COLUMN_STAMP + 4,
    COLUMN_STAMP_LONG,
    COLUMN_ALLOCATION_PLACE,
    COLUMN_FREE_PLACE,
    COLUMN_ADDRESS,         /* four planes: bytes 0, 1, 2 of a difference; the others */
    COLUMN_SIZE = COLUMN_ADDRESS + 4, /* three planes: bytes 0, 1; the others */
    COLUMN_STACK = COLUMN_SIZE + 3,
    COLUMN_OTHER,
    COLUMN_TAIL,
};
_Static_assert(COLUMN_TAIL + 1 == REC_COLUMNS, "columns");

struct columns {
    struct { uint8_t *start, *at, *end; } column[REC_COLUMNS]; /* at: splitting: the end so far; joining: what is next */
    struct places places;
};

/* Bytes of room that splitting such a payload takes, and the most that its columns have together. */
size_t columns_room(size_t payload_bytes);
size_t columns_most(size_t payload_bytes);

/* The bytes of `payload` into columns that lie in `room`, of columns_room(bytes). */
void columns_split(struct columns *c, const uint8_t *payload, size_t bytes, uint8_t *room);

/* Columns, whose starts and ends the caller has set, into exactly `bytes` of
 * payload, with COLUMNS_SLACK bytes of room behind them that may be overwritten.
 * False: the columns are damaged. */
#define COLUMNS_SLACK 64
bool columns_join(struct columns *c, uint8_t *payload, size_t bytes);

#endif
