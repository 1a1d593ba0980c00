/* From a code address to its rule, once for each address; rules are then kept by
 * pcs.c. Finds the function's entry (FDE) by the header's sorted table, runs its
 * instructions (the CIE's, then its own, up to the address), and looks at what
 * they say of three registers.
 *
 * The formats are those of the Linux Standard Base (.eh_frame, .eh_frame_hdr) and
 * of DWARF 5, 6.4. The hard part is expressions: instead of an interpreter of
 * memory, one of sums "register + constant, perhaps read", since the rule must be
 * made before the registers are known. */
#include "interpose/inside/cfi.h"

#include "interpose/inside/arch.h"

enum encoding {
    ENCODED_ABSENT = 0xff,
    ENCODED_TYPE = 0x0f,
    ENCODED_PC_RELATIVE = 0x10,
    ENCODED_HEADER_RELATIVE = 0x30,
    ENCODED_RELATION = 0x70,
    ENCODED_INDIRECT = 0x80,
    ENCODED_TABLE = 0x3b, /* 4 signed bytes, relative to the header: the only one that linkers make */
};

struct span {
    const uint8_t *at, *end;
    bool bad;
};

static uint64_t take(struct span *s, unsigned bytes)
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

static int64_t take_signed(struct span *s, unsigned bytes)
{
    return (int64_t)(take(s, bytes) << (64 - 8 * bytes)) >> (64 - 8 * bytes);
}

/* Sums and products of what tables say are modulo 2^64. */
static int64_t plus(int64_t a, uint64_t b)
{
    return (int64_t)((uint64_t)a + b);
}

