#include "analyze/symbols/line_program.h"

#include <dwarf.h>
#include <stdbool.h>
#include <string.h>

struct reader {
    uint8_t *at, *end;
};

/* A number of 1 to 8 bytes, as this machine orders them. */
static uint64_t take(struct reader *r, size_t bytes)
{
    uint64_t number = 0;

    if ((size_t)(r->end - r->at) < bytes || bytes > sizeof number) {
        r->at = r->end;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        number |= (uint64_t)r->at[i] << 8 * i;
    r->at += bytes;
    return number;
}

static uint64_t take_uleb(struct reader *r)
{
    uint64_t number = 0;
    unsigned shift = 0;

    while (r->at < r->end) {
        uint8_t byte = *r->at++;
        if (shift < 64)
            number |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if (!(byte & 0x80))
            break;
    }
    return number;
}

/* From here on r is the program's operations. */
static const uint8_t *take_header(struct reader *r, uint8_t *ret_opcode_base)
{
    uint64_t length = take(r, 4);
    size_t offset_bytes = length == UINT32_MAX ? 8 : 4;

    if (offset_bytes == 8)
        length = take(r, 8);
    if (length > (size_t)(r->end - r->at))
        return NULL;
    r->end = r->at + length;
    uint64_t version = take(r, 2);
    if (version < 2 || version > 5)
        return NULL;
    if (version == 5)
        take(r, 2); /* bytes of an address, of a segment */
    uint64_t header_bytes = take(r, offset_bytes);
    if (header_bytes > (size_t)(r->end - r->at))
        return NULL;
    uint8_t *program = r->at + header_bytes;
    take(r, version >= 4 ? 5 : 4);
    *ret_opcode_base = (uint8_t)take(r, 1);
    const uint8_t *operands = r->at; /* how many each standard operation has */
    if (!*ret_opcode_base || operands + *ret_opcode_base - 1 > program)
        return NULL;
    r->at = program;
    return operands;
}

void line_program_clean(uint8_t *lines, size_t bytes, uint64_t offset, const struct code_starts *starts)
{
    struct reader r = { lines + (offset < bytes ? offset : bytes), lines + bytes };
    bool begins = true, discarded = false;
    uint8_t opcode_base;
    const uint8_t *operands = take_header(&r, &opcode_base);

    while (operands && r.at < r.end) {
        uint8_t operation = *r.at++;
        if (operation >= opcode_base)
            continue;
        if (operation) {
            if (operation == DW_LNS_fixed_advance_pc)
                take(&r, 2);
            else
                for (uint8_t i = 0; i < operands[operation - 1]; i++)
                    take_uleb(&r);
            continue;
        }
        uint64_t length = take_uleb(&r);
        if (!length || length > (size_t)(r.end - r.at))
            return;
        uint8_t *extended = r.at;
        r.at += length;
        if (*extended == DW_LNE_end_sequence) {
            begins = true;
            discarded = false;
        } else if (*extended == DW_LNE_set_address && length - 1 <= sizeof(uint64_t)) {
            struct reader address = { extended + 1, r.at };
            if (begins)
                discarded = code_starts_at(starts, take(&address, length - 1)) != CODE_HERE;
            begins = false;
            if (discarded) { /* not to the very end: a row's address must not come round to 0 */
                memset(extended + 1, 0, length - 1);
                r.at[-1] = 0x80;
            }
        }
    }
}
