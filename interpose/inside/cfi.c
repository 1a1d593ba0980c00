/* From a code address to its rule, once for each address; rules are then kept by
 * pcs.c. Finds the function's entry (FDE) by the header's sorted table, runs its
 * instructions (the CIE's, then its own, up to the address), and looks at what
 * they say of three registers.
 *
 * The formats are those of the Linux Standard Base (.eh_frame, .eh_frame_hdr) and
 * of DWARF 5, 6.4. */
#include "interpose/inside/cfi.h"

#include "interpose/inside/arch.h"
#include "interpose/inside/hints.h"

static bool fits(int64_t offset)
{
    return offset == (int32_t)offset;
}

/* The place where a register is saved, as base and offset. */
static bool place_of(struct cfi_work *work, const struct cfi_location *location, uint64_t pc, unsigned *ret_base,
                     int32_t *ret_offset)
{
    const struct cfi_sum cfa = { RULE_FROM_CFA, false, 0 };
    struct cfi_sum place = { RULE_FROM_CFA, false, location->offset };

    if (location->how == CFI_AT_EXPRESSION && !cfi_sum_evaluate(location->expression, pc, &cfa, &work->sum, &place))
        return false;
    if (place.base == RULE_NOWHERE || place.is_read || !fits(place.constant))
        return false;
    *ret_base = place.base;
    *ret_offset = (int32_t)place.constant;
    return true;
}

static NOINLINE bool make_rule(struct cfi_work *work, uint64_t pc, struct rule *ret)
{
    const struct cfi_row *row = &work->row;
    struct cfi_sum cfa = { RULE_NOWHERE, false, row->cfa_offset };
    struct rule rule = { .kind = RULE_STEP };
    unsigned base;

    if (row->ra.how == CFI_UNDEFINED) {
        ret->kind = RULE_END;
        return true;
    }
    if (row->cfa_by_expression) {
        if (!cfi_sum_evaluate(row->cfa_expression, pc, NULL, &work->sum, &cfa))
            return false;
    } else if (row->cfa_register == ARCH_DWARF_SP) {
        cfa.base = RULE_FROM_SP;
    } else if (row->cfa_register == ARCH_DWARF_FP) {
        cfa.base = RULE_FROM_FP;
    }
    if ((cfa.base != RULE_FROM_SP && cfa.base != RULE_FROM_FP) || !fits(cfa.constant))
        return false;
    rule.cfa_base = cfa.base;
    rule.cfa_is_read = cfa.is_read;
    rule.cfa = (int32_t)cfa.constant;

    if (row->ra.how == CFI_UNCHANGED && ARCH_RA_OFFSET == 0) {
        rule.ra_base = RULE_IN_LR;
    } else {
        if ((row->ra.how != CFI_AT_CFA_OFFSET && row->ra.how != CFI_AT_EXPRESSION) ||
            !place_of(work, &row->ra, pc, &base, &rule.ra))
            return false;
        rule.ra_base = base & 7;
    }
    /* An undefined frame pointer is nobody's: no correct rule uses it further out. */
    if (row->fp.how == CFI_ELSEWHERE)
        return false;
    if (row->fp.how == CFI_AT_CFA_OFFSET || row->fp.how == CFI_AT_EXPRESSION) {
        if (!place_of(work, &row->fp, pc, &base, &rule.fp))
            return false;
        rule.fp_base = base & 7;
    }
    *ret = rule;
    return true;
}

/* The span of an entry behind its length. LSB: an extended length, 8 bytes, where
 * the first 4 are 0xffffffff; what follows is the same. */
static struct cfi_bytes take_entry(struct cfi_bytes *s)
{
    uint64_t bytes = cfi_take(s, 4);

    if (bytes == 0xffffffff)
        bytes = cfi_take(s, 8);
    return cfi_take_bytes(s, bytes);
}

