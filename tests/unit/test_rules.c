/* Short rules (interpose/inside/arch_*.h) and the cache that keeps them
 * (rule_cache.h): what is put together must come apart as the same, and the cache,
 * which does not hold addresses, must never take one for another. */
#include "interpose/inside/rule_cache.h"
#include "tests/unit/check.h"
#include "tests/unit/random.h"

#include <stdlib.h>

/* --- short rules ----------------------------------------------------------------- */

static uint64_t based(unsigned base, int32_t offset, uint64_t cfa, uint64_t sp, uint64_t fp)
{
    return (base == RULE_FROM_CFA ? cfa : base == RULE_FROM_SP ? sp : fp) + (uint64_t)(int64_t)offset;
}

/* False: the short rule means something else, for made-up registers. */
static bool means_the_same(const struct rule *r, uint32_t rule)
{
    uint64_t sp = random_number(), fp = random_number(), cfa = based(r->cfa_base, r->cfa, 0, sp, fp);

    if (r->kind != RULE_STEP || r->signal || r->cfa_is_read || r->no_module || rule >> RULE_SHORT_BITS)
        return false;
    if (arch_uses_fp(rule) != (r->cfa_base == RULE_FROM_FP) || arch_saves_fp(rule) != (r->fp_base != RULE_NOWHERE))
        return false;
    if (arch_cfa(rule, sp, fp) != cfa || arch_ra_slot(rule, cfa) != based(r->ra_base, r->ra, cfa, sp, fp))
        return false;
    /* Where nothing is saved, it is still read: only what is in the frame may be. */
    return arch_saves_fp(rule) ? arch_fp_slot(rule, cfa) == based(r->fp_base, r->fp, cfa, sp, fp)
                               : arch_fp_slot(rule, cfa) == arch_ra_slot(rule, cfa);
}

static int32_t random_offset(void)
{
    static const int32_t edges[] = { INT32_MIN, INT32_MIN + 8, INT32_MAX, INT32_MAX - 7, 0, 1, 4, 7, 12 };

    switch (random_below(4)) {
    case 0: return edges[random_below(sizeof edges / sizeof *edges)];
    case 1: return (int32_t)random_number();
    case 2: return 8 * ((int32_t)random_below(20) - 10);
    default: return 8 * ((int32_t)random_below(5000) - 2500);
    }
}

