/* Records -> columns. A record that the encoder would not have written so (damage,
 * or a later version's) ends the splitting: from there on the payload is kept as it is. */
#include "analyze/log/columns_inside.h"
#include "analyze/log/places_find.h"
#include "analyze/log/stack_depths.h"

#include "format/encode.h"

#include <string.h>

#define SLACK 64 /* behind each column: stores have fixed lengths */

/* Where the columns end so far: a local variable, which no store of a byte can change. From struct columns they
 * would be loaded again after each. */
struct ends {
    uint8_t *of[REC_COLUMNS];
};

size_t columns_room(size_t payload_bytes)
{
    return REC_COLUMNS * (2 * payload_bytes + SLACK);
}

/* An allocation of 5 bytes, stamp 224, can become 13: its address is 8 bytes from
 * its class's last one. Nothing grows by more. */
size_t columns_most(size_t payload_bytes)
{
    return 3 * payload_bytes;
}

static inline void put(struct ends *e, unsigned column, uint64_t byte)
{
    *e->of[column]++ = (uint8_t)byte;
}

/* Mostly few: then a fixed number is copied, as there is slack behind both. */
static inline void put_bytes(struct ends *e, unsigned column, const uint8_t *bytes, size_t count)
{
    if (count <= 32)
        memcpy(e->of[column], bytes, 32);
    else
        memcpy(e->of[column], bytes, count);
    e->of[column] += count;
}

/* Byte n of a number goes to plane n, or, with the others, to the last of the planes. */
static inline void put_rest(struct ends *e, unsigned column, uint64_t value, unsigned bytes)
{
    encode_store(e->of[column], value);
    e->of[column] += bytes;
}

static inline void put_size(struct ends *e, uint64_t size, unsigned width)
{
    put(e, COLUMN_SIZE, size);
    if (width) {
        put(e, COLUMN_SIZE + 1, size >> 8);
        put_rest(e, COLUMN_SIZE + 2, size >> 16, width - 1);
    }
}

static inline void put_difference(struct ends *e, uint64_t folded, unsigned bytes)
{
    put(e, COLUMN_ADDRESS, folded);
    put_rest(e, COLUMN_ADDRESS + 1, folded >> 8, bytes > 1);
    put_rest(e, COLUMN_ADDRESS + 2, folded >> 16, bytes > 2);
    if (bytes > 3)
        put_rest(e, COLUMN_ADDRESS + 3, folded >> 24, bytes - 3);
}

static inline void put_stamp(struct ends *e, unsigned column, uint64_t stamp)
{
    if (stamp < STAMP_SHORT) {
        put(e, column, stamp);
    } else if (stamp >> 8 < STAMP_LONG - STAMP_SHORT) {
        put(e, column, STAMP_SHORT + (stamp >> 8));
        put(e, COLUMN_STAMP_LOW, stamp);
    } else {
        put(e, column, STAMP_LONG);
        e->of[COLUMN_STAMP_LONG] = encode_varint(e->of[COLUMN_STAMP_LONG], stamp);
    }
}

static inline unsigned put_place(struct ends *e, unsigned column, unsigned place, unsigned difference, uint64_t folded)
{
    if (place == difference) {
        unsigned bytes = encode_bytes_of(folded);
        place += bytes - 1;
        put_difference(e, folded, bytes);
    }
    put(e, column, place);
    return place;
}

/* A number of width + 1 bytes, moving *at behind it. False: it would take fewer. */
static inline bool load(const uint8_t **at, unsigned width, uint64_t *ret_value)
{
    static const uint64_t least[8] = { 0, 1ull << 8, 1ull << 16, 1ull << 24, 1ull << 32, 1ull << 40, 1ull << 48, 1ull << 56 };
    static const uint64_t most[8] = { ~0ull >> 56, ~0ull >> 48, ~0ull >> 40, ~0ull >> 32, ~0ull >> 24, ~0ull >> 16, ~0ull >> 8, ~0ull };
    uint64_t value;

    memcpy(&value, *at, sizeof value);
    value &= most[width];
    *at += width + 1;
    *ret_value = value;
    return value >= least[width];
}

/* What has been split so far. */
struct seen {
    struct places_find find;
    struct stack_depths stacks;
    uint32_t begins; /* 1: a part's first record, which says that a chunk begins, is next */
};

