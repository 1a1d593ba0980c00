/* Columns -> records. */
#include "analyze/log/columns_inside.h"

#include "format/encode.h"

#include <string.h>

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

static bool take_difference(struct columns *c, unsigned place, unsigned difference, uint64_t base, uint64_t *ret_address)
{
    uint64_t folded;

    if (place - difference >= 8 || !take_planes(c, COLUMN_ADDRESS, 4, place - difference + 1, &folded))
        return false;
    *ret_address = base + rec_unfold_address(folded);
    return true;
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