static void short_rules(void)
{
    unsigned long accepted = 0, wrong = 0;

    for (unsigned i = 0; i < 2000000; i++) {
        struct rule r = { .kind = random_below(20) ? RULE_STEP : (unsigned)random_below(8),
                          .cfa_base = random_below(2) ? RULE_FROM_SP : RULE_FROM_FP,
                          .cfa_is_read = !random_below(20), .signal = !random_below(20),
                          .ra_base = random_below(8) ? RULE_FROM_CFA : (unsigned)random_below(5),
                          .fp_base = (unsigned)random_below(random_below(2) ? 2 : 4),
                          .cfa = random_offset(), .ra = random_offset(), .fp = random_offset() };
        if (random_below(2)) { /* as compilers have it */
            r.ra = ARCH_RA_OFFSET ? ARCH_RA_OFFSET : (int32_t)(random_below(2) ? 0u - r.cfa : 8u - r.cfa);
            r.fp = ARCH_RA_OFFSET ? r.fp : (int32_t)(0u - r.cfa);
        }
        uint32_t rule = arch_short(&r);
        accepted += rule != RULE_SHORT_NONE;
        wrong += rule != RULE_SHORT_NONE && !means_the_same(&r, rule);
    }
    CHECK(wrong == 0);
    CHECK(accepted > 1000);

    /* All that fit: as many short rules as rules, and the same ones. */
    static bool seen[1 << RULE_SHORT_BITS];
    unsigned long count = 0, twice = 0;
    const int32_t unit = ARCH_RA_OFFSET ? 8 : 16, most = ARCH_RA_OFFSET ? 511 : 1023, saved_most = ARCH_RA_OFFSET ? 7 : 1;
    for (unsigned base = RULE_FROM_SP; base <= RULE_FROM_FP; base++)
        for (int32_t n = -2; n <= most + 2; n++)
            for (int32_t saved = 0; saved <= saved_most + 1; saved++) {
                struct rule r = { .kind = RULE_STEP, .cfa_base = base & 7, .ra_base = RULE_FROM_CFA, .cfa = n * unit,
                                  .fp_base = saved ? RULE_FROM_CFA : RULE_NOWHERE };
                r.ra = ARCH_RA_OFFSET ? -8 : saved ? 8 - r.cfa : -r.cfa;
                r.fp = !saved ? 0 : ARCH_RA_OFFSET ? -8 - 8 * saved : -r.cfa + 8 * (saved - 1);
                uint32_t rule = arch_short(&r);
                bool fits = n >= 1 && n <= most && saved <= saved_most;
                wrong += fits != (rule != RULE_SHORT_NONE) || (fits && !means_the_same(&r, rule));
                twice += fits && seen[rule];
                seen[rule] = true;
                count += fits;
            }
    CHECK(wrong == 0 && twice == 0);
    CHECK(count == 2ul * (unsigned long)most * (unsigned long)(saved_most + 1));

    struct rule usual = { .kind = RULE_STEP, .cfa_base = RULE_FROM_FP, .cfa = 16, .ra_base = RULE_FROM_CFA, .ra = -8,
                          .fp_base = RULE_FROM_CFA, .fp = -16 };
    CHECK(arch_short(&usual) == ARCH_SHORT_FRAME_POINTER);
    static const struct rule not_steps[] = { { .kind = RULE_END }, { .kind = RULE_NONE }, { .kind = RULE_UNSUPPORTED }, { 0 } };
    for (unsigned i = 0; i < 4; i++)
        CHECK(arch_short(&not_steps[i]) == RULE_SHORT_NONE);
    arch_signal_rule(&usual);
    CHECK(usual.kind == RULE_STEP && usual.signal && arch_short(&usual) == RULE_SHORT_NONE);
}

/* --- the cache --------------------------------------------------------------------- */

#define MAP_BITS 21
#define PUTS 1000000u

/* Address -> what was put last. */
static struct known {
    uint64_t pc;
    uint64_t value;
} map[1u << MAP_BITS];

static struct known *find(uint64_t pc)
{
    uint64_t at = pc * 0x9e3779b97f4a7c15ull >> (64 - MAP_BITS);

    while (map[at].pc && map[at].pc != pc)
        at = (at + 1) % (1u << MAP_BITS);
    return &map[at];
}

/* Addresses that are alike in some of their bits, as those of code are. */
static uint64_t random_pc(void)
{
    static uint64_t last = 0x7f0000001000;
    uint64_t pc;

    do {
        switch (random_below(5)) {
        case 0: pc = random_number(); break;
        case 1: pc = last + (random_below(64) << ARCH_PC_SHIFT); break;
        case 2: pc = last ^ 1ull << random_below(RULE_CACHE_ADDRESS_BITS + ARCH_PC_SHIFT); break;
        case 3: pc = 0x550000000000 + (random_below(1 << 20) << ARCH_PC_SHIFT); break;
        default: pc = random_below(1u << 16) << random_below(32); break;
        }
        pc &= (1ull << (RULE_CACHE_ADDRESS_BITS + ARCH_PC_SHIFT)) - (1ull << ARCH_PC_SHIFT);
    } while (!rule_cache_takes(pc));
    return last = pc;
}

/* What get may say of an address: what was put last, or nothing. Where the number
 * and the rule say "ask pcs.h" both, that is nothing, too. */
static bool sound(struct rule_cache *cache, uint64_t pc)
{
    uint64_t got = rule_cache_get(cache, pc);
    const struct known *known = find(pc);

    return got == ~0ull || (known->pc == pc && known->value == got);
}

