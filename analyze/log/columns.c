/* Records <-> columns. A record that the encoder would not have written so (damage,
 * or a later version's) ends the splitting: from there on the payload is kept as it is. */
#include "analyze/log/columns.h"

#include "format/encode.h"
#include "format/record.h"

#include <errno.h>
#include <string.h>

/* An operation is an allocation's second byte, whose upper bits are then no more
 * than REC_ALLOC_ALIGNED; or, for the other kinds: */
#define OPERATION_KIND 0xE0u /* + rec_kind */

#define STAMP_SHORT 224u /* smaller stamps are one byte */
#define STAMP_LONG 255u  /* a varint in its own column */

static void put(struct columns *c, unsigned column, uint64_t byte)
{
    *c->column[column].at++ = (uint8_t)byte;
}

static void put_bytes(struct columns *c, unsigned column, const uint8_t *bytes, size_t count)
{
    memcpy(c->column[column].at, bytes, count);
    c->column[column].at += count;
}

/* Byte n of a number goes to plane n, or to the last of the planes. */
static void put_planes(struct columns *c, unsigned column, unsigned planes, uint64_t value, unsigned bytes)
{
    for (unsigned n = 0; n < bytes; n++)
        put(c, column + (n < planes ? n : planes - 1), value >> 8 * n);
}

static bool take(struct columns *c, unsigned column, unsigned *ret_byte)
{
    if (c->column[column].at >= c->column[column].end)
        return false;
    *ret_byte = *c->column[column].at++;
    return true;
}

static bool take_planes(struct columns *c, unsigned column, unsigned planes, unsigned bytes, uint64_t *ret_value)
{
    uint64_t value = 0;
    unsigned byte;

    for (unsigned n = 0; n < bytes; n++) {
        if (!take(c, column + (n < planes ? n : planes - 1), &byte))
            return false;
        value |= (uint64_t)byte << 8 * n;
    }
    *ret_value = value;
    return true;
}

/* The end of a varint, of a text, of a stack as `mode` gives it; NULL: not before `end`. */
static const uint8_t *skip_varint(const uint8_t *at, const uint8_t *end, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && at < end; shift += 7) {
        value |= (uint64_t)(*at & 0x7f) << shift;
        if (!(*at++ & 0x80)) {
            *ret_value = value;
            return at;
        }
    }
    return NULL;
}

static const uint8_t *skip_other(const uint8_t *at, const uint8_t *end)
{
    uint64_t bytes;

    at = skip_varint(at, end, &bytes);
    return at && bytes <= (uint64_t)(end - at) ? at + bytes : NULL;
}

static const uint8_t *skip_stack(const uint8_t *at, const uint8_t *end, unsigned mode)
{
    uint64_t count = 0, ignored;
    size_t bytes = mode == REC_STACK_AGAIN ? 2 : 0;

    if (mode == REC_STACK_LONG) {
        for (unsigned i = 0; at && i < 3; i++) /* flags, pops, pushes */
            at = skip_varint(at, end, &count);
        for (; at && count; count--)
            at = skip_varint(at, end, &ignored);
        return at;
    }
    if (mode == REC_STACK_SHORT) {
        if (at == end)
            return NULL;
        bytes = 1 + 2 * (*at & 15u);
    }
    return bytes <= (size_t)(end - at) ? at + bytes : NULL;
}

static const uint8_t *skip_alignment(const uint8_t *at, const uint8_t *end)
{
    uint64_t ignored;
    return at < end ? skip_varint(at + 1, end, &ignored) : NULL;
}

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