static int64_t times(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

static uint64_t take_uleb(struct span *s)
{
    uint64_t value = 0, byte;
    unsigned shift = 0;

    do {
        byte = take(s, 1);
        if (shift < 64)
            value |= (byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    return value;
}

static int64_t take_sleb(struct span *s)
{
    uint64_t value = 0, byte;
    unsigned shift = 0;

    do {
        byte = take(s, 1);
        if (shift < 64)
            value |= (byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (shift < 64 && byte & 0x40)
        value |= ~0ull << shift;
    return (int64_t)value;
}

static struct span take_span(struct span *s, uint64_t bytes)
{
    struct span part = { s->at, s->at, s->bad };

    if (s->bad || bytes > (uint64_t)(s->end - s->at)) {
        s->bad = part.bad = true;
        return part;
    }
    part.end = s->at += bytes;
    return part;
}

/* An address as the tables encode it; 0 where there is none. */
static uint64_t take_encoded(struct span *s, unsigned encoding, const uint8_t *header)
{
    const uint8_t *place = s->at;
    uint64_t value;

    if (encoding == ENCODED_ABSENT)
        return 0;
    switch (encoding & ENCODED_TYPE) {
    case 0x00: case 0x04: case 0x0c: value = take(s, 8); break;
    case 0x01: value = take_uleb(s); break;
    case 0x02: value = take(s, 2); break;
    case 0x03: value = take(s, 4); break;
    case 0x09: value = (uint64_t)take_sleb(s); break;
    case 0x0a: value = (uint64_t)take_signed(s, 2); break;
    case 0x0b: value = (uint64_t)take_signed(s, 4); break;
    default: s->bad = true; return 0;
    }
    switch (encoding & ENCODED_RELATION) {
    case 0: break;
    case ENCODED_PC_RELATIVE: value += (uint64_t)place; break;
    case ENCODED_HEADER_RELATIVE: value += (uint64_t)header; break;
    default: s->bad = true;
    }
    if (encoding & ENCODED_INDIRECT) /* only of personality routines, which are not looked at */
        s->bad = true;
    return value;
}

/* --- the state that a row of the table describes ------------------------------ */

struct location {
    enum { UNCHANGED, AT_CFA_OFFSET, AT_EXPRESSION, UNDEFINED, ELSEWHERE } how;
    int64_t offset;
    struct span expression;
};

struct row {
    bool cfa_by_expression;
    uint64_t cfa_register;
    int64_t cfa_offset;
    struct span cfa_expression;
    struct location fp, ra;
};

struct entry {
    uint64_t start, bytes;  /* of the function */
    uint64_t code_unit;     /* "alignment factors" */
    int64_t data_unit;
    uint64_t return_register;
    unsigned encoding;      /* of addresses in the FDE */
    const uint8_t *header;  /* what they may be relative to */
    bool augmented, signal; /* the FDE has augmentation data; it is a signal handler's return */
    struct span common, own; /* instructions */
};

static struct location *followed(struct row *row, uint64_t reg)
{
    return reg == ARCH_DWARF_FP ? &row->fp : reg == ARCH_DWARF_RA ? &row->ra : NULL;
}

static void set(struct row *row, uint64_t reg, struct location location)
{
    struct location *place = followed(row, reg);
    if (place)
        *place = location;
}

/* Runs instructions until their location passes pc. initial: the row after the
 * CIE's. False: they cannot be understood. */
static bool run(const struct entry *e, struct span s, uint64_t pc, const struct row *initial, struct row *row)
{
    enum { REMEMBERED_MAX = 16 };
    struct row remembered[REMEMBERED_MAX];
    unsigned depth = 0;
    uint64_t location = e->start;

    while (s.at < s.end && !s.bad) {
        unsigned op = (unsigned)take(&s, 1), low = op & 0x3f;
        uint64_t reg, advance = 0;
        struct location where = { 0 };

        switch (op >> 6 ? op & 0xc0 : op) {
        case 0x40: advance = low * e->code_unit; break;
        case 0x80:
            where = (struct location){ .how = AT_CFA_OFFSET, .offset = times((int64_t)take_uleb(&s), e->data_unit) };
            set(row, low, where);
            break;
        case 0xc0: case 0x06: /* restore */
            reg = op >> 6 ? low : take_uleb(&s);
            if (followed(row, reg))
                *followed(row, reg) = *followed((struct row *)initial, reg);
            break;
        case 0x00: break;
        case 0x01: /* set_loc */
            location = take_encoded(&s, e->encoding, e->header);
            if (location > pc)
                return !s.bad;
            break;
        case 0x02: advance = take(&s, 1) * e->code_unit; break;
        case 0x03: advance = take(&s, 2) * e->code_unit; break;
        case 0x04: advance = take(&s, 4) * e->code_unit; break;
        case 0x05: case 0x11: case 0x2f: /* offset: extended, signed, negative */
            reg = take_uleb(&s);
            where.how = AT_CFA_OFFSET;
            where.offset = times(op == 0x11 ? take_sleb(&s) : (int64_t)take_uleb(&s), e->data_unit);
            if (op == 0x2f)
                where.offset = times(where.offset, -1);
            set(row, reg, where);
            break;
        case 0x07: where.how = UNDEFINED; set(row, take_uleb(&s), where); break;
        case 0x08: set(row, take_uleb(&s), where); break; /* same value */
        case 0x09: case 0x14: /* in a register; the value is an offset */
            where.how = ELSEWHERE;
            set(row, take_uleb(&s), where);
            take_uleb(&s);
            break;
        case 0x15:
            where.how = ELSEWHERE;
            set(row, take_uleb(&s), where);
            take_sleb(&s);
            break;
        case 0x0a:
            if (depth == REMEMBERED_MAX)
                return false;
            remembered[depth++] = *row;
            break;
        case 0x0b:
            if (!depth)
                return false;
            *row = remembered[--depth];
            break;
        case 0x0c: case 0x12: /* def_cfa, the second with a signed offset */
            row->cfa_by_expression = false;
            row->cfa_register = take_uleb(&s);
            row->cfa_offset = op == 0x0c ? (int64_t)take_uleb(&s) : times(take_sleb(&s), e->data_unit);
            break;
        case 0x0d: row->cfa_by_expression = false; row->cfa_register = take_uleb(&s); break;
        case 0x0e: row->cfa_offset = (int64_t)take_uleb(&s); break;
        case 0x13: row->cfa_offset = times(take_sleb(&s), e->data_unit); break;
        case 0x0f:
            row->cfa_by_expression = true;
            row->cfa_expression = take_span(&s, take_uleb(&s));
            break;
        case 0x10: case 0x16: /* expression: the place, the value */
            reg = take_uleb(&s);
            where.how = op == 0x10 ? AT_EXPRESSION : ELSEWHERE;
            where.expression = take_span(&s, take_uleb(&s));
            set(row, reg, where);
            break;
        case 0x2c: case 0x2d: break; /* aarch64: the return address is signed, or no longer */
        case 0x2e: take_uleb(&s); break; /* size of arguments */
        default: return false;
        }
        location += advance;
        if (location > pc)
            return !s.bad;
    }
    return !s.bad;
}

/* --- expressions -------------------------------------------------------------- */

struct sum {
    enum rule_base base; /* RULE_NOWHERE: the constant alone */
    bool is_read;        /* the word at the sum */
    int64_t constant;
};

/* Binary operators on constants; a register only with + and -. False: neither. */
static bool combine(unsigned op, struct sum *left, const struct sum *right)
{
    uint64_t a = (uint64_t)left->constant, b = (uint64_t)right->constant;

    if (left->is_read || right->is_read || right->base != RULE_NOWHERE) {
        if (op != 0x22 || left->is_read || right->is_read || left->base != RULE_NOWHERE)
            return false;
        left->base = right->base; /* constant + register */
    } else if (left->base != RULE_NOWHERE && op != 0x22 && op != 0x1c) {
        return false;
    }
    switch (op) {
    case 0x1a: a &= b; break;
    case 0x1c: a -= b; break;
    case 0x22: a += b; break;
    case 0x24: a = b < 64 ? a << b : 0; break;
    case 0x25: a = b < 64 ? a >> b : 0; break;
    case 0x2a: a = (int64_t)a >= (int64_t)b; break;
    case 0x2b: a = (int64_t)a > (int64_t)b; break;
    case 0x2c: a = (int64_t)a <= (int64_t)b; break;
    case 0x2d: a = (int64_t)a < (int64_t)b; break;
    default: return false;
    }
    left->constant = (int64_t)a;
    return true;
}

/* What an expression says, if it is such a sum. first: on the stack at its start,
 * if not NULL. The pc is known, so the PLT's expression is a constant one. */
static bool evaluate(struct span s, uint64_t pc, const struct sum *first, struct sum *ret)
{
    enum { STACK_MAX = 8 };
    struct sum stack[STACK_MAX] = { { 0 } };
    unsigned count = 0;

    if (first)
        stack[count++] = *first;
    while (s.at < s.end && !s.bad) {
        unsigned op = (unsigned)take(&s, 1);
        struct sum value = { 0 };
        if (op == 0x06 && count && !stack[count - 1].is_read && stack[count - 1].base != RULE_NOWHERE) {
            stack[count - 1].is_read = true;
            continue;
        }
        if (op == 0x23 && count && !stack[count - 1].is_read) { /* plus_uconst */
            stack[count - 1].constant = plus(stack[count - 1].constant, take_uleb(&s));
            continue;
        }
        if (op >= 0x1a && op <= 0x2d) {
            if (count < 2 || !combine(op, &stack[count - 2], &stack[count - 1]))
                return false;
            count--;
            continue;
        }
        if (op >= 0x30 && op <= 0x4f) {
            value.constant = op - 0x30;
        } else if (op >= 0x70 && op <= 0x8f) {
            unsigned reg = op - 0x70;
            value.constant = take_sleb(&s);
            if (reg == ARCH_DWARF_SP)
                value.base = RULE_FROM_SP;
            else if (reg == ARCH_DWARF_FP)
                value.base = RULE_FROM_FP;
            else if (reg == ARCH_DWARF_RA && ARCH_RA_OFFSET != 0)
                value.constant = plus(value.constant, pc); /* here the number is the program counter's */
            else
                return false;
        } else {
            switch (op) {
            case 0x08: value.constant = (int64_t)take(&s, 1); break;
            case 0x09: value.constant = take_signed(&s, 1); break;
            case 0x0a: value.constant = (int64_t)take(&s, 2); break;
            case 0x0b: value.constant = take_signed(&s, 2); break;
            case 0x0c: value.constant = (int64_t)take(&s, 4); break;
            case 0x0d: value.constant = take_signed(&s, 4); break;
            case 0x10: value.constant = (int64_t)take_uleb(&s); break;
            case 0x11: value.constant = take_sleb(&s); break;
            default: return false;
            }
        }
        if (count == STACK_MAX)
            return false;
        stack[count++] = value;
    }
    if (s.bad || !count)
        return false;
    *ret = stack[count - 1];
    return true;
}

/* --- from a row to a rule ------------------------------------------------------ */

static bool fits(int64_t offset)
{
    return offset == (int32_t)offset;
}

/* The place where a register is saved, as base and offset. */
static bool place_of(const struct location *location, uint64_t pc, unsigned *ret_base, int32_t *ret_offset)
{
    const struct sum cfa = { RULE_FROM_CFA, false, 0 };
    struct sum place = { RULE_FROM_CFA, false, location->offset };

    if (location->how == AT_EXPRESSION && !evaluate(location->expression, pc, &cfa, &place))
        return false;
    if (place.base == RULE_NOWHERE || place.is_read || !fits(place.constant))
        return false;
    *ret_base = place.base;
    *ret_offset = (int32_t)place.constant;
    return true;
}

static bool make_rule(const struct row *row, uint64_t pc, struct rule *ret)
{
    struct sum cfa = { RULE_NOWHERE, false, row->cfa_offset };
    struct rule rule = { .kind = RULE_STEP };
    unsigned base;

    if (row->ra.how == UNDEFINED) {
        ret->kind = RULE_END;
        return true;
    }
    if (row->cfa_by_expression) {
        if (!evaluate(row->cfa_expression, pc, NULL, &cfa))
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

    if (row->ra.how == UNCHANGED && ARCH_RA_OFFSET == 0) {
        rule.ra_base = RULE_IN_LR;
    } else {
        if ((row->ra.how != AT_CFA_OFFSET && row->ra.how != AT_EXPRESSION) ||
            !place_of(&row->ra, pc, &base, &rule.ra))
            return false;
        rule.ra_base = base & 7;
    }
    /* An undefined frame pointer is nobody's: no correct rule uses it further out. */
    if (row->fp.how == ELSEWHERE)
        return false;
    if (row->fp.how == AT_CFA_OFFSET || row->fp.how == AT_EXPRESSION) {
        if (!place_of(&row->fp, pc, &base, &rule.fp))
            return false;
        rule.fp_base = base & 7;
    }
    *ret = rule;
    return true;
}

/* --- finding the entry --------------------------------------------------------- */

/* The span of an entry behind its length. LSB: an extended length, 8 bytes, where
 * the first 4 are 0xffffffff; what follows is the same. */
static struct span take_entry(struct span *s)
{
    uint64_t bytes = take(s, 4);

    if (bytes == 0xffffffff)
        bytes = take(s, 8);
    return take_span(s, bytes);
}

static bool read_common(struct span s, struct entry *e)
{
    struct span body = take_entry(&s);
    uint64_t id = take(&body, 4), version = take(&body, 1);
    const char *augmentation = (const char *)body.at;

    while (take(&body, 1) && !body.bad)
        ;
    if (body.bad || id != 0 || (version != 1 && version != 3))
        return false;
    e->code_unit = take_uleb(&body);
    e->data_unit = take_sleb(&body);
    e->return_register = version == 1 ? take(&body, 1) : take_uleb(&body);
    e->augmented = *augmentation == 'z';
    if (e->augmented) {
        struct span data = take_span(&body, take_uleb(&body));
        for (const char *letter = augmentation + 1; *letter; letter++) {
            if (*letter == 'R') {
                e->encoding = (unsigned)take(&data, 1);
            } else if (*letter == 'P') {
                unsigned encoding = (unsigned)take(&data, 1);
                take_encoded(&data, encoding & ~ENCODED_INDIRECT, NULL);
            } else if (*letter == 'L') {
                take(&data, 1);
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

static bool read_entry(const struct cfi_tables *t, const uint8_t *at, struct entry *e)
{
    struct span s = { at, t->end, at < t->start || at >= t->end };
    struct span body = take_entry(&s);
    const uint8_t *place = body.at;
    uint64_t back = take(&body, 4); /* to the CIE, from here */

    if (body.bad || back == 0 || back > (uint64_t)(place - t->start))
        return false;
    if (!read_common((struct span){ place - back, t->end, false }, e))
        return false;
    e->start = take_encoded(&body, e->encoding, e->header);
    e->bytes = take_encoded(&body, e->encoding & ENCODED_TYPE, NULL);
    if (e->augmented)
        take_span(&body, take_uleb(&body));
    e->own = body;
    return !body.bad;
}

/* The FDE whose function is the last to begin at or before pc. NULL: none.
 * *ret_known: the table was one that can be searched. */
static const uint8_t *search(const struct cfi_tables *t, uint64_t pc, bool *ret_known)
{
    struct span s = { t->header, t->end, t->header < t->start || t->header >= t->end };
    unsigned version = (unsigned)take(&s, 1), frame_encoding = (unsigned)take(&s, 1),
             count_encoding = (unsigned)take(&s, 1), table_encoding = (unsigned)take(&s, 1);

    take_encoded(&s, frame_encoding, t->header);
    uint64_t count = take_encoded(&s, count_encoding, t->header), low = 0, high = count;
    *ret_known = !s.bad && version == 1 && table_encoding == ENCODED_TABLE && count <= (uint64_t)(s.end - s.at) / 8;
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

void cfi_find_rule(const struct cfi_tables *tables, uint64_t pc, struct rule *ret_rule)
{
    struct entry e = { .header = tables->header };
    struct row row = { 0 }, initial;
    bool known;

    *ret_rule = (struct rule){ .kind = RULE_NONE };
    if (!tables->header)
        return;
    const uint8_t *fde = search(tables, pc, &known);
    ret_rule->kind = known ? RULE_NONE : RULE_UNSUPPORTED;
    if (!fde)
        return;
    ret_rule->kind = RULE_UNSUPPORTED;
    if (!read_entry(tables, fde, &e))
        return;
    if (pc - e.start >= e.bytes) {
        ret_rule->kind = RULE_NONE; /* between two functions */
        return;
    }
    if (e.return_register != ARCH_DWARF_RA)
        return;
    /* The CIE's instructions hold from the function's start. */
    struct row blank = { 0 };
    if (!run(&e, e.common, UINT64_MAX, &blank, &row))
        return;
    initial = row;
    if (!run(&e, e.own, pc, &initial, &row) || !make_rule(&row, pc, ret_rule))
        return;
    ret_rule->signal = e.signal;
}