static void cache(void)
{
    static struct rule_cache cache;
    unsigned long unsound = 0, lost = 0, shared = 0, kept = 0;
    uint64_t pc;

    rule_cache_clear(&cache);
    for (unsigned i = 0; i < PUTS; i++)
        unsound += rule_cache_get(&cache, random_pc()) != ~0ull;
    for (uint64_t bit = 12; bit < RULE_CACHE_ADDRESS_BITS; bit++)
        for (uint64_t n = 1; n < 4096; n++)
            unsound += rule_cache_takes(n << bit << ARCH_PC_SHIFT) && rule_cache_get(&cache, n << bit << ARCH_PC_SHIFT) != ~0ull;
    CHECK(unsound == 0); /* an empty cache knows nothing */

    for (unsigned i = 0; i < PUTS; i++) {
        uint32_t id = random_below(4) ? (uint32_t)random_below(RULE_CACHE_ID_MAX + 3) : (uint32_t)random_number();
        uint32_t rule = random_below(4) ? (uint32_t)random_below(1 << RULE_SHORT_BITS) : RULE_SHORT_NONE;
        pc = random_pc();
        struct known *known = find(pc);
        *known = (struct known){ pc, (uint64_t)(id > RULE_CACHE_ID_MAX ? 0 : id) << RULE_SHORT_BITS | rule };
        rule_cache_put(&cache, pc, id, rule);
        lost += rule_cache_get(&cache, pc) != known->value && known->value != 0;
        unsound += !sound(&cache, pc) + !sound(&cache, random_pc()) + !sound(&cache, random_pc());
        /* Two addresses of one place: the second puts out the first. */
        uint64_t other = random_pc();
        if (other != pc && rule_cache_place(&cache, rule_cache_product(other)) ==
                               rule_cache_place(&cache, rule_cache_product(pc))) {
            shared++;
            unsound += rule_cache_get(&cache, other) != ~0ull;
        }
    }
    CHECK(unsound == 0);
    CHECK(lost == 0);
    CHECK(shared > 50);
    for (unsigned i = 0; i < 1u << MAP_BITS; i++) {
        unsound += map[i].pc && !sound(&cache, map[i].pc);
        kept += map[i].pc && map[i].value && rule_cache_get(&cache, map[i].pc) == map[i].value;
    }
    CHECK(unsound == 0);
    CHECK(kept > (1u << RULE_CACHE_BITS) / 2 && kept <= 1u << RULE_CACHE_BITS);

    /* Addresses at the ends, and numbers that do not fit: the rule alone is kept. */
    const uint64_t end = 1ull << (RULE_CACHE_ADDRESS_BITS + ARCH_PC_SHIFT), step = 1ull << ARCH_PC_SHIFT;
    CHECK(!rule_cache_takes(0) && !rule_cache_takes(4095 * step) && rule_cache_takes(4096 * step));
    CHECK(rule_cache_takes(end - step) && !rule_cache_takes(end) && !rule_cache_takes(UINT64_MAX));
    const uint64_t ends[] = { 4096 * step, end - step };
    for (unsigned i = 0; i < 2; i++) {
        rule_cache_put(&cache, ends[i], RULE_CACHE_ID_MAX, 5);
        CHECK(rule_cache_get(&cache, ends[i]) == ((uint64_t)RULE_CACHE_ID_MAX << RULE_SHORT_BITS | 5));
        rule_cache_put(&cache, ends[i], RULE_CACHE_ID_MAX + 1, 8191);
        CHECK(rule_cache_get(&cache, ends[i]) == 8191);
        rule_cache_put(&cache, ends[i], UINT32_MAX, 1);
        CHECK(rule_cache_get(&cache, ends[i]) == 1);
    }
    rule_cache_clear(&cache);
    CHECK(rule_cache_get(&cache, ends[0]) == ~0ull && rule_cache_get(&cache, ends[1]) == ~0ull);
}

int main(void)
{
    short_rules();
    cache();
    return check_summary();
}
