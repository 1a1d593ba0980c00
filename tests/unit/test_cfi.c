/* Unwind tables (interpose/inside/cfi.c), made by hand: instructions, expressions,
 * augmentations, the header's search; then the same cut short at every byte. Numbers
 * of registers are the processor's, so that it can run on each. */
#include "interpose/inside/cfi.h"

#include "interpose/inside/arch.h"
#include "tests/unit/check.h"

#include <stdlib.h>
#include <sys/mman.h>

static struct cfi_work work;

#define SP ARCH_DWARF_SP
#define FP ARCH_DWARF_FP
#define RA ARCH_DWARF_RA
#define OTHER 3

/* Instructions of tables: DW_CFA_... */
enum {
    NOP, SET_LOC, ADVANCE1, ADVANCE2, ADVANCE4, OFFSET_EXTENDED, RESTORE_EXTENDED, UNDEFINED, SAME_VALUE, REGISTER,
    REMEMBER, RECALL, DEF_CFA, DEF_CFA_REGISTER, DEF_CFA_OFFSET, DEF_CFA_EXPRESSION, EXPRESSION, OFFSET_EXTENDED_SF,
    DEF_CFA_SF, DEF_CFA_OFFSET_SF, VAL_OFFSET, VAL_OFFSET_SF, VAL_EXPRESSION,
    WINDOW_SAVE = 0x2d, ARGS_SIZE = 0x2e, NEGATIVE_OFFSET = 0x2f, ADVANCE = 0x40, OFFSET = 0x80, RESTORE = 0xc0,
};

/* Operations of expressions: DW_OP_... */
enum {
    DEREF = 0x06, CONST1U = 0x08, CONST1S, CONST2U, CONST2S, CONST4U, CONST4S, CONSTU = 0x10, CONSTS, DUP, DROP,
    AND = 0x1a, MINUS = 0x1c, MUL = 0x1e, PLUS = 0x22, PLUS_UCONST, SHL, SHR, GE = 0x2a, GT, LE, LT, LIT0 = 0x30,
    BREG0 = 0x70, BREGX = 0x92,
};

#define BYTES(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

/* --- a module of tables ------------------------------------------------------------- */

#define FUNCTIONS_MAX 2000
#define HEADER_BYTES (12 + 8 * FUNCTIONS_MAX)
#define CODE 0x100000 /* behind the tables' start, and far from their end: only numbers */

static struct module {
    _Alignas(16) uint8_t bytes[HEADER_BYTES + 100000];
    uint8_t *at;
    uint8_t *common; /* the CIE of the entries that follow */
    uint32_t count;
    bool wide; /* lengths of 8 bytes */
} m;

static uint64_t code(uint64_t offset)
{
    return (uint64_t)m.bytes + CODE + offset;
}

static void put(uint64_t value, unsigned bytes)
{
    memcpy(m.at, &value, bytes); /* little-endian, as all that the shim runs on */
    m.at += bytes;
}

static void put_bytes(const uint8_t *bytes, size_t count)
{
    if (count)
        memcpy(m.at, bytes, count);
    m.at += count;
}

static void put_uleb(uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put(value | 0x80, 1);
    put(value, 1);
}

static uint8_t *begin_entry(void)
{
    put(0xffffffff, m.wide ? 4 : 0);
    put(0, m.wide ? 8 : 4);
    return m.at;
}

static void end_entry(uint8_t *body)
{
    uint64_t bytes = (uint64_t)(m.at - body);
    memcpy(body - (m.wide ? 8 : 4), &bytes, m.wide ? 8 : 4);
}

struct common {
    const char *augmentation;
    const uint8_t *data; /* of the augmentation */
    size_t data_bytes;
    uint64_t code_unit, return_register;
    uint8_t version, data_unit; /* one byte of a signed number */
};

static const struct common usual = { "zR", (const uint8_t[]){ 0x1b }, 1, 1, RA, 1, 0x78 /* -8 */ };

static void put_common(const struct common *c, const uint8_t *instructions, size_t bytes)
{
    m.common = m.at;
    uint8_t *body = begin_entry();
    put(0, 4);
    put(c->version, 1);
    put_bytes((const uint8_t *)c->augmentation, strlen(c->augmentation) + 1);
    put_uleb(c->code_unit);
    put(c->data_unit, 1);
    put_uleb(c->return_register);
    if (c->augmentation[0] == 'z') {
        put_uleb(c->data_bytes);
        put_bytes(c->data, c->data_bytes);
    }
    put_bytes(instructions, bytes);
    end_entry(body);
}

static void put_table_entry(uint64_t start, const uint8_t *fde)
{
    int32_t pair[2] = { (int32_t)(start - (uint64_t)m.bytes), (int32_t)(fde - m.bytes) };
    memcpy(m.bytes + 12 + 8ul * m.count++, pair, sizeof pair);
}

/* start: as an offset in the code. */
static void put_function(uint64_t start, uint32_t bytes, const uint8_t *data, size_t data_bytes,
                         const uint8_t *instructions, size_t instruction_bytes)
{
    put_table_entry(code(start), m.at);
    uint8_t *body = begin_entry();
    put((uint64_t)(m.at - m.common), 4);
    put(code(start) - (uint64_t)m.at, 4);
    put(bytes, 4);
    put_uleb(data_bytes);
    put_bytes(data, data_bytes);
    put_bytes(instructions, instruction_bytes);
    end_entry(body);
}

static void begin(void)
{
    static const uint8_t form[] = { 1, 0x1b, 3, 0x3b, 0, 0, 0, 0 };

    memset(&m, 0, sizeof m);
    m.at = m.bytes;
    put_bytes(form, sizeof form);
    m.at = m.bytes + HEADER_BYTES;
}

static void put_usual_common(void)
{
    put_common(&usual, BYTES(DEF_CFA, SP, 8, OFFSET | RA, 1));
}

static struct cfi_tables tables(void)
{
    memcpy(m.bytes + 8, &m.count, sizeof m.count);
    return (struct cfi_tables){ m.bytes, m.bytes, m.at };
}

static struct rule find(uint64_t pc)
{
    struct cfi_tables t = tables();
    struct rule rule;

