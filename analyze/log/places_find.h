/* What stands for an address: places.h the other way round, for who splits. Pure.
 *
 * Where in a class's row a block is nobody can guess, so the row is not walked: of each block it
 * has a byte of its hash in a word, and all are compared at once. The newest block is another matter: it goes first mostly. */
#ifndef MALLOSCOPE_LOG_PLACES_FIND_H
#define MALLOSCOPE_LOG_PLACES_FIND_H

#include "analyze/log/places.h"

struct places_find {
    uint64_t freed[PLACES_CLASSES]; /* of places.freed; the lowest byte is that of the block freed last */
};
_Static_assert(PLACES_FREED <= 8, "bytes of a word");

static inline uint64_t places_byte(uint64_t address)
{
    return places_hash(address) >> 56;
}

/* The highest bit of each byte of `bytes` that is `byte`; of some above such a one, too. */
static inline uint64_t places_equal(uint64_t bytes, uint64_t byte)
{
    uint64_t differ = bytes ^ byte * 0x0101010101010101u;
    return (differ - 0x0101010101010101u) & ~differ & 0x8080808080808080u;
}

/* PLACE_DIFFERENCE: nothing but a difference to places_base() stands for it. */
static inline unsigned places_of_allocation(const struct places_find *f, struct places *p, uint32_t size_class, uint64_t address)
{
    for (uint64_t equal = places_equal(f->freed[size_class], places_byte(address)); equal; equal &= equal - 1) {
        unsigned n = (unsigned)__builtin_ctzll(equal) / 8;
        if (*places_freed_block(p, size_class, n) == address && n < p->rows[size_class].count)
            return PLACE_FREED + n;
    }
    return address == p->behind ? PLACE_BEHIND : address == p->last ? PLACE_LAST : PLACE_DIFFERENCE;
}

/* PLACE_FREE_DIFFERENCE: nothing but a difference to p->last. */
static inline unsigned places_of_free(const struct places *p, uint64_t address)
{
    unsigned most = p->young_count < PLACES_NEWEST ? p->young_count : PLACES_NEWEST;

    for (unsigned n = 0; n < most; n++)
        if (places_young(p, n) == address)
            return PLACE_NEWEST + n;
    return PLACE_FREE_DIFFERENCE;
}

/* places_allocated(), places_freed(), and the same for the bytes. */
static inline void places_find_allocated(struct places_find *f, struct places *p, uint32_t size_class, unsigned place, uint64_t size,
                                         uint64_t address)
{
    places_allocated(p, size_class, place, size, address);
    if (place < PLACE_BEHIND) {
        uint64_t row = f->freed[size_class], last = row & 0xff, its = row >> 8 * place & 0xff;
        f->freed[size_class] = (row ^ (its ^ last) << 8 * place) >> 8;
    }
}

static inline void places_find_freed(struct places_find *f, struct places *p, unsigned place, uint64_t address)
{
    uint32_t size_class = *places_class_of(p, address);

    f->freed[size_class] = f->freed[size_class] << 8 | places_byte(address); /* the row of none stays empty: its bytes are not looked at */
    places_freed(p, place, address);
}

#endif
