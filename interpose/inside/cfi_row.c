#include "interpose/inside/cfi_row.h"

#include "interpose/inside/arch.h"

static struct cfi_location *followed(struct cfi_row *row, uint64_t reg)
{
    return reg == ARCH_DWARF_FP ? &row->fp : reg == ARCH_DWARF_RA ? &row->ra : NULL;
}

static void set(struct cfi_row *row, uint64_t reg, struct cfi_location location)
{
    struct cfi_location *place = followed(row, reg);
    if (place)
        *place = location;
}

bool cfi_row_run(struct cfi_work *work, struct cfi_bytes s, uint64_t pc)
{
    const struct cfi_entry *e = &work->entry;
    struct cfi_row *row = &work->row;
    unsigned depth = 0;
    uint64_t location = e->start;

    while (s.at < s.end && !s.bad) {
        unsigned op = (unsigned)cfi_take(&s, 1), low = op & 0x3f;
        uint64_t reg, advance = 0;
        struct cfi_location where = { 0 };

        switch (op >> 6 ? op & 0xc0 : op) {
        case 0x40: advance = low * e->code_unit; break;
        case 0x80:
            where.how = CFI_AT_CFA_OFFSET;
            where.offset = cfi_times((int64_t)cfi_take_uleb(&s), e->data_unit);
            set(row, low, where);
            break;
        case 0xc0: case 0x06: /* restore */
            reg = op >> 6 ? low : cfi_take_uleb(&s);
            if (followed(row, reg))
                *followed(row, reg) = *followed(&work->initial, reg);
            break;
        case 0x00: break;
        case 0x01: /* set_loc */
            location = cfi_take_encoded(&s, e->encoding, e->header);
            if (location > pc)
                return !s.bad;
            break;
        case 0x02: advance = cfi_take(&s, 1) * e->code_unit; break;
        case 0x03: advance = cfi_take(&s, 2) * e->code_unit; break;
        case 0x04: advance = cfi_take(&s, 4) * e->code_unit; break;
        case 0x05: case 0x11: case 0x2f: /* offset: extended, signed, negative */
            reg = cfi_take_uleb(&s);
            where.how = CFI_AT_CFA_OFFSET;
            where.offset = cfi_times(op == 0x11 ? cfi_take_sleb(&s) : (int64_t)cfi_take_uleb(&s), e->data_unit);
            if (op == 0x2f)
                where.offset = cfi_times(where.offset, -1);
            set(row, reg, where);
            break;
        case 0x07: where.how = CFI_UNDEFINED; set(row, cfi_take_uleb(&s), where); break;
        case 0x08: set(row, cfi_take_uleb(&s), where); break; /* same value */
        case 0x09: case 0x14: /* in a register; the value is an offset */
            where.how = CFI_ELSEWHERE;
            set(row, cfi_take_uleb(&s), where);
            cfi_take_uleb(&s);
            break;
        case 0x15:
            where.how = CFI_ELSEWHERE;
            set(row, cfi_take_uleb(&s), where);
            cfi_take_sleb(&s);
            break;
        case 0x0a:
            if (depth == CFI_REMEMBERED_MAX)
                return false;
            work->remembered[depth++] = *row;
            break;
        case 0x0b:
            if (!depth)
                return false;
            *row = work->remembered[--depth];
            break;
        case 0x0c: case 0x12: /* def_cfa, the second with a signed offset */
            row->cfa_by_expression = false;
            row->cfa_register = cfi_take_uleb(&s);
            row->cfa_offset = op == 0x0c ? (int64_t)cfi_take_uleb(&s) : cfi_times(cfi_take_sleb(&s), e->data_unit);
            break;
        case 0x0d: row->cfa_by_expression = false; row->cfa_register = cfi_take_uleb(&s); break;
        case 0x0e: row->cfa_offset = (int64_t)cfi_take_uleb(&s); break;
        case 0x13: row->cfa_offset = cfi_times(cfi_take_sleb(&s), e->data_unit); break;
        case 0x0f:
            row->cfa_by_expression = true;
            row->cfa_expression = cfi_take_bytes(&s, cfi_take_uleb(&s));
            break;
        case 0x10: case 0x16: /* expression: the place, the value */
            reg = cfi_take_uleb(&s);
            where.how = op == 0x10 ? CFI_AT_EXPRESSION : CFI_ELSEWHERE;
            where.expression = cfi_take_bytes(&s, cfi_take_uleb(&s));
            set(row, reg, where);
            break;
        case 0x2c: case 0x2d: break; /* aarch64: the return address is signed, or no longer */
        case 0x2e: cfi_take_uleb(&s); break; /* size of arguments */
        default: return false;
        }
        location += advance;
        if (location > pc)
            return !s.bad;
    }
    return !s.bad;
}