    memset(&rule, 0xff, sizeof rule); /* all of it is set, or does not count */
    cfi_find_rule(&t, pc, &work, &rule);
    return rule;
}

/* --- what a rule is, as text ----------------------------------------------------------- */

static const char *text_of(const struct rule *r)
{
    static const char *const kinds[] = { "0", "step", "end", "none", "unsupported", "broken", "6", "7" };
    static const char *const bases[] = { "same", "cfa", "sp", "fp", "lr", "5", "6", "7" };
    static char text[200];
    char ra[40], fp[40];

    if (r->kind != RULE_STEP)
        return kinds[r->kind];
    snprintf(ra, sizeof ra, r->ra_base == RULE_IN_LR ? "lr" : "%s%+d", bases[r->ra_base], r->ra);
    snprintf(fp, sizeof fp, r->fp_base ? "%s%+d" : "same", bases[r->fp_base], r->fp);
    snprintf(text, sizeof text, r->cfa_is_read ? "[%s%+d] %s %s%s%s" : "%s%+d %s %s%s%s", bases[r->cfa_base], r->cfa, ra, fp,
             r->signal ? " signal" : "", r->no_module ? " no module" : "");
    return text;
}

/* A CHECK that says what the rule was. */
static bool is(struct rule rule, const char *expected, int line)
{
    bool same = strcmp(text_of(&rule), expected) == 0;

    check_one(same, expected, __FILE__, line);
    if (!same)
        printf("    it is: %s\n", text_of(&rule));
    return same;
}

/* The rule at an offset into a function of these instructions, behind the usual CIE. */
static struct rule rule_at(uint64_t offset, const uint8_t *instructions, size_t bytes)
{
    begin();
    put_usual_common();
    put_function(0, 0x100000, NULL, 0, instructions, bytes);
    return find(code(offset));
}

#define AT(offset, expected, ...) is(rule_at(offset, BYTES(__VA_ARGS__)), expected, __LINE__)
#define START(expected, ...) AT(0, expected, __VA_ARGS__)
#define COMMON(expected, common, ...) is(rule_with(common, BYTES(__VA_ARGS__)), expected, __LINE__)

/* The same, with instructions of the CIE. */
static struct rule rule_with(const struct common *c, const uint8_t *instructions, size_t bytes)
{
    begin();
    put_common(c, instructions, bytes);
    put_function(0, 0x1000, NULL, 0, NULL, 0);
    return find(code(0x10));
}

/* --- instructions ------------------------------------------------------------------------ */

static void the_cfa(void)
{
    START("sp+8 cfa-8 same", NOP);
    START("sp+16 cfa-8 same", DEF_CFA, SP, 16);
    START("sp+16384 cfa-8 same", DEF_CFA, SP, 0x80, 0x80, 1);
    START("fp+24 cfa-8 same", DEF_CFA, FP, 24);
    START("fp+24 cfa-8 same", DEF_CFA, FP | 0x80, 0x80, 0, 24); /* a number may be longer than it needs */
    START("fp+8 cfa-8 same", DEF_CFA_REGISTER, FP);
    START("sp+48 cfa-8 same", DEF_CFA_OFFSET, 48);
    START("sp+120 cfa-8 same", DEF_CFA_OFFSET, 120);
    START("fp-16 cfa-8 same", DEF_CFA_SF, FP, 2);
    START("sp+32 cfa-8 same", DEF_CFA_SF, SP, 0x7c);
    START("sp+40 cfa-8 same", DEF_CFA_OFFSET_SF, 0x7b);
    START("sp+0 cfa-8 same", DEF_CFA_OFFSET, 0);
    START("unsupported", DEF_CFA, OTHER, 16);
    START("unsupported", DEF_CFA, SP | 0x80, 0x80, 0x80, 1, 16); /* a register of the same low bits */
    START("unsupported", DEF_CFA_REGISTER, OTHER);
    START("fp+16 cfa-8 same", DEF_CFA, OTHER, 16, DEF_CFA_REGISTER, FP);
    START("sp+2147483647 cfa-8 same", DEF_CFA, SP, 0xff, 0xff, 0xff, 0xff, 7);
    START("unsupported", DEF_CFA, SP, 0x80, 0x80, 0x80, 0x80, 8);
    START("sp-2147483648 cfa-8 same", DEF_CFA_OFFSET_SF, 0x80, 0x80, 0x80, 0x80, 1);
    START("unsupported", DEF_CFA_OFFSET_SF, 0x81, 0x80, 0x80, 0x80, 1);
    /* Of more than 64 bits: those above are lost, and nothing goes wrong. */
    START("sp+24 cfa-8 same", DEF_CFA_OFFSET, 0x98, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1);
    /* As by OpenSSL's assembly: the offset is the one from before the expression. */
    START("sp+8 cfa-8 same", DEF_CFA_EXPRESSION, 2, BREG0 + SP, 32, DEF_CFA_REGISTER, SP);
    START("sp+32 cfa-8 same", DEF_CFA_EXPRESSION, 2, BREG0 + SP, 32, DEF_CFA_OFFSET, 48);
}

