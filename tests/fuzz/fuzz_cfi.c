/* A libFuzzer target for the reader of unwind tables: the bytes are a module's
 * mapping, of exactly their size, so that a byte read outside is noticed. The last
 * FUZZ_TAIL bytes say where the header is and which address is asked for.
 *
 * Nearly every mutation would make a header that finds nothing. So, where the flag
 * FUZZ_AS_IS is not set, the first entry of a table that is there is made to hold the
 * address: its start in the table and in the FDE, the latter relative to itself. */
#include "interpose/inside/arch.h"
#include "interpose/inside/cfi.h"

#include <stdio.h>
#include <stdlib.h>

static struct cfi_work work;

#define FUZZ_AS_IS 1
#define FUZZ_TAIL 8 /* flags, 1 unused, header's offset (2), the address's offset (4) */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must be true, whatever the bytes are. */
static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz_cfi: not so: %s\n", what);
    abort();
}

static void look_at(const struct rule *r)
{
    demand(r->kind >= RULE_STEP && r->kind <= RULE_BROKEN, "a rule has a kind");
    demand(!r->no_module, "only who knows no module says so");
    uint32_t rule = arch_short(r);
    if (r->kind != RULE_STEP) {
        demand(rule == RULE_SHORT_NONE, "what is no step has no short rule");
        demand(!r->cfa_base && !r->cfa_is_read && !r->ra_base && !r->fp_base && !r->cfa && !r->ra && !r->fp,
               "what is no step has no places");
        return;
    }
    demand(r->cfa_base == RULE_FROM_SP || r->cfa_base == RULE_FROM_FP, "a CFA is from a register");
    demand(r->ra_base == RULE_FROM_CFA || r->ra_base == RULE_FROM_SP || r->ra_base == RULE_FROM_FP ||
               (r->ra_base == RULE_IN_LR && !ARCH_RA_OFFSET),
           "a return address is somewhere");
    demand(r->fp_base <= RULE_FROM_FP, "a frame pointer is saved in memory or not at all");
    demand(r->ra_base != RULE_IN_LR || !r->ra, "a register has no offset");
    demand(r->fp_base != RULE_NOWHERE || !r->fp, "nowhere has no offset");
    demand(rule < 1u << RULE_SHORT_BITS, "a short rule is short");
    if (rule != RULE_SHORT_NONE)
        demand(arch_cfa(rule, 0x10000000, 0x20000000) ==
                   (r->cfa_base == RULE_FROM_SP ? 0x10000000u : 0x20000000u) + (uint64_t)(int64_t)r->cfa,
               "a short rule means the same");
}

static bool within(int64_t at, uint64_t bytes, uint64_t size)
{
    return at >= 0 && (uint64_t)at <= size && size - (uint64_t)at >= bytes;
}

/* The table's first entry, if linkers could have made it, is made to begin at pc. */
static void mend(uint8_t *data, size_t size, size_t header, uint64_t pc)
{
    static const uint8_t form[] = { 1, 0x1b, 3, 0x3b };
    int32_t fde, start = (int32_t)(pc - (uint64_t)(data + header));

    if (!within((int64_t)header, 20, size) || memcmp(data + header, form, sizeof form) != 0)
        return;
    memcpy(data + header + 12, &start, sizeof start);
    memcpy(&fde, data + header + 16, sizeof fde);
    int64_t place = (int64_t)header + fde;
    if (!within(place, 20, size))
        return;
    place += memcmp(data + place, "\xff\xff\xff\xff", 4) == 0 ? 16 : 8; /* behind the length and the CIE's place */
    start = (int32_t)(pc - (uint64_t)(data + place));
    memcpy(data + place, &start, sizeof start);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint16_t header;
    int32_t offset;
    struct rule rule, again;

    if (size < FUZZ_TAIL)
        return -1;
    size -= FUZZ_TAIL;
    uint8_t *mapping = memcpy(malloc(size ? size : 1), data, size), flags = data[size];
    memcpy(&header, data + size + 2, sizeof header);
    memcpy(&offset, data + size + 4, sizeof offset);
    struct cfi_tables tables = { mapping + header % (size + 1), mapping, mapping + size };
    uint64_t pc = (uint64_t)mapping + (uint64_t)(int64_t)offset;

    if (!(flags & FUZZ_AS_IS))
        mend(mapping, size, header % (size + 1), pc);
    for (uint64_t at = 0; at < 256; at += 1 + at / 16 * 5) { /* rows of one function */
        memset(&rule, 0x55, sizeof rule);
        memset(&again, 0xaa, sizeof again);
        cfi_find_rule(&tables, pc + at, &work, &rule);
        cfi_find_rule(&tables, pc + at, &work, &again);
        look_at(&rule);
        demand(rule.kind == again.kind && rule.cfa == again.cfa && rule.ra == again.ra && rule.fp == again.fp &&
                   rule.signal == again.signal && rule.cfa_is_read == again.cfa_is_read,
               "all of a rule is set");
    }
    free(mapping);
    return 0;
}
