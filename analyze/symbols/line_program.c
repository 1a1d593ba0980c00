#include "analyze/symbols/line_program.h"

#include <dwarf.h>
#include <stdbool.h>
#include <string.h>

#define COLUMN_MAX UINT16_MAX /* as libdw has it */

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

static int64_t take_sleb(struct reader *r)
{
    const uint8_t *begin = r->at;
    uint64_t number = take_uleb(r);
    size_t bits = 7 * (size_t)(r->at - begin);

    if (r->at > begin && r->at[-1] & 0x40 && bits < 64)
        number |= ~0ull << bits;
    return (int64_t)number;
}

struct header {
    const uint8_t *operands; /* how many each standard operation has */
    uint8_t opcode_base, line_range, instruction_bytes, operations; /* most of them in an instruction */
    int8_t line_base;
    bool is_wide;
};

/* From here on r is the program's operations. */
static bool take_header(struct reader *r, struct header *ret)
{
    uint64_t length = take(r, 4);
    size_t offset_bytes = length == UINT32_MAX ? 8 : 4;

    if (offset_bytes == 8)
        length = take(r, 8);
    if (length > (size_t)(r->end - r->at))
        return false;
    r->end = r->at + length;
    uint64_t version = take(r, 2);
    if (version < 2 || version > 5)
        return false;
    if (version == 5)
        take(r, 2); /* bytes of an address, of a segment */
    uint64_t header_bytes = take(r, offset_bytes);
    if (header_bytes > (size_t)(r->end - r->at))
        return false;
    uint8_t *program = r->at + header_bytes;
    ret->is_wide = offset_bytes == 8;
    ret->instruction_bytes = (uint8_t)take(r, 1);
    ret->operations = version >= 4 ? (uint8_t)take(r, 1) : 1;
    take(r, 1); /* whether what comes first is a statement */
    ret->line_base = (int8_t)take(r, 1);
    ret->line_range = (uint8_t)take(r, 1);
    ret->opcode_base = (uint8_t)take(r, 1);
    ret->operands = r->at;
    if (!ret->opcode_base || !ret->operations || ret->operands + ret->opcode_base - 1 > program)
        return false;
    r->at = program;
    return true;
}

struct machine {
    const struct header *header;
    struct line_place *places;
    size_t count, next; /* those before are done with, in this sequence */
    uint64_t address, operation; /* the registers, these and now's */
    struct line_place now, row; /* row: the last one, if there is one */
    bool has_row, begins, discarded;
};

static void advance(struct machine *m, uint64_t operations)
{
    operations += m->operation;
    m->address += m->header->instruction_bytes * (operations / m->header->operations);
    m->operation = operations % m->header->operations;
}

static size_t first_from(const struct machine *m, uint64_t address)
{
    size_t low = 0, high = m->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (m->places[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The last row is of what is before the address that the next one has. What is in two sequences is where the nearer row is. */
static void end_row(struct machine *m)
{
    if (m->has_row && m->address < m->row.row)
        m->next = first_from(m, m->address);
    for (; m->next < m->count && m->places[m->next].address < m->address; m->next++) {
        struct line_place *p = &m->places[m->next];
        if (!m->has_row || m->discarded || (p->found && p->row > m->row.row))
            continue;
        m->row.address = p->address;
        *p = m->row;
    }
}

/* False: no source has such lines. */
static bool add_row(struct machine *m)
{
    end_row(m);
    m->row = m->now;
    m->row.row = m->address;
    m->row.found = m->has_row = true;
    return m->now.column <= COLUMN_MAX && m->now.line <= INT32_MAX;
}

static void begin_sequence(struct machine *m)
{
    m->now = (struct line_place){ .file = 1, .line = 1 };
    m->address = m->operation = m->next = 0;
    m->has_row = m->discarded = false;
    m->begins = true;
}

static bool run_extended(struct machine *m, struct reader *r, const struct code_starts *starts)
{
    uint64_t length = take_uleb(r);

    if (!length || length > (size_t)(r->end - r->at))
        return false;
    struct reader operand = { r->at + 1, r->at + length };
    uint8_t operation = *r->at;
    r->at += length;
    if (operation == DW_LNE_end_sequence) {
        end_row(m);
        begin_sequence(m);
    } else if (operation == DW_LNE_set_address) {
        if (length - 1 != sizeof(uint64_t) && length - 1 != sizeof(uint32_t))
            return false;
        m->address = take(&operand, length - 1);
        m->operation = 0;
        if (m->begins) {
            m->discarded = code_starts_at(starts, m->address) != CODE_HERE;
            m->next = first_from(m, m->address);
        }
        m->begins = false;
    } else if (operation == DW_LNE_set_discriminator && r->at[-1] & 0x80) {
        return false; /* a number that does not end */
    }
    return true;
}

static bool run_standard(struct machine *m, struct reader *r, uint8_t operation)
{
    static const uint8_t operands[] = { 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1 };
    uint64_t operand = 0;

    if (operation <= sizeof operands && m->header->operands[operation - 1] != operands[operation - 1])
        return false;
    if (operation == DW_LNS_fixed_advance_pc) {
        m->address += take(r, 2);
        m->operation = 0;
        return true;
    }
    for (uint8_t i = 0; i < m->header->operands[operation - 1]; i++)
        operand = operation == DW_LNS_advance_line ? (uint64_t)take_sleb(r) : take_uleb(r);
    switch (operation) {
    case DW_LNS_copy:
        return add_row(m);
    case DW_LNS_advance_pc:
        advance(m, operand);
        break;
    case DW_LNS_advance_line:
        m->now.line += (uint32_t)operand;
        break;
    case DW_LNS_set_file:
        m->now.file = operand < UINT32_MAX ? (uint32_t)operand : UINT32_MAX;
        break;
    case DW_LNS_set_column:
        m->now.column = operand <= COLUMN_MAX ? (uint32_t)operand : UINT32_MAX;
        break;
    case DW_LNS_const_add_pc:
        advance(m, (uint64_t)(255 - m->header->opcode_base) / m->header->line_range);
        break;
    case DW_LNS_set_isa:
        return operand <= UINT8_MAX;
    default:
        break;
    }
    return true;
}

bool line_program_find(uint8_t *lines, size_t bytes, uint64_t offset, const struct code_starts *starts, struct line_place *places, size_t count)
{
    struct reader r = { lines + (offset < bytes ? offset : bytes), lines + bytes };
    struct header header;
    struct machine m = { .header = &header, .places = places, .count = count };

    if (!take_header(&r, &header))
        return false;
    if (r.at < r.end && !header.line_range)
        return false;
    begin_sequence(&m);
    while (r.at < r.end) {
        uint8_t operation = *r.at++;
        if (operation >= header.opcode_base) {
            operation -= header.opcode_base;
            advance(&m, operation / header.line_range);
            m.now.line += (uint32_t)(header.line_base + operation % header.line_range);
            if (!add_row(&m))
                return false;
        } else if (!(operation ? run_standard(&m, &r, operation) : run_extended(&m, &r, starts))) {
            return false;
        }
    }
    return !m.has_row; /* else its end is missing */
}

bool line_program_hide(uint8_t *lines, size_t bytes, uint64_t offset, uint32_t *ret_length)
{
    struct reader r = { lines + (offset < bytes ? offset : bytes), lines + bytes };
    uint8_t *begin = r.at;
    struct header header;

    if (!take_header(&r, &header) || header.is_wide)
        return false;
    memcpy(ret_length, begin, sizeof *ret_length);
    uint32_t length = (uint32_t)(r.at - begin - 4);
    memcpy(begin, &length, sizeof length);
    return true;
}