static void places(void)
{
    START("sp+8 cfa-8 cfa-16", OFFSET | FP, 2);
    START("sp+8 cfa-8 cfa-1024", OFFSET | FP, 0x80, 1);
    START("sp+8 cfa-24 same", OFFSET | RA, 3);
    START("sp+8 cfa-8 cfa-24", OFFSET_EXTENDED, FP, 3);
    START("sp+8 cfa-8 cfa+8", OFFSET_EXTENDED_SF, FP, 0x7f);
    START("sp+8 cfa-8 cfa-16", OFFSET_EXTENDED_SF, FP, 2);
    START("sp+8 cfa-8 cfa+32", NEGATIVE_OFFSET, FP, 4);
    START("sp+8 cfa-8 same", OFFSET | OTHER, 2, OFFSET_EXTENDED, OTHER, 2, UNDEFINED, OTHER, REGISTER, OTHER, FP);
    START("sp+8 cfa-8 same", OFFSET | FP, 2, RESTORE | FP);
    START("sp+8 cfa-8 same", OFFSET | RA, 4, OFFSET | FP, 2, RESTORE_EXTENDED, FP, RESTORE_EXTENDED, RA);
    START("sp+8 cfa-8 cfa-16", OFFSET | FP, 2, RESTORE | OTHER, RESTORE_EXTENDED, OTHER);
    START("sp+8 cfa-8 same", OFFSET | FP, 2, SAME_VALUE, FP);
    START("sp+8 cfa-8 same", OFFSET | FP, 2, UNDEFINED, FP);
    START("unsupported", REGISTER, FP, OTHER);
    START("unsupported", REGISTER, RA, OTHER);
    START("unsupported", VAL_OFFSET, FP, 2);
    START("unsupported", VAL_OFFSET_SF, FP, 2);
    START("unsupported", VAL_EXPRESSION, FP, 1, LIT0);
    START("unsupported", VAL_EXPRESSION, FP, 2, BREG0 + SP, 8);
    START("unsupported", VAL_EXPRESSION, RA, 2, BREG0 + SP, 8);
    START("unsupported", VAL_OFFSET, RA, 2);
    START("sp+8 cfa-8 same", VAL_OFFSET, OTHER, 2, VAL_OFFSET_SF, OTHER, 0x7f, VAL_EXPRESSION, OTHER, 1, LIT0);
    START("sp+8 cfa-8 cfa-16", VAL_OFFSET, FP, 2, OFFSET | FP, 2);
    START("end", UNDEFINED, RA);
    START("end", UNDEFINED, RA, DEF_CFA, OTHER, 8); /* nothing else is needed of the outermost */
    START("sp+8 cfa-8 same", UNDEFINED, RA, OFFSET | RA, 1);
    START(ARCH_RA_OFFSET ? "unsupported" : "sp+8 lr same", SAME_VALUE, RA);
    START("sp+8 cfa-8 same", ARGS_SIZE, 0x80, 1);
    START("sp+8 cfa-8 same", WINDOW_SAVE);
    START("sp+8 cfa-8 cfa-2147483648", OFFSET | FP, 0x80, 0x80, 0x80, 0x80, 1);
    START("unsupported", OFFSET | FP, 0x81, 0x80, 0x80, 0x80, 1);
    START("unsupported", OFFSET | RA, 0x81, 0x80, 0x80, 0x80, 1);
    START("unsupported", NEGATIVE_OFFSET, FP, 0x80, 0x80, 0x80, 0x80, 1);
    /* Products and negations are modulo 2^64, as everyone's are. */
    START("sp+8 cfa-8 cfa+8", OFFSET | FP, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1);
    START("sp+8 cfa-8 cfa+8", OFFSET | FP, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f);
    START("unsupported", NEGATIVE_OFFSET, FP, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10);
    START("sp+8 cfa-8 same", DEF_CFA_SF, SP, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f);
    for (unsigned op = 0x17; op < 0x40; op++)
        if (op != 0x2c && op != WINDOW_SAVE && op != ARGS_SIZE && op != NEGATIVE_OFFSET)
            START("broken", (uint8_t)op, 0, 0, 0, 0, 0, 0, 0);
    AT(5, "sp+8 cfa-8 same", ADVANCE | 6, 0x3f); /* what comes later does not matter */
}

static void states(void)
{
    uint8_t many[200];

    AT(1, "sp+16 cfa-8 same", REMEMBER, DEF_CFA_OFFSET, 16, ADVANCE | 2, RECALL);
    AT(2, "sp+8 cfa-8 same", REMEMBER, DEF_CFA_OFFSET, 16, ADVANCE | 2, RECALL);
    AT(9, "sp+8 cfa-8 same", REMEMBER, DEF_CFA, FP, 16, OFFSET | FP, 2, OFFSET | RA, 3, ADVANCE | 2, RECALL);
    AT(9, "sp+8 cfa-8 same", REMEMBER, DEF_CFA_EXPRESSION, 2, BREG0 + FP, 0, UNDEFINED, RA, ADVANCE | 2, RECALL);
    AT(9, "fp+8 cfa-8 cfa-16", OFFSET | FP, 2, REMEMBER, DEF_CFA_REGISTER, FP, REMEMBER, DEF_CFA_OFFSET, 32, RESTORE | FP,
       ADVANCE | 1, RECALL);
    AT(9, "sp+8 cfa-8 cfa-16", OFFSET | FP, 2, REMEMBER, DEF_CFA_REGISTER, FP, REMEMBER, DEF_CFA_OFFSET, 32, RESTORE | FP,
       ADVANCE | 1, RECALL, ADVANCE | 1, RECALL);
    AT(9, "fp+24 cfa-8 same", REMEMBER, DEF_CFA, FP, 24); /* never recalled */
    START("broken", RECALL);
    START("broken", REMEMBER, RECALL, RECALL);
    AT(3, "sp+8 cfa-8 same", ADVANCE | 4, RECALL);
    memset(many, REMEMBER, sizeof many);
    memset(many + 16, RECALL, 16);
    is(rule_at(0, many, 32), "sp+8 cfa-8 same", __LINE__);
    is(rule_at(0, many, 33), "sp+8 cfa-8 same", __LINE__);
    memset(many, REMEMBER, sizeof many);
    is(rule_at(0, many, sizeof many), "broken", __LINE__); /* deeper than is kept */
}