static bool take_stamp(struct columns *c, unsigned column, uint64_t *ret_stamp)
{
    unsigned first, low;

    if (!take(c, column, &first))
        return false;
    *ret_stamp = first;
    if (first == STAMP_LONG) {
        const uint8_t *at = c->column[COLUMN_STAMP_LONG].at;
        at = skip_varint(at, c->column[COLUMN_STAMP_LONG].end, ret_stamp);
        if (!at)
            return false;
        c->column[COLUMN_STAMP_LONG].at = (uint8_t *)at;
    } else if (first >= STAMP_SHORT) {
        if (!take(c, COLUMN_STAMP_LOW, &low))
            return false;
        *ret_stamp = (uint64_t)(first - STAMP_SHORT) << 8 | low;
    }
    return true;
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

static bool take_difference(struct columns *c, unsigned place, unsigned difference, uint64_t base, uint64_t *ret_address)
{
    uint64_t folded;

    if (place - difference >= 8 || !take_planes(c, COLUMN_ADDRESS, 4, place - difference + 1, &folded))
        return false;
    *ret_address = base + rec_unfold_address(folded);
    return true;
}

static uint64_t load(const uint8_t *at, unsigned bytes)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
    return value & ~0ull >> (64 - 8 * bytes);
}

/* One record. False: not as the encoder writes it. */
static bool split_record(struct columns *c, const uint8_t **at, const uint8_t *end, bool *after_free)
{
    const uint8_t *record = *at, *next;
    unsigned tag = *record, kind = tag & 3, bytes = (tag >> 2 & 7) + 1, address_bytes = (tag >> 5) + 1;

    if (kind == REC_OTHER) {
        next = skip_other(record + 1, end);
        if (!next)
            return false;
        put(c, COLUMN_OPERATION, OPERATION_KIND + kind);
        put_bytes(c, COLUMN_OTHER, record, (size_t)(next - record));
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
        put_stamp(c, COLUMN_STAMP + 2 + *after_free, stamp);
        put_place(c, COLUMN_FREE_PLACE, places_of_free(&c->places, address), PLACE_FREE_DIFFERENCE, folded);
        places_freed(&c->places, address);
        *after_free = true;
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
    put_stamp(c, COLUMN_STAMP + *after_free, stamp);
    put_planes(c, COLUMN_SIZE, 3, size, size_bytes);
    put_bytes(c, COLUMN_OTHER, field, (size_t)(stack - field));
    put_bytes(c, COLUMN_STACK, stack, (size_t)(next - stack));
    uint32_t size_class = places_class(size);
    unsigned place = places_of_allocation(&c->places, size_class, address);
    place = put_place(c, COLUMN_ALLOCATION_PLACE, place, PLACE_DIFFERENCE,
                      rec_fold_address(address - places_base(&c->places, size_class)));
    places_allocated(&c->places, size_class, place, size, address);
    *after_free = false;
    *at = next;
    return true;
}

void columns_split(struct columns *c, const uint8_t *payload, size_t bytes, uint8_t *room)
{
    const uint8_t *at = payload, *end = payload + bytes;
    bool after_free = false;

    for (unsigned i = 0; i < REC_COLUMNS; i++)
        c->column[i].start = c->column[i].at = room + i * (2 * bytes + 64);
    places_begin(&c->places);
    while (at < end && !rec_is_hole(at, end) && split_record(c, &at, end, &after_free))
        ;
    put_bytes(c, COLUMN_TAIL, at, (size_t)(end - at));
    for (unsigned i = 0; i < REC_COLUMNS; i++)
        c->column[i].end = c->column[i].at;
}

/* The next bytes of a column, as many as skip() says, to `to`. NULL: there is no room. */
static uint8_t *join_bytes(struct columns *c, unsigned column, const uint8_t *next, uint8_t *to, const uint8_t *end)
{
    const uint8_t *from = c->column[column].at;

    if (!next || (size_t)(next - from) > (size_t)(end - to))
        return NULL;
    memcpy(to, from, (size_t)(next - from));
    c->column[column].at = (uint8_t *)next;
    return to + (next - from);
}

static uint8_t *join_free(struct columns *c, unsigned kind, bool *after_free, uint8_t *to)
{
    uint64_t stamp, address;
    unsigned place;

    if (!take_stamp(c, COLUMN_STAMP + 2 + *after_free, &stamp) || !take(c, COLUMN_FREE_PLACE, &place))
        return NULL;
    if (!places_free_at(&c->places, place, &address) &&
        !take_difference(c, place, PLACE_FREE_DIFFERENCE, c->places.last, &address))
        return NULL;
    uint64_t folded = rec_fold_address(address - c->places.last);
    unsigned bytes = encode_bytes_of(stamp), address_bytes = encode_bytes_of(folded);
    *to = (uint8_t)(kind | (bytes - 1) << 2 | (address_bytes - 1) << 5);
    encode_store(to + 1, stamp);
    encode_store(to + 1 + bytes, folded);
    places_freed(&c->places, address);
    *after_free = true;
    return to + 1 + bytes + address_bytes;
}

static uint8_t *join_allocation(struct columns *c, unsigned operation, bool *after_free, uint8_t *to, const uint8_t *end)
{
    unsigned size_bytes = (operation & 7) + 1, mode = operation >> 3 & 3, place;
    uint64_t stamp, size, address;

    if (!take_stamp(c, COLUMN_STAMP + *after_free, &stamp) ||
        !take_planes(c, COLUMN_SIZE, 3, size_bytes, &size) || !take(c, COLUMN_ALLOCATION_PLACE, &place))
        return NULL;
    uint32_t size_class = places_class(size);
    if (!places_allocation_at(&c->places, size_class, place, &address) &&
        !take_difference(c, place, PLACE_DIFFERENCE, places_base(&c->places, size_class), &address))
        return NULL;
    uint64_t folded = rec_fold_address(address - c->places.last);
    unsigned bytes = encode_bytes_of(stamp), address_bytes = encode_bytes_of(folded);
    to[0] = (uint8_t)(REC_ALLOC | (bytes - 1) << 2 | (address_bytes - 1) << 5);
    to[1] = (uint8_t)operation;
    to += 2;
    encode_store(to, stamp);
    to += bytes;
    encode_store(to, folded);
    to += address_bytes;
    encode_store(to, size);
    to += size_bytes;
    places_allocated(&c->places, size_class, place, size, address);
    *after_free = false;
    if (operation >> 5 == REC_ALLOC_ALIGNED && to <= end)
        to = join_bytes(c, COLUMN_OTHER, skip_alignment(c->column[COLUMN_OTHER].at, c->column[COLUMN_OTHER].end), to, end);
    if (!to || to > end)
        return NULL;
    return join_bytes(c, COLUMN_STACK, skip_stack(c->column[COLUMN_STACK].at, c->column[COLUMN_STACK].end, mode), to, end);
}

bool columns_join(struct columns *c, uint8_t *payload, size_t bytes)
{
    uint8_t *to = payload;
    const uint8_t *end = payload + bytes;
    bool after_free = false;
    unsigned operation;

    for (unsigned i = 0; i < REC_COLUMNS; i++)
        c->column[i].at = c->column[i].start;
    places_begin(&c->places);
    while (take(c, COLUMN_OPERATION, &operation)) {
        if (operation < OPERATION_KIND) {
            to = join_allocation(c, operation, &after_free, to, end);
        } else if (operation == OPERATION_KIND + REC_FREE || operation == OPERATION_KIND + REC_REALLOC_BEGIN) {
            to = join_free(c, operation - OPERATION_KIND, &after_free, to);
        } else if (operation == OPERATION_KIND + REC_OTHER) {
            const uint8_t *at = c->column[COLUMN_OTHER].at, *other_end = c->column[COLUMN_OTHER].end;
            to = join_bytes(c, COLUMN_OTHER, at < other_end ? skip_other(at + 1, other_end) : NULL, to, end);
        } else {
            return false;
        }
        if (!to || to > end)
            return false;
    }
    to = join_bytes(c, COLUMN_TAIL, c->column[COLUMN_TAIL].end, to, end);
    for (unsigned i = 0; i < REC_COLUMNS; i++)
        if (c->column[i].at != c->column[i].end)
            return false;
    return to == end;
}

/* Records of kind 3 that are nothing to a reader of sizes. */
static bool is_of_no_size(unsigned other)
{
    return other == REC_PC || other == REC_MODULE_LOAD || other == REC_MODULE_UNLOAD || other == REC_THREAD_BEGIN ||
           other == REC_THREAD_END || other == REC_THREAD_NAME || other == REC_ALLOC_FAILED ||
           other == REC_REALLOC_FAILED || other == REC_REALLOC_FREED || other == REC_FREE_BY;
}

/* Before any size is given out. */
static int look_at_operations(struct columns *c, uint64_t *ret_events)
{
    const uint8_t *other = c->column[COLUMN_OTHER].start, *end = c->column[COLUMN_OTHER].end;
    uint64_t events = 0, sizes_bytes = 0, sizes_there = 0;

    for (const uint8_t *at = c->column[COLUMN_OPERATION].start; at < c->column[COLUMN_OPERATION].end; at++) {
        events++;
        if (*at < OPERATION_KIND) {
            sizes_bytes += (*at & 7) + 1;
            if (*at >> 5 == REC_ALLOC_ALIGNED)
                other = skip_alignment(other, end);
        } else if (*at == OPERATION_KIND + REC_OTHER) {
            unsigned number = other < end ? *other >> 2 : 0;
            other = other < end ? skip_other(other + 1, end) : NULL;
            if (other && !is_of_no_size(number))
                return -EAGAIN;
            events -= number != REC_FREE_BY;
        }
        if (!other)
            return -EBADMSG;
    }
    for (unsigned i = 0; i < 3; i++)
        sizes_there += (uint64_t)(c->column[COLUMN_SIZE + i].end - c->column[COLUMN_SIZE + i].start);
    *ret_events = events;
    return other == end && sizes_bytes == sizes_there ? 0 : -EBADMSG;
}

/* The flags of the next stack, and what is kept of it. False: it is not there. */
static bool take_flags(struct columns *c, unsigned mode, uint32_t *stacks, uint8_t *flags)
{
    const uint8_t *at = c->column[COLUMN_STACK].at, *end = c->column[COLUMN_STACK].end;
    const uint8_t *next = skip_stack(at, end, mode);
    uint64_t given;

    if (!next)
        return false;
    c->column[COLUMN_STACK].at = (uint8_t *)next;
    if (mode == REC_STACK_AGAIN) {
        unsigned number = at[0] | (unsigned)at[1] << 8;
        if (number >= *stacks || number >= REC_STACK_NUMBERS)
            return false;
        *flags = c->flags_of[number];
    } else if (mode != REC_STACK_SAME) {
        if (mode == REC_STACK_LONG && skip_varint(at, end, &given))
            *flags = (uint8_t)given;
        if (*stacks < REC_STACK_NUMBERS)
            c->flags_of[*stacks] = *flags;
        ++*stacks;
    }
    return true;
}

int columns_sizes(struct columns *c, columns_add *add, void *data, uint64_t *ret_events)
{
    uint32_t stacks = 0;
    uint8_t flags = 0;
    uint64_t size;
    unsigned operation;
    int error = look_at_operations(c, ret_events);

    if (error)
        return error;
    for (unsigned i = 0; i < COLUMNS_FOR_SIZES; i++)
        c->column[i].at = c->column[i].start;
    while (take(c, COLUMN_OPERATION, &operation))
        if (operation < OPERATION_KIND) {
            if (!take_planes(c, COLUMN_SIZE, 3, (operation & 7) + 1, &size) ||
                !take_flags(c, operation >> 3 & 3, &stacks, &flags))
                return -EBADMSG;
            add(data, size, flags);
        }
    return 0;
}
