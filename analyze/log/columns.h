/* A chunk's payload as columns: bytes of one meaning side by side, which zstd
 * packs far better than records, and addresses as guesses (places.h). One to one:
 * joining gives the very bytes back, whatever they were. docs/format.md says how.
 *
 * Pure: memory is the caller's. Joining believes nothing. */
#ifndef MALLOSCOPE_LOG_COLUMNS_H
#define MALLOSCOPE_LOG_COLUMNS_H

#include "analyze/log/places.h"
#include "format/decode.h"
#include "format/layout.h"
#include "format/record.h"

#include <stddef.h>

enum column {
    COLUMN_OPERATION,
    COLUMN_SIZE,            /* three planes: bytes 0, 1; the others */
    COLUMN_OTHER = COLUMN_SIZE + 3,
    COLUMN_STACK,
    COLUMN_STAMP,           /* two: of allocations, of frees */
    COLUMN_STAMP_LOW = COLUMN_STAMP + 2,
    COLUMN_STAMP_LONG,
    COLUMN_ALLOCATION_PLACE,
    COLUMN_FREE_PLACE,
    COLUMN_ADDRESS,         /* four planes: bytes 0, 1, 2 of a difference; the others */
    COLUMN_TAIL = COLUMN_ADDRESS + 4,
};
_Static_assert(COLUMN_TAIL + 1 == REC_COLUMNS, "columns");
#define COLUMNS_FOR_SIZES COLUMN_STAMP /* the first columns, which columns_sizes() needs */

struct columns {
    struct { uint8_t *start, *at, *end; } column[REC_COLUMNS]; /* at: splitting: the end so far; joining: what is next */
    uint64_t skew;   /* columns_next(): what an address is more than its place says: the columns do not count free-by records */
    union {
        struct places places;
        uint8_t flags_of[REC_STACK_NUMBERS]; /* columns_sizes(): of the numbered stacks */
    };
};

/* Bytes of room that splitting such a payload takes, and the most that its columns have together. */
size_t columns_room(size_t payload_bytes);
size_t columns_most(size_t payload_bytes);

#define COLUMNS_SLACK 64

/* The bytes of `payload`, behind which COLUMNS_SLACK more can be read, into columns that lie in `room`. They are `count` parts,
 * with these ends, that were chunks of their own; each but the first begins with a chunk-begin record. What the decoder would not
 * accept in one of them is in the tail, with all that follows. room_bytes: columns_room() of the last end, or more; if it always is
 * the same, columns begin at the same places, and no more memory is touched. */
void columns_split(struct columns *c, const uint8_t *payload, const size_t *part_ends, unsigned count, uint8_t *room, size_t room_bytes);

/* Columns, whose starts and ends the caller has set, into exactly `bytes` of
 * payload, behind which COLUMNS_SLACK more may be overwritten. False: the columns
 * are damaged. */
bool columns_join(struct columns *c, uint8_t *payload, size_t bytes);

/* For who wants events and no records (columns_events.c): columns whose starts and ends are set, from their beginning. */
void columns_begin(struct columns *c);

/* As decoding_next(), of the same payload, whose decoding `d` has begun; but that its start, at and end are the columns', and
 * there must be room for a depth. What an event points to is in the columns. */
int columns_next(struct columns *c, struct decoding *d, struct event *ret_event);

/* The next one is the end, unless it is damage. */
static inline bool columns_are_used(const struct columns *c)
{
    return c->column[COLUMN_OPERATION].at == c->column[COLUMN_OPERATION].end && c->column[COLUMN_TAIL].at == c->column[COLUMN_TAIL].end;
}

/* What a reader of sizes wants: add() is called for each allocation, in their order, with
 * its size and its stack's flags. */
typedef void columns_add(void *data, uint64_t size, unsigned stack_flags);

/* chunks: of so many these are. The rest is not looked at. *ret_events: allocations and frees. The tail must be empty. 0;
 * -EBADMSG: the columns are damaged; -EAGAIN: there are records that a reader of
 * sizes may want (of processes, marks, ...), and add() has not been called. */
int columns_sizes(struct columns *c, uint32_t chunks, columns_add *add, void *data, uint64_t *ret_events);

#endif
