/* Where a heap's next block will be, and which block goes next, told by what one
 * chunk has shown so far: for columns.h, which stores how good the guess was
 * where that takes fewer bytes than an address. docs/format.md has the rules; both
 * directions must follow them to the letter. Pure.
 *
 * Allocators hand out last what was freed last, class by class, or go on behind
 * the last block; programs mostly free young blocks. So a class's last freed
 * blocks are kept in a row, the youngest blocks in another one, and a table says of which
 * class a block is. All have fixed sizes and may forget, or err: a guess that is
 * wrong costs bytes and nothing else. It is all here, and small, as each event comes by twice. */
#ifndef MALLOSCOPE_LOG_PLACES_H
#define MALLOSCOPE_LOG_PLACES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    PLACES_CLASSES = 128,   /* of sizes, by 16 bytes; the last has all larger ones */
    PLACES_FREED = 8,       /* blocks of a class that were freed last */
    PLACES_TABLE_BITS = 13, /* entries for blocks' classes */
    PLACES_YOUNG = 64,      /* blocks that are remembered by their age; a power of 2 ... */
    PLACES_NEWEST = 16,     /* ... and of them, those that a number stands for */
};

/* What stands for an allocation's address ... */
enum {
    PLACE_FREED = 0,                       /* + n: the class's n-th last freed block */
    PLACE_BEHIND = PLACES_FREED,           /* right behind the last allocation */
    PLACE_LAST = PLACE_BEHIND + 1,         /* the last record's address */
    PLACE_DIFFERENCE = PLACE_LAST + 1,     /* + n: n + 1 bytes, a folded difference to the class's last allocation */
};
/* ... and for a free's. */
enum {
    PLACE_NEWEST = 0,                      /* + n: the n-th newest block */
    PLACE_FREE_DIFFERENCE = PLACES_NEWEST, /* + n: n + 1 bytes, a folded difference to the last record's address */
};

struct places {
    uint64_t last;   /* address of the last record */
    uint64_t behind; /* the end of the last allocation */
    uint32_t young_next, young_count; /* the newest is at young_next - 1 */
    uint64_t young[PLACES_YOUNG];
    struct places_class {
        uint64_t last, freed[PLACES_FREED]; /* the one freed last is at freed_next - 1 */
        uint32_t freed_next, freed_count;
    } classes[PLACES_CLASSES];
    uint16_t class_of[1 << PLACES_TABLE_BITS]; /* by an address's hash; 0: none */
};

static inline void places_begin(struct places *p)
{
    memset(p, 0, sizeof *p);
}

static inline uint64_t places_rounded(uint64_t size)
{
    return size <= 24 ? 32 : (size + 8 + 15) & ~(uint64_t)15;
}

static inline uint32_t places_class(uint64_t size)
{
    uint64_t sixteenths = places_rounded(size) / 16;
    return sixteenths < PLACES_CLASSES ? (uint32_t)sixteenths : PLACES_CLASSES - 1;
}

static inline uint16_t *places_class_of(struct places *p, uint64_t address)
{
    return &p->class_of[(address >> 4) * 0x9E3779B97F4A7C15ull >> (64 - PLACES_TABLE_BITS)];
}

static inline uint64_t places_young(const struct places *p, uint32_t n)
{
    return p->young[(p->young_next - 1 - n) % PLACES_YOUNG];
}

static inline uint64_t places_freed_block(const struct places_class *c, uint32_t n)
{
    return c->freed[(c->freed_next - 1 - n) % PLACES_FREED];
}

/* An allocation: what stands for the address, PLACE_DIFFERENCE if nothing but a
 * difference to places_base() does; and back, false if nothing is there. Then places_allocated(). */
static inline unsigned places_of_allocation(const struct places *p, uint32_t size_class, uint64_t address)
{
    const struct places_class *c = &p->classes[size_class];

    for (uint32_t n = 0; n < c->freed_count; n++)
        if (places_freed_block(c, n) == address)
            return PLACE_FREED + n;
    return address == p->behind ? PLACE_BEHIND : address == p->last ? PLACE_LAST : PLACE_DIFFERENCE;
}

static inline bool places_allocation_at(const struct places *p, uint32_t size_class, unsigned place, uint64_t *ret_address)
{
    const struct places_class *c = &p->classes[size_class];

    if (place < c->freed_count)
        *ret_address = places_freed_block(c, place);
    else if (place == PLACE_BEHIND)
        *ret_address = p->behind;
    else if (place == PLACE_LAST)
        *ret_address = p->last;
    else
        return false;
    return true;
}

static inline uint64_t places_base(const struct places *p, uint32_t size_class)
{
    uint64_t last = p->classes[size_class].last;
    return last ? last : p->last;
}

static inline void places_allocated(struct places *p, uint32_t size_class, unsigned place, uint64_t size, uint64_t address)
{
    struct places_class *c = &p->classes[size_class];

    if (place < PLACE_BEHIND) { /* the last one takes its place in the row */
        c->freed[(c->freed_next - 1 - place) % PLACES_FREED] = places_freed_block(c, 0);
        c->freed_next--;
        c->freed_count--;
    }
    c->last = p->last = address;
    p->behind = address + places_rounded(size);
    *places_class_of(p, address) = (uint16_t)size_class;
    p->young[p->young_next++ % PLACES_YOUNG] = address;
    p->young_count += p->young_count < PLACES_YOUNG;
}

/* The same for a free; its differences are to p->last. */
static inline unsigned places_of_free(const struct places *p, uint64_t address)
{
    uint32_t most = p->young_count < PLACES_NEWEST ? p->young_count : PLACES_NEWEST;

    for (uint32_t n = 0; n < most; n++)
        if (places_young(p, n) == address)
            return PLACE_NEWEST + n;
    return PLACE_FREE_DIFFERENCE;
}

static inline bool places_free_at(const struct places *p, unsigned place, uint64_t *ret_address)
{
    if (place >= PLACE_FREE_DIFFERENCE || place >= p->young_count)
        return false;
    *ret_address = places_young(p, place);
    return true;
}

static inline void places_freed(struct places *p, unsigned place, uint64_t address)
{
    uint16_t *size_class = places_class_of(p, address);

    p->last = address;
    if (place < PLACE_FREE_DIFFERENCE) { /* it is taken out of the row */
        for (uint32_t at = p->young_next - 1 - place; at != p->young_next - 1; at++)
            p->young[at % PLACES_YOUNG] = p->young[(at + 1) % PLACES_YOUNG];
        p->young_next--;
        p->young_count--;
    }
    if (!*size_class)
        return;
    struct places_class *c = &p->classes[*size_class];
    c->freed[c->freed_next++ % PLACES_FREED] = address;
    c->freed_count += c->freed_count < PLACES_FREED;
    *size_class = 0;
}

#endif