static void locations(void)
{
    static const struct {
        uint64_t first; /* address of the second row */
        uint8_t bytes[12];
        size_t count;
    } moves[] = {
        { 1, { ADVANCE | 1 }, 1 }, { 63, { ADVANCE | 63 }, 1 }, { 0xff, { ADVANCE1, 0xff }, 2 },
        { 0x1234, { ADVANCE2, 0x34, 0x12 }, 3 }, { 0xf1234, { ADVANCE4, 0x34, 0x12, 0x0f, 0 }, 5 },
        { 0xfff5, { ADVANCE2, 0xf0, 0xff, ADVANCE1, 3, ADVANCE | 2 }, 6 }, { 0, { ADVANCE | 0 }, 1 },
    };

    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        uint8_t bytes[20];
        memcpy(bytes, moves[i].bytes, moves[i].count);
        memcpy(bytes + moves[i].count, (const uint8_t[]){ DEF_CFA_OFFSET, 32 }, 2);
        is(rule_at(moves[i].first, bytes, moves[i].count + 2), "sp+32 cfa-8 same", __LINE__);
        if (moves[i].first)
            is(rule_at(moves[i].first - 1, bytes, moves[i].count + 2), "sp+8 cfa-8 same", __LINE__);
    }
    /* Locations in units. */
    struct common units = usual;
    units.code_unit = 4;
    begin();
    put_common(&units, BYTES(DEF_CFA, SP, 8, OFFSET | RA, 1));
    put_function(0, 0x1000, NULL, 0, BYTES(ADVANCE | 3, DEF_CFA_OFFSET, 16, ADVANCE1, 2, DEF_CFA_OFFSET, 24,
                                           ADVANCE2, 0, 1, DEF_CFA_OFFSET, 32, ADVANCE4, 2, 0, 0, 0, DEF_CFA_OFFSET, 40));
    static const uint64_t rows[] = { 0, 12, 20, 1044, 1052 };
    for (unsigned i = 0; i < 5; i++) {
        char expected[40];
        snprintf(expected, sizeof expected, "sp+%u cfa-8 same", 8 + 8 * i);
        is(find(code(rows[i])), expected, __LINE__);
        is(find(code(i < 4 ? rows[i + 1] - 1 : 0xfff)), expected, __LINE__);
    }
    /* set_loc, encoded as the function's start is. */
    begin();
    put_usual_common();
    put_function(0, 0x1000, NULL, 0, BYTES(SET_LOC, 0, 0, 0, 0, DEF_CFA_OFFSET, 40));
    uint8_t *place = m.at - 6;
    int32_t distance = (int32_t)(code(0x80) - (uint64_t)place);
    memcpy(place, &distance, 4);
    is(find(code(0x7f)), "sp+8 cfa-8 same", __LINE__);
    is(find(code(0x80)), "sp+40 cfa-8 same", __LINE__);
    /* The same, relative to the header. */
    struct common relative = usual;
    relative.data = (const uint8_t[]){ 0x3b };
    begin();
    put_common(&relative, BYTES(DEF_CFA, SP, 8, OFFSET | RA, 1));
    put_function(0, 0x1000, NULL, 0, BYTES(SET_LOC, 0x80, 0, CODE >> 16, 0, DEF_CFA_OFFSET, 40));
    distance = CODE;
    memcpy(m.at - 7 - 1 - 8, &distance, 4);
    is(find(code(0x7f)), "sp+8 cfa-8 same", __LINE__);
    is(find(code(0x80)), "sp+40 cfa-8 same", __LINE__);
}

/* --- expressions --------------------------------------------------------------------------- */

/* The CFA of such an expression. */
#define CFA(expected, ...) \
    START(expected, DEF_CFA_EXPRESSION, sizeof((const uint8_t[]){ __VA_ARGS__ }), __VA_ARGS__)
/* The place of the frame pointer, or of another. */
#define PLACE(reg, expected, ...) \
    START(expected, EXPRESSION, reg, sizeof((const uint8_t[]){ __VA_ARGS__ }), __VA_ARGS__)
/* One of constants only, times 8, to be seen: sp + 8 * n. */
#define CONSTANT(expected, ...) CFA(expected, BREG0 + SP, 0, __VA_ARGS__, LIT0 + 3, SHL, PLUS)

