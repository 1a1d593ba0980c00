/* Records -> columns. A record that the encoder would not have written so (damage,
 * or a later version's) ends the splitting: from there on the payload is kept as it is. */
#include "analyze/log/columns_inside.h"

#include "format/encode.h"

#include <string.h>

size_t columns_room(size_t payload_bytes)
{
    return REC_COLUMNS * (2 * payload_bytes + 64);
}

/* An allocation of 5 bytes, stamp 224, can become 13: its address is 8 bytes from
 * its class's last one. Nothing grows by more. */
size_t columns_most(size_t payload_bytes)
{
    return 3 * payload_bytes;
}

static void put(struct columns *c, unsigned column, uint64_t byte)
{
    *c->column[column].at++ = (uint8_t)byte;
}

/* Mostly few: then a fixed number is copied, as there is slack behind both. */
static void put_bytes(struct columns *c, unsigned column, const uint8_t *bytes, size_t count)
{
    if (count <= 16)
        memcpy(c->column[column].at, bytes, 16);
    else
        memcpy(c->column[column].at, bytes, count);
    c->column[column].at += count;
}

/* Byte n of a number goes to plane n, or to the last of the planes. */
static void put_planes(struct columns *c, unsigned column, unsigned planes, uint64_t value, unsigned bytes)
{
    for (unsigned n = 0; n < bytes; n++)
        put(c, column + (n < planes ? n : planes - 1), value >> 8 * n);
}

static void put_stamp(struct columns *c, unsigned column, uint64_t stamp)
{
    if (stamp < STAMP_SHORT) {
        put(c, column, stamp);
    } else if (stamp >> 8 < STAMP_LONG - STAMP_SHORT) {
        put(c, column, STAMP_SHORT + (stamp >> 8));
        put(c, COLUMN_STAMP_LOW, stamp);
    } else {
        put(c, column, STAMP_LONG);
        c->column[COLUMN_STAMP_LONG].at = encode_varint(c->column[COLUMN_STAMP_LONG].at, stamp);
    }
}

static unsigned put_place(struct columns *c, unsigned column, unsigned place, unsigned difference, uint64_t folded)
{
    if (place == difference) {
        unsigned bytes = encode_bytes_of(folded);
        place += bytes - 1;
        put_planes(c, COLUMN_ADDRESS, 4, folded, bytes);
    }
    put(c, column, place);
    return place;
}

static uint64_t load(const uint8_t *at, unsigned bytes)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
    return value & ~0ull >> (64 - 8 * bytes);
}

/* One record. False: not as the encoder writes it. */
static bool split_record(struct columns *c, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *record = *at, *next;
    unsigned tag = *record, kind = tag & 3, bytes = (tag >> 2 & 7) + 1, address_bytes = (tag >> 5) + 1;

    if (kind == REC_OTHER) {
        next = skip_other(record + 1, end);
        if (!next)
            return false;
        put(c, COLUMN_OPERATION, OPERATION_KIND + kind);
        put_bytes(c, COLUMN_OTHER, record, (size_t)(next - record));
        pass_other(c, tag);
        *at = next;
        return true;
    }
    unsigned operation = kind == REC_ALLOC ? record[1] : OPERATION_KIND + kind;
    const uint8_t *field = record + 1 + (kind == REC_ALLOC);
    uint64_t stamp = load(field, bytes), folded = load(field + bytes, address_bytes);
    field += bytes + address_bytes;
    if (field > end || encode_bytes_of(stamp) != bytes || encode_bytes_of(folded) != address_bytes)
        return false;
    uint64_t address = c->places.last + rec_unfold_address(folded);

    if (kind != REC_ALLOC) {
        put(c, COLUMN_OPERATION, operation);
        put_stamp(c, COLUMN_STAMP + 1, stamp);
        unsigned place = places_of_free(&c->places, address);
        put_place(c, COLUMN_FREE_PLACE, place, PLACE_FREE_DIFFERENCE, folded);
        places_freed(&c->places, place, address);
        *at = field;
        return true;
    }
    unsigned size_bytes = (operation & 7) + 1, mode = operation >> 3 & 3, which = operation >> 5;
    uint64_t size = load(field, size_bytes);
    field += size_bytes;
    if (field > end)
        return false;
    const uint8_t *stack = which == REC_ALLOC_ALIGNED ? skip_alignment(field, end) : field;
    next = stack && which <= REC_ALLOC_ALIGNED ? skip_stack(stack, end, mode) : NULL;
    if (!next)
        return false;
    put(c, COLUMN_OPERATION, operation);
    put_stamp(c, COLUMN_STAMP, stamp);
    put_planes(c, COLUMN_SIZE, 3, size, size_bytes);
    put_bytes(c, COLUMN_OTHER, field, (size_t)(stack - field));
    put_bytes(c, COLUMN_STACK, stack, (size_t)(next - stack));
    uint32_t size_class = places_class(size);
    unsigned place = places_of_allocation(&c->places, size_class, address);
    place = put_place(c, COLUMN_ALLOCATION_PLACE, place, PLACE_DIFFERENCE,
                      rec_fold_address(address - places_base(&c->places, size_class)));
    places_allocated(&c->places, size_class, place, size, address);
    *at = next;
    return true;
}

void columns_split_parts(struct columns *c, const uint8_t *payload, const size_t *ends, unsigned count, uint8_t *room)
{
    const uint8_t *at = payload, *end = payload;
    const size_t bytes = ends[count - 1];

    for (unsigned i = 0; i < REC_COLUMNS; i++)
        c->column[i].start = c->column[i].at = room + i * (2 * bytes + 64);
    places_begin(&c->places);
    for (unsigned i = 0; i < count && at == end; i++) {
        end = payload + ends[i];
        while (at < end && !rec_is_hole(at, end) && split_record(c, &at, end))
            ;
    }
    put_bytes(c, COLUMN_TAIL, at, (size_t)(payload + bytes - at));
    for (unsigned i = 0; i < REC_COLUMNS; i++)
        c->column[i].end = c->column[i].at;
}

void columns_split(struct columns *c, const uint8_t *payload, size_t bytes, uint8_t *room)
{
    columns_split_parts(c, payload, &bytes, 1, room);
}
