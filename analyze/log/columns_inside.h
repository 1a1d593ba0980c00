/* What the files of columns.h share: how a column says what the next record is, and how
 * far a field reaches. */
#ifndef MALLOSCOPE_LOG_COLUMNS_INSIDE_H
#define MALLOSCOPE_LOG_COLUMNS_INSIDE_H

#include "analyze/log/columns.h"

/* An operation is an allocation's second byte, whose upper bits are then no more
 * than REC_ALLOC_ALIGNED; or, for the other kinds: */
#define OPERATION_KIND 0xE0u /* + rec_kind */

#define STAMP_SHORT 224u /* smaller stamps are one byte */
#define STAMP_LONG 255u  /* a varint in its own column */

/* A record of kind 3, by its tag, that addresses begin anew behind. */
static inline void pass_other(struct places *places, unsigned tag)
{
    if (tag >> 2 == REC_CHUNK_BEGIN)
        places->last = 0;
}

static inline bool take(struct columns *c, unsigned column, unsigned *ret_byte)
{
    if (c->column[column].at >= c->column[column].end)
        return false;
    *ret_byte = *c->column[column].at++;
    return true;
}

static inline bool take_planes(struct columns *c, unsigned column, unsigned planes, unsigned bytes, uint64_t *ret_value)
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

/* The end of a varint; NULL: not before `end`. */
static inline const uint8_t *skip_varint(const uint8_t *at, const uint8_t *end, uint64_t *ret_value)
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

static inline bool take_stamp(struct columns *c, unsigned column, uint64_t *ret_stamp)
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

/* An address that no place stands for. */
static inline bool take_difference(struct columns *c, unsigned place, unsigned difference, uint64_t base, uint64_t *ret_address)
{
    uint64_t folded;

    if (place - difference >= 8 || !take_planes(c, COLUMN_ADDRESS, 4, place - difference + 1, &folded))
        return false;
    *ret_address = base + rec_unfold_address(folded);
    return true;
}

/* Stamp and address of a free or a realloc's begin. False: the columns are damaged. */
static inline bool take_free(struct columns *c, uint64_t *ret_stamp, uint64_t *ret_address)
{
    unsigned place;

    if (!take_stamp(c, COLUMN_STAMP + 1, ret_stamp) || !take(c, COLUMN_FREE_PLACE, &place))
        return false;
    if (!places_free_at(&c->places, place, ret_address) &&
        !take_difference(c, place, PLACE_FREE_DIFFERENCE, c->places.last, ret_address))
        return false;
    places_freed(&c->places, place, *ret_address);
    return true;
}

/* The same of an allocation, and its size. What else it has is next in the columns of others and of stacks. */
static inline bool take_allocation(struct columns *c, unsigned operation, uint64_t *ret_stamp, uint64_t *ret_address,
                                   uint64_t *ret_size)
{
    unsigned place;

    if (!take_stamp(c, COLUMN_STAMP, ret_stamp) ||
        !take_planes(c, COLUMN_SIZE, 3, (operation & 7) + 1, ret_size) || !take(c, COLUMN_ALLOCATION_PLACE, &place))
        return false;
    uint32_t size_class = places_class(*ret_size);
    if (!places_allocation_at(&c->places, size_class, place, ret_address) &&
        !take_difference(c, place, PLACE_DIFFERENCE, places_base(&c->places, size_class), ret_address))
        return false;
    places_allocated(&c->places, size_class, place, *ret_size, *ret_address);
    return true;
}

/* The end of a text, of a stack as `mode` gives it; NULL: not before `end`. */
static inline const uint8_t *skip_other(const uint8_t *at, const uint8_t *end)
{
    uint64_t bytes;

    at = skip_varint(at, end, &bytes);
    return at && bytes <= (uint64_t)(end - at) ? at + bytes : NULL;
}

static inline const uint8_t *skip_stack(const uint8_t *at, const uint8_t *end, unsigned mode)
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

static inline const uint8_t *skip_alignment(const uint8_t *at, const uint8_t *end)
{
    uint64_t ignored;
    return at < end ? skip_varint(at + 1, end, &ignored) : NULL;
}

#endif