static void expressions(void)
{
    /* A frame that is aligned ("DRAP"): by gcc. */
    START("[fp-8] cfa-8 fp+0", DEF_CFA_EXPRESSION, 3, BREG0 + FP, 0x78, DEREF, EXPRESSION, FP, 2, BREG0 + FP, 0);
    CFA("fp-8 cfa-8 same", BREG0 + FP, 0x78);
    CFA("sp+160 cfa-8 same", BREG0 + SP, 0xa0, 1);
    CFA("[sp+160] cfa-8 same", BREG0 + SP, 0xa0, 1, DEREF);
    CFA("sp+200 cfa-8 same", BREG0 + SP, 0, CONST1U, 200, PLUS);
    CFA("sp-56 cfa-8 same", BREG0 + SP, 0, CONST1S, 200, PLUS);
    CFA("sp+65280 cfa-8 same", BREG0 + SP, 0, CONST2U, 0, 0xff, PLUS);
    CFA("sp-256 cfa-8 same", BREG0 + SP, 0, CONST2S, 0, 0xff, PLUS);
    CFA("unsupported", BREG0 + SP, 0, CONST4U, 0, 0, 0, 0xff, PLUS);
    CFA("sp-16777216 cfa-8 same", BREG0 + SP, 0, CONST4S, 0, 0, 0, 0xff, PLUS);
    CFA("sp+256 cfa-8 same", BREG0 + SP, 0, CONSTU, 0x80, 2, PLUS);
    CFA("sp-128 cfa-8 same", BREG0 + SP, 0, CONSTS, 0x80, 0x7f, PLUS);
    CFA("sp+264 cfa-8 same", BREG0 + SP, 8, PLUS_UCONST, 0x80, 2);
    CFA("sp+12 cfa-8 same", LIT0 + 12, BREG0 + SP, 0, PLUS);
    CFA("sp+4 cfa-8 same", BREG0 + SP, 16, LIT0 + 12, MINUS);
    CFA("fp+31 cfa-8 same", BREG0 + SP, 16, BREG0 + FP, 31); /* the last is what counts */
    CFA("unsupported", LIT0 + 12, BREG0 + SP, 0, MINUS);
    CFA("unsupported", BREG0 + SP, 0, BREG0 + FP, 0, PLUS);
    CFA("unsupported", BREG0 + SP, 0, BREG0 + SP, 0, MINUS);
    CFA("unsupported", BREG0 + SP, 15, CONST1S, 0xf0, AND);
    CFA("unsupported", BREG0 + SP, 1, LIT0 + 1, SHL);
    CFA("unsupported", BREG0 + SP, 8, DEREF, DEREF);
    CFA("unsupported", BREG0 + SP, 8, DEREF, PLUS_UCONST, 8);
    CFA("unsupported", BREG0 + SP, 8, DEREF, LIT0 + 8, PLUS);
    CFA("unsupported", LIT0 + 8, BREG0 + SP, 8, DEREF, PLUS);
    CFA("unsupported", LIT0 + 8, DEREF);
    CFA("unsupported", LIT0 + 8);
    CFA("unsupported", BREG0 + OTHER, 8);
    CFA("unsupported", BREGX, SP, 8);
    CFA("unsupported", BREG0 + SP, 8, DUP);
    CFA("unsupported", BREG0 + SP, 8, LIT0, DROP);
    CFA("unsupported", BREG0 + SP, 0, LIT0 + 2, LIT0 + 3, MUL, PLUS);
    CFA("unsupported", PLUS);
    CFA("unsupported", BREG0 + SP, 0, PLUS);
    CFA("unsupported", DEREF);
    CFA("unsupported", PLUS_UCONST, 8);
    CFA("unsupported", BREG0 + SP);
    CFA("unsupported", BREG0 + SP, 8, CONST4U, 0, 0);
    CFA("sp+8 cfa-8 same", LIT0, LIT0, LIT0, LIT0, LIT0, LIT0, LIT0, BREG0 + SP, 8);
    CFA("unsupported", LIT0, LIT0, LIT0, LIT0, LIT0, LIT0, LIT0, LIT0, BREG0 + SP, 8);
    CFA("sp-1 cfa-8 same", BREG0 + SP, 0, CONSTU, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, PLUS);
    CFA("unsupported", BREG0 + SP, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, PLUS_UCONST, 8);
    START("unsupported", DEF_CFA_EXPRESSION, 0);
    START("broken", DEF_CFA_EXPRESSION, 3, BREG0 + SP, 8); /* longer than there is */
    START("broken", DEF_CFA_EXPRESSION, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, BREG0 + SP, 8);
    START("sp+16 cfa-8 same", DEF_CFA_EXPRESSION, 2, BREG0 + FP, 8, DEF_CFA, SP, 16);

    CONSTANT("sp+56 cfa-8 same", LIT0 + 23, LIT0 + 15, AND);
    CONSTANT("sp+64 cfa-8 same", LIT0 + 23, LIT0 + 15, MINUS);
    CONSTANT("sp+32 cfa-8 same", LIT0 + 16, LIT0 + 2, SHR);
    CONSTANT("sp+0 cfa-8 same", LIT0 + 16, CONST1U, 64, SHL);
    CONSTANT("sp+0 cfa-8 same", LIT0 + 16, CONST1U, 64, SHR);
    CONSTANT("sp+8 cfa-8 same", CONST1U, 255, LIT0 + 11, GE);
    CONSTANT("sp+0 cfa-8 same", CONST1S, 255, LIT0 + 11, GE); /* signed */
    CONSTANT("sp+8 cfa-8 same", LIT0 + 11, LIT0 + 11, GE);
    CONSTANT("sp+0 cfa-8 same", LIT0 + 11, LIT0 + 11, GT);
    CONSTANT("sp+8 cfa-8 same", LIT0 + 12, LIT0 + 11, GT);
    CONSTANT("sp+8 cfa-8 same", LIT0 + 11, LIT0 + 11, LE);
    CONSTANT("sp+0 cfa-8 same", LIT0 + 11, LIT0 + 11, LT);
    CONSTANT("sp+8 cfa-8 same", CONST1S, 255, LIT0 + 11, LT);

    PLACE(FP, "sp+8 cfa-8 sp+8", BREG0 + SP, 8);
    PLACE(FP, "sp+8 cfa-8 cfa+16", PLUS_UCONST, 16); /* the CFA is there from the start */
    PLACE(FP, "sp+8 cfa-8 cfa-16", LIT0 + 16, MINUS);
    PLACE(RA, "sp+8 fp+8 same", BREG0 + FP, 8);
    PLACE(RA, "sp+8 cfa-24 same", CONST1S, 0xe8, PLUS);
    PLACE(FP, "unsupported", BREG0 + SP, 8, DEREF);
    PLACE(FP, "unsupported", DEREF);
    PLACE(FP, "unsupported", LIT0 + 8);
    PLACE(FP, "unsupported", BREG0 + OTHER, 8);
    PLACE(RA, "unsupported", BREG0 + OTHER, 8);
    PLACE(FP, "unsupported", PLUS_UCONST, 0x80, 0x80, 0x80, 0x80, 8);
    PLACE(OTHER, "sp+8 cfa-8 same", BREG0 + OTHER, 8, DEREF);
    START("sp+8 cfa-8 cfa+0", EXPRESSION, FP, 0);
    START("broken", EXPRESSION, FP, 3, BREG0 + SP, 8);
}

/* .plt: the second half of an entry has pushed a word. */
static void plt(void)
{
    if (!ARCH_RA_OFFSET)
        return;
    for (uint64_t at = 0; at < 0x100; at++) {
        struct rule rule = rule_at(at, BYTES(DEF_CFA_OFFSET, 16, ADVANCE | 6, DEF_CFA_OFFSET, 24, ADVANCE | 10,
                                             DEF_CFA_EXPRESSION, 11, BREG0 + SP, 8, BREG0 + RA, 0, LIT0 + 15, AND,
                                             LIT0 + 11, GE, LIT0 + 3, SHL, PLUS));
        bool pushed = (code(at) & 15) >= 11;
        is(rule, at < 6 ? "sp+16 cfa-8 same" : at < 16 || pushed ? at < 16 ? "sp+24 cfa-8 same" : "sp+16 cfa-8 same"
                                                                 : "sp+8 cfa-8 same", __LINE__);
    }
}

/* --- entries --------------------------------------------------------------------------------- */

#define USUAL DEF_CFA, SP, 8, OFFSET | RA, 1
#define DATA(...) .data = (const uint8_t[]){ __VA_ARGS__ }, .data_bytes = sizeof((const uint8_t[]){ __VA_ARGS__ })

