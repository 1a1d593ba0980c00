#include "interpose/inside/cfi_bytes.h"

#include <stddef.h>

uint64_t cfi_take(struct cfi_bytes *s, unsigned bytes)
{
    uint64_t value = 0;

    if (s->bad || (size_t)(s->end - s->at) < bytes) {
        s->bad = true;
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)s->at[i] << 8 * i;
    s->at += bytes;
    return value;
}

int64_t cfi_take_signed(struct cfi_bytes *s, unsigned bytes)
{
    return (int64_t)(cfi_take(s, bytes) << (64 - 8 * bytes)) >> (64 - 8 * bytes);
}

/* Groups of 7 bits, the lowest first. *ret_above: the bits above them, all 1, if the
 * highest group is of a negative number. */
static uint64_t take_groups(struct cfi_bytes *s, uint64_t *ret_above)
{
    uint64_t value = 0, byte;
    unsigned shift = 0;

    do {
        byte = cfi_take(s, 1);
        if (shift < 64)
            value |= (byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    *ret_above = shift < 64 && byte & 0x40 ? ~0ull << shift : 0;
    return value;
}

uint64_t cfi_take_uleb(struct cfi_bytes *s)
{
    uint64_t above;

    return take_groups(s, &above);
}

int64_t cfi_take_sleb(struct cfi_bytes *s)
{
    uint64_t above, value = take_groups(s, &above);

    value |= above;
    return (int64_t)value;
}

struct cfi_bytes cfi_take_bytes(struct cfi_bytes *s, uint64_t bytes)
{
    struct cfi_bytes part = { s->at, s->at, s->bad };

    if (s->bad || bytes > (uint64_t)(s->end - s->at)) {
        s->bad = part.bad = true;
        return part;
    }
    part.end = s->at += bytes;
    return part;
}

uint64_t cfi_take_encoded(struct cfi_bytes *s, unsigned encoding, const uint8_t *header)
{
    const uint8_t *place = s->at;
    uint64_t value;

    if (encoding == CFI_ENCODED_ABSENT)
        return 0;
    switch (encoding & CFI_ENCODED_TYPE) {
    case 0x00: case 0x04: case 0x0c: value = cfi_take(s, 8); break;
    case 0x01: value = cfi_take_uleb(s); break;
    case 0x02: value = cfi_take(s, 2); break;
    case 0x03: value = cfi_take(s, 4); break;
    case 0x09: value = (uint64_t)cfi_take_sleb(s); break;
    case 0x0a: value = (uint64_t)cfi_take_signed(s, 2); break;
    case 0x0b: value = (uint64_t)cfi_take_signed(s, 4); break;
    default: s->bad = true; return 0;
    }
    switch (encoding & CFI_ENCODED_RELATION) {
    case 0: break;
    case CFI_ENCODED_PC_RELATIVE: value += (uint64_t)place; break;
    case CFI_ENCODED_HEADER_RELATIVE: value += (uint64_t)header; break;
    default: s->bad = true;
    }
    if (encoding & CFI_ENCODED_INDIRECT) /* only of personality routines, which are not looked at */
        s->bad = true;
    return value;
}
