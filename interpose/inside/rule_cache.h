/* A thread's own memory of short rules, before the process's table (pcs.h): code
 * address -> short rule and pc number. An entry is 8 bytes, since misses in the
 * processor's cache are what walking a large program's stacks costs most.
 *
 * It is exact though it does not hold the address: an address of ADDRESS_BITS,
 * times an odd number, modulo 2^ADDRESS_BITS, is one to one; some bits of the
 * product choose the place, and all others are in the entry. An entry is
 *
 *   bits 29-63  the product's other bits
 *   bits 13-28  the pc number; 0: larger than that, ask pcs.h
 *   bits 0-12   the short rule; RULE_SHORT_NONE: ask pcs.h
 *
 * May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_RULE_CACHE_H
#define MALLOSCOPE_INSIDE_RULE_CACHE_H

#include "interpose/inside/arch.h"

#define RULE_CACHE_BITS 12
#define RULE_CACHE_ADDRESS_BITS 47
#define RULE_CACHE_ID_BITS (64 - (RULE_CACHE_ADDRESS_BITS - RULE_CACHE_BITS) - RULE_SHORT_BITS)
#define RULE_CACHE_ID_MAX ((1u << RULE_CACHE_ID_BITS) - 1)

struct rule_cache {
    uint64_t entry[1 << RULE_CACHE_BITS];
};

/* Whether an address can be in the cache at all; no code is on the first page (aarch64:
 * the first four). */
static inline bool rule_cache_takes(uint64_t pc)
{
    return (pc >> ARCH_PC_SHIFT) - 4096 < (1ull << RULE_CACHE_ADDRESS_BITS) - 4096;
}

static inline uint64_t rule_cache_product(uint64_t pc)
{
    return (pc >> ARCH_PC_SHIFT) * (0x9e3779b97f4a7c15ull << (64 - RULE_CACHE_ADDRESS_BITS));
}

static inline uint64_t *rule_cache_place(struct rule_cache *cache, uint64_t product)
{
    return &cache->entry[product >> (64 - RULE_CACHE_BITS)];
}

/* For a pc that the cache takes: number << RULE_SHORT_BITS + short rule; larger
 * than 32 bits: not known. 0 is not known either: it is what an empty entry has for
 * an address whose product's other bits are 0 (the multiples of 2^35). */
static inline uint64_t rule_cache_get(struct rule_cache *cache, uint64_t pc)
{
    uint64_t product = rule_cache_product(pc), known = *rule_cache_place(cache, product) ^ product << RULE_CACHE_BITS;
    return (known - 1) >> (RULE_SHORT_BITS + RULE_CACHE_ID_BITS) ? ~0ull : known;
}

static inline void rule_cache_put(struct rule_cache *cache, uint64_t pc, uint32_t id, uint32_t rule)
{
    uint64_t product = rule_cache_product(pc);

    if (id > RULE_CACHE_ID_MAX)
        id = 0;
    *rule_cache_place(cache, product) = product << RULE_CACHE_BITS | (uint64_t)id << RULE_SHORT_BITS | rule;
}

static inline void rule_cache_clear(struct rule_cache *cache)
{
    memset(cache, 0, sizeof *cache);
}

#endif