static void commons(void)
{
    struct common c = usual;

    COMMON("sp+8 cfa-8 same", &c, USUAL);
    COMMON("sp+8 cfa-8 cfa-16", &c, USUAL, OFFSET | FP, 2);
    COMMON("fp+16 cfa-8 same", &c, USUAL, OFFSET | FP, 2, DEF_CFA, FP, 16, RESTORE | FP); /* to what it is without */
    COMMON("end", &c, DEF_CFA, SP, 8, UNDEFINED, RA);
    COMMON(ARCH_RA_OFFSET ? "unsupported" : "sp+8 lr same", &c, DEF_CFA, SP, 8);
    COMMON("unsupported", &c, OFFSET | RA, 1); /* no CFA */
    COMMON("unsupported", &c, NOP);
    COMMON("broken", &c, USUAL, RECALL);
    COMMON("broken", &c, USUAL, 0x3f);
    for (unsigned version = 0; version < 6; version++) {
        c.version = (uint8_t)version;
        COMMON(version == 1 || version == 3 ? "sp+8 cfa-8 same" : "broken", &c, USUAL);
    }
    c = usual;
    c.return_register = OTHER;
    COMMON("unsupported", &c, USUAL);
    c = usual;
    c.data_unit = 0x7c; /* -4 */
    COMMON("sp+8 cfa-4 same", &c, USUAL);
    c.data_unit = 8;
    COMMON("sp+16 cfa+8 same", &c, DEF_CFA_SF, SP, 2, OFFSET | RA, 1);

#define AUGMENTED(expected, text, ...) \
    COMMON(expected, (&(const struct common){ text, DATA(__VA_ARGS__), 1, RA, 1, 0x78 }), USUAL)
    AUGMENTED("sp+8 cfa-8 same signal", "zRS", 0x1b);
    AUGMENTED("sp+8 cfa-8 same signal", "zSR", 0x1b);
    AUGMENTED("sp+8 cfa-8 same", "zRB", 0x1b);
    AUGMENTED("sp+8 cfa-8 same", "zPLR", 0x9b, 1, 2, 3, 4, 0x1b, 0x1b);
    AUGMENTED("sp+8 cfa-8 same", "zPR", 0x00, 1, 2, 3, 4, 5, 6, 7, 8, 0x1b);
    AUGMENTED("sp+8 cfa-8 same", "zPR", 0x03, 1, 2, 3, 4, 0x1b);
    AUGMENTED("sp+8 cfa-8 same", "zPR", 0x1c, 1, 2, 3, 4, 5, 6, 7, 8, 0x1b);
    AUGMENTED("sp+8 cfa-8 same", "zPR", 0x02, 1, 2, 0x1b);
    AUGMENTED("sp+8 cfa-8 same", "zPR", 0x81, 0x80, 1, 0x1b);
    AUGMENTED("broken", "zPR", 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0x1b); /* aligned: how far is not said */
    AUGMENTED("broken", "zPR", 0x0f, 1, 2, 3, 4, 0x1b);
    AUGMENTED("sp+8 cfa-8 same", "zLR", 0x1b, 0x1b);
    AUGMENTED("sp+8 cfa-8 same", "zRX", 0x1b, 1, 2, 3); /* unknown, but the data's length is not */
    AUGMENTED("sp+8 cfa-8 same", "zRXP", 0x1b);
    AUGMENTED("broken", "zXR", 0x1b); /* what an unknown letter hides */
    AUGMENTED("broken", "zRXS", 0x1b);
    AUGMENTED("broken", "zRP", 0x1b); /* data shorter than the letters want */
    AUGMENTED("broken", "zRP", 0x1b, 0x1b, 0, 0);
    AUGMENTED("broken", "R", 0x1b);
    AUGMENTED("broken", "eh", 0x1b);
    AUGMENTED("broken", "zR", 0x9b); /* where the function starts would have to be read elsewhere */
    AUGMENTED("broken", "zR", 0xff);
    AUGMENTED("broken", "zR", 0x2b);
    AUGMENTED("broken", "zR", 0x0d);
    /* Data that are longer than the entry. */
    begin();
    m.common = m.at;
    uint8_t *body = begin_entry();
    put_bytes(BYTES(0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, RA, 200, 0x1b, USUAL));
    end_entry(body);
    put_function(0, 0x1000, NULL, 0, NULL, 0);
    is(find(code(0)), "broken", __LINE__);
    /* An augmentation without end. */
    begin();
    m.common = m.at;
    body = begin_entry();
    put_bytes(BYTES(0, 0, 0, 0, 1, 'z', 'R', 'R', 'R'));
    end_entry(body);
    put_function(0, 0x1000, NULL, 0, NULL, 0);
    is(find(code(0)), "broken", __LINE__);

    /* Without any: addresses are whole, and the function has no augmentation data. */
    c = (struct common){ "", NULL, 0, 1, RA, 1, 0x78 };
    begin();
    put_common(&c, BYTES(USUAL));
    put_table_entry(code(0), m.at);
    body = begin_entry();
    put((uint64_t)(m.at - m.common), 4);
    put(code(0), 8);
    put(0x20, 8);
    put_bytes(BYTES(DEF_CFA_OFFSET, 24));
    end_entry(body);
    is(find(code(0x1f)), "sp+24 cfa-8 same", __LINE__);
    is(find(code(0x20)), "none", __LINE__);
}

/* glibc's return from a signal handler. */
static void signal_return(void)
{
    const struct common signal = { "zRS", DATA(0x1b), 1, RA, 1, 0x78 };

    begin();
    put_common(&signal, NULL, 0);
    put_function(0, 9, NULL, 0, BYTES(DEF_CFA_EXPRESSION, 4, BREG0 + SP, 0xa0, 1, DEREF,
                                      EXPRESSION, OTHER, 3, BREG0 + SP, 0xa8, 0,
                                      EXPRESSION, FP, 3, BREG0 + SP, 0xf8, 0,
                                      EXPRESSION, RA, 3, BREG0 + SP, 0xa8, 1));
    is(find(code(0)), "[sp+160] sp+168 sp+120 signal", __LINE__);
    is(find(code(8)), "[sp+160] sp+168 sp+120 signal", __LINE__);
    is(find(code(9)), "none", __LINE__);
}

