/* Numbers out of unwind tables, never from behind their end. May run inside a traced
 * malloc. */
#ifndef MALLOSCOPE_INSIDE_CFI_BYTES_H
#define MALLOSCOPE_INSIDE_CFI_BYTES_H

#include <stdbool.h>
#include <stdint.h>

struct cfi_bytes {
    const uint8_t *at, *end;
    bool bad; /* something was asked for that is not there, or cannot be read; all further answers are 0 */
};

/* How an address is encoded: a byte in the tables. */
enum cfi_encoding {
    CFI_ENCODED_ABSENT = 0xff,
    CFI_ENCODED_TYPE = 0x0f,
    CFI_ENCODED_PC_RELATIVE = 0x10,
    CFI_ENCODED_HEADER_RELATIVE = 0x30,
    CFI_ENCODED_RELATION = 0x70,
    CFI_ENCODED_INDIRECT = 0x80,
    CFI_ENCODED_TABLE = 0x3b, /* 4 signed bytes, relative to the header: the only one that linkers make */
};

/* Sums and products of what tables say are modulo 2^64. */
static inline int64_t cfi_plus(int64_t a, uint64_t b)
{
    return (int64_t)((uint64_t)a + b);
}

static inline int64_t cfi_times(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

uint64_t cfi_take(struct cfi_bytes *s, unsigned bytes);
int64_t cfi_take_signed(struct cfi_bytes *s, unsigned bytes);
uint64_t cfi_take_uleb(struct cfi_bytes *s);
int64_t cfi_take_sleb(struct cfi_bytes *s);

/* So many bytes by themselves. */
struct cfi_bytes cfi_take_bytes(struct cfi_bytes *s, uint64_t bytes);

/* An address as the tables encode it; 0 where there is none. header: .eh_frame_hdr,
 * which some are relative to. */
uint64_t cfi_take_encoded(struct cfi_bytes *s, unsigned encoding, const uint8_t *header);

#endif
