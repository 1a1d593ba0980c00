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

/* The end of a varint, of a text, of a stack as `mode` gives it; NULL: not before `end`. */
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