static void functions(void)
{
    /* With a language's data; with lengths of 8 bytes, where the CIE pointer still has 4. */
    for (unsigned wide = 0; wide < 2; wide++) {
        begin();
        m.wide = wide;
        put_common(&(const struct common){ "zPLR", DATA(0x9b, 1, 2, 3, 4, 0x1b, 0x1b), 1, RA, 1, 0x78 }, BYTES(USUAL));
        put_function(0, 16, BYTES(1, 2, 3, 4), BYTES(DEF_CFA_OFFSET, 16));
        put_function(16, 16, BYTES(1, 2, 3, 4), BYTES(DEF_CFA_OFFSET, 24));
        put_usual_common();
        put_function(48, 16, NULL, 0, BYTES(ADVANCE | 15, DEF_CFA_OFFSET, 32));
        is(find(code(0)), "sp+16 cfa-8 same", __LINE__);
        is(find(code(15)), "sp+16 cfa-8 same", __LINE__); /* a return address behind the last call: the byte before it */
        is(find(code(16)), "sp+24 cfa-8 same", __LINE__);
        is(find(code(31)), "sp+24 cfa-8 same", __LINE__);
        is(find(code(32)), "none", __LINE__);
        is(find(code(47)), "none", __LINE__);
        is(find(code(48)), "sp+8 cfa-8 same", __LINE__);
        is(find(code(62)), "sp+8 cfa-8 same", __LINE__);
        is(find(code(63)), "sp+32 cfa-8 same", __LINE__);
        is(find(code(64)), "none", __LINE__);
        is(find(code(0) - 1), "none", __LINE__);
        is(find(0), "none", __LINE__);
        is(find(UINT64_MAX), "none", __LINE__);
        is(find(code(0) + (1ull << 32)), "none", __LINE__);
        is(find(code(0) - (1ull << 32)), "none", __LINE__);
        is(find(code(0) + (1ull << 63)), "none", __LINE__);
    }
    /* Data that are longer than the entry. */
    begin();
    put_usual_common();
    put_function(0, 16, NULL, 0, BYTES(NOP, NOP));
    m.at[-3] = 2; /* of the augmentation: its length */
    is(find(code(0)), "sp+8 cfa-8 same", __LINE__);
    m.at[-3] = 3;
    is(find(code(0)), "broken", __LINE__);
}

/* --- the header -------------------------------------------------------------------------------- */

static void many_functions(void)
{
    unsigned long wrong = 0;
    uint64_t at = 0;

    for (uint32_t count = 0; count <= FUNCTIONS_MAX; count = count < 20 ? count + 1 : count * 7) {
        begin();
        put_usual_common();
        at = 0;
        for (uint32_t i = 0; i < count; at += 8 + i % 3 * 8, i++) {
            uint64_t offset = 16 + 8 * i;
            put_function(at, 8, NULL, 0, BYTES(DEF_CFA_OFFSET, (uint8_t)(offset | 0x80), (uint8_t)(offset >> 7 | 0x80),
                                               (uint8_t)(offset >> 14)));
        }
        wrong += find(code(0) - 1).kind != RULE_NONE;
        at = 0;
        for (uint32_t i = 0; i < count; at += 8 + i % 3 * 8, i++) {
            struct rule first = find(code(at)), last = find(code(at + 7)), behind = find(code(at + 8));
            wrong += first.kind != RULE_STEP || first.cfa != (int32_t)(16 + 8 * i);
            wrong += last.kind != RULE_STEP || last.cfa != first.cfa;
            wrong += i % 3 || i == count - 1 ? behind.kind != RULE_NONE : behind.cfa != first.cfa + 8;
        }
        wrong += find(code(at)).kind != RULE_NONE;
    }
    CHECK(wrong == 0);
}

/* The rule where the header has other first bytes, the table behind them. */
static struct rule with_header(const uint8_t *bytes, size_t count, uint64_t functions, unsigned function_bytes)
{
    int32_t pair[2];

    begin();
    put_usual_common();
    put_function(0, 16, NULL, 0, NULL, 0);
    memcpy(pair, m.bytes + 12, sizeof pair);
    struct cfi_tables t = tables();
    memcpy(m.bytes, bytes, count);
    memcpy(m.bytes + count, &functions, function_bytes);
    memcpy(m.bytes + count + function_bytes, pair, sizeof pair);
    struct rule rule;
    cfi_find_rule(&t, code(0), &work, &rule);
    return rule;
}