static NOINLINE bool read_common(struct cfi_bytes s, struct cfi_entry *e)
{
    struct cfi_bytes body = take_entry(&s);
    uint64_t id = cfi_take(&body, 4), version = cfi_take(&body, 1);
    const char *augmentation = (const char *)body.at;

    while (cfi_take(&body, 1) && !body.bad)
        ;
    if (body.bad || id != 0 || (version != 1 && version != 3))
        return false;
    e->code_unit = cfi_take_uleb(&body);
    e->data_unit = cfi_take_sleb(&body);
    e->return_register = version == 1 ? cfi_take(&body, 1) : cfi_take_uleb(&body);
    e->augmented = *augmentation == 'z';
    if (e->augmented) {
        struct cfi_bytes data = cfi_take_bytes(&body, cfi_take_uleb(&body));
        for (const char *letter = augmentation + 1; *letter; letter++) {
            if (*letter == 'R') {
                e->encoding = (unsigned)cfi_take(&data, 1);
            } else if (*letter == 'P') {
                unsigned encoding = (unsigned)cfi_take(&data, 1);
                cfi_take_encoded(&data, encoding & ~CFI_ENCODED_INDIRECT, NULL);
            } else if (*letter == 'L') {
                cfi_take(&data, 1);
            } else if (*letter == 'S') {
                e->signal = true;
            } else if (*letter != 'B') {
                /* A later letter: the length has told where the data end, not where others' are. */
                if (strpbrk(letter, "RS"))
                    return false;
                break;
            }
        }
        if (data.bad)
            return false;
    } else if (*augmentation) {
        return false;
    }
    e->common = body;
    return !body.bad;
}

static NOINLINE bool read_entry(const struct cfi_tables *t, const uint8_t *at, struct cfi_entry *e)
{
    struct cfi_bytes s = { at, t->end, at < t->start || at >= t->end };
    struct cfi_bytes body = take_entry(&s);
    const uint8_t *place = body.at;
    uint64_t back = cfi_take(&body, 4); /* to the CIE, from here */

    if (body.bad || back == 0 || back > (uint64_t)(place - t->start))
        return false;
    if (!read_common((struct cfi_bytes){ place - back, t->end, false }, e))
        return false;
    e->start = cfi_take_encoded(&body, e->encoding, e->header);
    e->bytes = cfi_take_encoded(&body, e->encoding & CFI_ENCODED_TYPE, NULL);
    if (e->augmented)
        cfi_take_bytes(&body, cfi_take_uleb(&body));
    e->own = body;
    return !body.bad;
}

/* The FDE whose function is the last to begin at or before pc. NULL: none.
 * *ret_known: the table was one that can be searched. */
static NOINLINE const uint8_t *search(const struct cfi_tables *t, uint64_t pc, bool *ret_known)
{
    struct cfi_bytes s = { t->header, t->end, t->header < t->start || t->header >= t->end };
    unsigned version = (unsigned)cfi_take(&s, 1), frame_encoding = (unsigned)cfi_take(&s, 1),
             count_encoding = (unsigned)cfi_take(&s, 1), table_encoding = (unsigned)cfi_take(&s, 1);

    cfi_take_encoded(&s, frame_encoding, t->header);
    uint64_t count = cfi_take_encoded(&s, count_encoding, t->header), low = 0, high = count;
    *ret_known = !s.bad && version == 1 && table_encoding == CFI_ENCODED_TABLE && count <= (uint64_t)(s.end - s.at) / 8;
    if (!*ret_known)
        return NULL;
    int64_t wanted = (int64_t)(pc - (uint64_t)t->header);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int32_t start;
        memcpy(&start, s.at + 8 * middle, 4);
        if (start <= wanted)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low)
        return NULL;
    int32_t offset;
    memcpy(&offset, s.at + 8 * (low - 1) + 4, 4);
    return t->header + offset;
}

void cfi_find_rule(const struct cfi_tables *tables, uint64_t pc, struct cfi_work *work, struct rule *ret_rule)
{
    struct cfi_entry *e = &work->entry;
    bool known;

    *ret_rule = (struct rule){ .kind = RULE_NONE };
    if (!tables->header)
        return;
    const uint8_t *fde = search(tables, pc, &known);
    ret_rule->kind = known ? RULE_NONE : RULE_BROKEN;
    if (!fde)
        return;
    ret_rule->kind = RULE_BROKEN;
    memset(e, 0, sizeof *e);
    e->header = tables->header;
    if (!read_entry(tables, fde, e))
        return;
    if (pc - e->start >= e->bytes) {
        ret_rule->kind = RULE_NONE; /* between two functions */
        return;
    }
    if (e->return_register != ARCH_DWARF_RA) {
        ret_rule->kind = RULE_UNSUPPORTED;
        return;
    }
    /* The CIE's instructions hold from the function's start. */
    memset(&work->row, 0, sizeof work->row);
    memset(&work->initial, 0, sizeof work->initial);
    if (!cfi_row_run(work, e->common, UINT64_MAX))
        return;
    work->initial = work->row;
    if (!cfi_row_run(work, e->own, pc))
        return;
    ret_rule->kind = RULE_UNSUPPORTED;
    if (make_rule(work, pc, ret_rule))
        ret_rule->signal = e->signal;
}