/* A record of kind 3, rare. What comes behind one that cannot must not become part of its chunk. */
static bool can_be_decoded(const uint8_t *record, const uint8_t *end, uint32_t begins)
{
    struct decoding d = { .start = record, .at = record, .end = end, .begins = begins };
    struct event event;

    return decoding_next(&d, &event) > 0;
}

/* One record; its end. NULL: not as the encoder writes it. */
static inline const uint8_t *split_record(struct ends *e, struct places *places, struct seen *seen, const uint8_t *record, const uint8_t *end)
{
    unsigned tag = *record, kind = tag & 3;
    const uint8_t *field = record + 1, *next;
    uint64_t stamp, folded, size;

    if (kind == REC_OTHER) {
        next = skip_other(field, end);
        if (!next || !can_be_decoded(record, next, seen->begins))
            return NULL;
        put(e, COLUMN_OPERATION, OPERATION_KIND + kind);
        put_bytes(e, COLUMN_OTHER, record, (size_t)(next - record));
        pass_other(places, tag);
        if (tag >> 2 == REC_CHUNK_BEGIN) {
            stack_depths_begin(&seen->stacks);
            seen->begins = 0;
        }
        return next;
    }
    unsigned operation = *field;
    field += kind == REC_ALLOC;
    if (!load(&field, tag >> 2 & 7, &stamp) || !load(&field, tag >> 5, &folded))
        return NULL;
    uint64_t address = places->last + rec_unfold_address(folded);

    if (kind != REC_ALLOC) {
        if (field > end)
            return NULL;
        put(e, COLUMN_OPERATION, OPERATION_KIND + kind);
        put_stamp(e, COLUMN_STAMP + 1, stamp);
        unsigned place = places_of_free(places, address);
        put_place(e, COLUMN_FREE_PLACE, place, PLACE_FREE_DIFFERENCE, folded);
        places_find_freed(&seen->find, places, place, address);
        return field;
    }
    unsigned width = operation & 7, mode = operation >> 3 & 3, which = operation >> 5;
    load(&field, width, &size);
    if (field > end)
        return NULL;
    const uint8_t *stack = which == REC_ALLOC_ALIGNED ? skip_alignment(field, end) : field;
    if (!stack || which > REC_ALLOC_ALIGNED || (stack != field && *field >= REC_FN_COUNT))
        return NULL;
    next = stack_depths_follow(&seen->stacks, stack, end, mode);
    if (!next)
        return NULL;
    put(e, COLUMN_OPERATION, operation);
    put_stamp(e, COLUMN_STAMP, stamp);
    put_size(e, size, width);
    if (stack != field)
        put_bytes(e, COLUMN_OTHER, field, (size_t)(stack - field));
    put_bytes(e, COLUMN_STACK, stack, (size_t)(next - stack));
    uint32_t size_class = places_class(size);
    unsigned place = places_of_allocation(&seen->find, places, size_class, address);
    place = put_place(e, COLUMN_ALLOCATION_PLACE, place, PLACE_DIFFERENCE,
                      rec_fold_address(address - places_base(places, size_class)));
    places_find_allocated(&seen->find, places, size_class, place, size, address);
    return next;
}

void columns_split(struct columns *c, const uint8_t *payload, const size_t *part_ends, unsigned count, uint8_t *room, size_t room_bytes)
{
    const uint8_t *at = payload, *next = payload, *end = payload;
    const size_t bytes = part_ends[count - 1];
    struct seen seen = { .begins = 0 };
    struct ends e;

    for (unsigned i = 0; i < REC_COLUMNS; i++)
        c->column[i].start = e.of[i] = room + i * (room_bytes / REC_COLUMNS);
    places_begin(&c->places);
    for (unsigned i = 0; i < count && at == end; i++) {
        end = payload + part_ends[i];
        seen.begins = i > 0;
        while (at < end && !rec_is_hole(at, end) && (next = split_record(&e, &c->places, &seen, at, end)))
            at = next;
    }
    put_bytes(&e, COLUMN_TAIL, at, (size_t)(payload + bytes - at));
    for (unsigned i = 0; i < REC_COLUMNS; i++)
        c->column[i].end = c->column[i].at = e.of[i];
}