static void headers(void)
{
    struct cfi_tables t;
    struct rule rule;

#define HEADER(expected, functions, function_bytes, ...) \
    is(with_header(BYTES(__VA_ARGS__), functions, function_bytes), expected, __LINE__)
    HEADER("sp+8 cfa-8 same", 1, 4, 1, 0x1b, 3, 0x3b, 0, 0, 0, 0);
    HEADER("sp+8 cfa-8 same", 1, 4, 1, 0xff, 3, 0x3b);
    HEADER("sp+8 cfa-8 same", 1, 8, 1, 0x1c, 4, 0x3b, 0, 0, 0, 0, 0, 0, 0, 0);
    HEADER("sp+8 cfa-8 same", 1, 2, 1, 0x1b, 2, 0x3b, 0, 0, 0, 0);
    HEADER("sp+8 cfa-8 same", 1, 1, 1, 0x1b, 1, 0x3b, 0, 0, 0, 0);
    HEADER("none", 0, 4, 1, 0x1b, 3, 0x3b, 0, 0, 0, 0);
    HEADER("broken", 1, 4, 2, 0x1b, 3, 0x3b, 0, 0, 0, 0);
    HEADER("broken", 1, 4, 1, 0x1b, 3, 0x1b, 0, 0, 0, 0);
    HEADER("broken", 1, 4, 1, 0x1b, 3, 0xff, 0, 0, 0, 0);
    HEADER("broken", 0, 0, 1, 0x1b, 0xff, 0xff, 0, 0, 0, 0); /* no table */
    HEADER("broken", 1, 4, 1, 0x1b, 0x0d, 0x3b, 0, 0, 0, 0);
    HEADER("broken", UINT32_MAX, 4, 1, 0x1b, 3, 0x3b, 0, 0, 0, 0);
    HEADER("broken", 1ull << 61, 8, 1, 0x1b, 4, 0x3b, 0, 0, 0, 0);
    HEADER("broken", UINT64_MAX, 8, 1, 0x1b, 4, 0x3b, 0, 0, 0, 0);

    begin();
    put_usual_common();
    is(find(code(0)), "none", __LINE__); /* no functions */
    t = tables();
    t.header = NULL;
    cfi_find_rule(&t, code(0), &work, &rule);
    is(rule, "none", __LINE__);
    static const uint8_t elsewhere[16];
    t.header = elsewhere;
    cfi_find_rule(&t, code(0), &work, &rule);
    is(rule, "broken", __LINE__);
    t.header = t.end;
    cfi_find_rule(&t, code(0), &work, &rule);
    is(rule, "broken", __LINE__);
    t = (struct cfi_tables){ m.bytes, m.bytes, m.bytes };
    cfi_find_rule(&t, code(0), &work, &rule);
    is(rule, "broken", __LINE__);

    /* Entries that are elsewhere, or none. */
    const int32_t offsets[] = { INT32_MAX, INT32_MIN, -1, HEADER_BYTES /* the CIE */, (int32_t)sizeof m.bytes };
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        rule_at(0, BYTES(NOP));
        memcpy(m.bytes + 16, &offsets[i], 4);
        is(find(code(0)), "broken", __LINE__);
    }
    const struct {
        int32_t at, value; /* in the function's entry */
    } lies[] = {
        { 0, 0 }, { 0, 3 }, { 0, 12 }, { 0, INT32_MAX }, { 0, -2 }, { 0, -1 }, { 4, 0 }, { 4, 1 }, { 4, -1 }, { 4, INT32_MAX },
        { 4, HEADER_BYTES },
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        int32_t fde;
        rule_at(0, BYTES(NOP));
        memcpy(&fde, m.bytes + 16, 4);
        memcpy(m.bytes + fde + lies[i].at, &lies[i].value, 4);
        is(find(code(0)), "broken", __LINE__);
    }
    rule_at(0, BYTES(NOP));
    m.common[4] = 1; /* not a CIE */
    is(find(code(0)), "broken", __LINE__);
    /* What begins elsewhere than the table says is looked at as it says itself. */
    rule_at(0, BYTES(NOP));
    int32_t start = CODE + 0x10;
    memcpy(m.bytes + 12, &start, 4);
    is(find(code(0xf)), "none", __LINE__);
    is(find(code(0x10)), "sp+8 cfa-8 same", __LINE__);
}

/* --- damage --------------------------------------------------------------------------------------- */

static void begin_varied(void)
{
    begin();
    put_common(&(const struct common){ "zPLRS", DATA(0x9b, 1, 2, 3, 4, 0x1b, 0x1b), 1, RA, 1, 0x78 },
               BYTES(USUAL, REMEMBER, RECALL, OFFSET | FP, 3));
    put_function(0, 64, BYTES(1, 2, 3, 4),
                 BYTES(ADVANCE | 1, DEF_CFA, FP, 0x90, 1, ADVANCE1, 1, OFFSET_EXTENDED, FP, 2, ADVANCE2, 1, 0, REMEMBER,
                       DEF_CFA_EXPRESSION, 3, BREG0 + FP, 0x78, DEREF, EXPRESSION, FP, 5, BREG0 + SP, 0x80, 1, LIT0 + 8, PLUS,
                       ADVANCE4, 1, 0, 0, 0, RECALL));
    m.count = 1;
    memcpy(m.bytes + 8, &m.count, sizeof m.count);
}

/* The table's end is where a page ends, and behind that is none. */
static void cut(void)
{
    unsigned long whole = 0, broken = 0, others = 0;
    struct rule rule;

    begin_varied();
    size_t bytes = (size_t)(m.at - m.bytes), room = (bytes + 4095) & ~4095ul;
    uint8_t *pages = mmap(NULL, room + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!CHECK(pages != MAP_FAILED && mprotect(pages + room, 4096, PROT_NONE) == 0))
        return;
    for (size_t length = 0; length <= bytes; length = length == 32 ? HEADER_BYTES - 8 : length + 1) {
        uint8_t *start = pages + room - length;
        memcpy(start, m.bytes, length);
        struct cfi_tables t = { start, start, start + length };
        for (unsigned at = 0; at < 70; at++) {
            cfi_find_rule(&t, (uint64_t)start + CODE + at, &work, &rule);
            whole += rule.kind == RULE_STEP && rule.signal;
            broken += rule.kind == RULE_BROKEN;
            others += rule.kind != (at < 64 ? RULE_BROKEN : RULE_NONE) && rule.kind != RULE_BROKEN && length < bytes;
        }
    }
    CHECK(whole == 64);
    CHECK(others == 0);
    CHECK(broken > 1000);
    munmap(pages, room + 4096);
}

/* Every byte made every other: some rule, and no reading outside. */
static void damaged(void)
{
    unsigned long senseless = 0;

    begin_varied();
    size_t bytes = (size_t)(m.at - m.bytes);
    uint8_t *copy = malloc(bytes);
    memcpy(copy, m.bytes, bytes);
    for (size_t i = 0; i < bytes; i = i == 20 ? HEADER_BYTES : i + 1)
        for (unsigned value = 0; value < 256; value++) {
            uint8_t was = copy[i];
            copy[i] = (uint8_t)value;
            for (unsigned at = 0; at < 70; at += 1 + at / 6 * 20) {
                struct cfi_tables t = { copy, copy, copy + bytes };
                struct rule rule;
                cfi_find_rule(&t, (uint64_t)copy + CODE + at, &work, &rule);
                senseless += rule.kind < RULE_STEP || rule.kind > RULE_BROKEN;
                senseless += rule.kind == RULE_STEP && (rule.cfa_base < RULE_FROM_SP || rule.cfa_base > RULE_FROM_FP);
            }
            copy[i] = was;
        }
    CHECK(senseless == 0);
    free(copy);
}

int main(void)
{
    the_cfa();
    places();
    states();
    locations();
    expressions();
    plt();
    commons();
    signal_return();
    functions();
    many_functions();
    headers();
    cut();
    damaged();
    return check_summary();
}
