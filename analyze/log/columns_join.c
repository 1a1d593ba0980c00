/* Columns -> records. */
#include "analyze/log/columns_inside.h"

#include "format/encode.h"

#include <string.h>

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

static uint8_t *join_free(struct columns *c, unsigned kind, uint8_t *to)
{
    uint64_t stamp, address, before = c->places.last;

    if (!take_free(c, &stamp, &address))
        return NULL;
    uint64_t folded = rec_fold_address(address - before);
    unsigned bytes = encode_bytes_of(stamp), address_bytes = encode_bytes_of(folded);
    *to = (uint8_t)(kind | (bytes - 1) << 2 | (address_bytes - 1) << 5);
    encode_store(to + 1, stamp);
    encode_store(to + 1 + bytes, folded);
    return to + 1 + bytes + address_bytes;
}

static uint8_t *join_allocation(struct columns *c, unsigned operation, uint8_t *to, const uint8_t *end)
{
    unsigned size_bytes = (operation & 7) + 1, mode = operation >> 3 & 3;
    uint64_t stamp, size, address, before = c->places.last;

    if (!take_allocation(c, operation, &stamp, &address, &size))
        return NULL;
    uint64_t folded = rec_fold_address(address - before);
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
    unsigned operation;

    columns_begin(c);
    while (take(c, COLUMN_OPERATION, &operation)) {
        if (operation < OPERATION_KIND) {
            to = join_allocation(c, operation, to, end);
        } else if (operation == OPERATION_KIND + REC_FREE || operation == OPERATION_KIND + REC_REALLOC_BEGIN) {
            to = join_free(c, operation - OPERATION_KIND, to);
        } else if (operation == OPERATION_KIND + REC_OTHER) {
            const uint8_t *at = c->column[COLUMN_OTHER].at, *other_end = c->column[COLUMN_OTHER].end;
            if (at < other_end)
                pass_other(&c->places, *at);
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
