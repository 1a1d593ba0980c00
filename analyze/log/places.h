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
    PLACES_NEWEST = 16,     /* ... and of them, those that a number stands for; places.order has no more */
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
    uint64_t order;  /* its n-th 4 bits, from the lowest on, say where in `newest` the n-th newest block is: so none is moved */
    uint64_t newest[PLACES_NEWEST];
    uint64_t older[PLACES_YOUNG]; /* the one that follows those is at older_end - 1 */
    uint32_t older_end, young_count;
    /* By class: */
    uint64_t class_last[PLACES_CLASSES];
    uint64_t freed[PLACES_CLASSES][PLACES_FREED];
    struct places_row { uint32_t end, count; } rows[PLACES_CLASSES]; /* the one freed last is at end - 1 */
    uint8_t class_of[1 << PLACES_TABLE_BITS]; /* by an address's hash; 0: none */
};

static inline void places_begin(struct places *p)
{
    memset(p, 0, sizeof *p);
    p->order = 0xFEDCBA9876543210;
}

/* At least 32. Without a branch, as nobody can guess a size. */
static inline uint64_t places_rounded(uint64_t size)
{
    return ((size < 9 ? 9 : size) + 8 + 15) & ~(uint64_t)15;
}

static inline uint32_t places_class(uint64_t size)
{
    uint64_t sixteenths = places_rounded(size) / 16;
    return sixteenths < PLACES_CLASSES ? (uint32_t)sixteenths : PLACES_CLASSES - 1;
}

static inline uint64_t places_hash(uint64_t address)
{
    return (address >> 4) * 0x9E3779B97F4A7C15ull;
}

static inline uint8_t *places_class_of(struct places *p, uint64_t address)
{
    return &p->class_of[places_hash(address) >> (64 - PLACES_TABLE_BITS)];
}

static inline uint64_t places_young(const struct places *p, unsigned n)
{
    return p->newest[p->order >> 4 * n & 15];
}

static inline uint64_t *places_freed_block(struct places *p, uint32_t size_class, unsigned n)
{
    return &p->freed[size_class][(p->rows[size_class].end - 1 - n) % PLACES_FREED];
}

/* The address of an allocation that a place stands for: false if nothing is there, or it is
 * a difference to places_base(). Then places_allocated(). The other way round: places_find.h. */
static inline bool places_allocation_at(struct places *p, uint32_t size_class, unsigned place, uint64_t *ret_address)
{
    if (place < p->rows[size_class].count)
        *ret_address = *places_freed_block(p, size_class, place);
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
    uint64_t last = p->class_last[size_class];
    return last ? last : p->last;
}

static inline void places_allocated(struct places *p, uint32_t size_class, unsigned place, uint64_t size, uint64_t address)
{
    if (place < PLACE_BEHIND) { /* the last one takes its place in the row */
        *places_freed_block(p, size_class, place) = *places_freed_block(p, size_class, 0);
        p->rows[size_class].end--;
        p->rows[size_class].count--;
    }
    p->class_last[size_class] = p->last = address;
    p->behind = address + places_rounded(size);
    *places_class_of(p, address) = (uint8_t)size_class;
    uint64_t oldest = p->order >> 60;
    p->older[p->older_end++ % PLACES_YOUNG] = p->newest[oldest];
    p->newest[oldest] = address;
    p->order = p->order << 4 | oldest;
    p->young_count += p->young_count < PLACES_YOUNG;
}

/* The same for a free; its differences are to p->last. */
static inline bool places_free_at(const struct places *p, unsigned place, uint64_t *ret_address)
{
    if (place >= PLACE_FREE_DIFFERENCE || place >= p->young_count)
        return false;
    *ret_address = places_young(p, place);
    return true;
}

static inline void places_freed(struct places *p, unsigned place, uint64_t address)
{
    uint8_t *size_class = places_class_of(p, address);

    p->last = address;
    if (place < PLACE_FREE_DIFFERENCE) { /* it is taken out of the row, and an older one comes where it was */
        uint64_t newer = p->order & (((uint64_t)1 << 4 * place) - 1), rest = p->order >> 4 * place, at = rest & 15;
        p->order = newer | rest >> 4 << 4 * place | at << 60;
        p->newest[at] = p->older[--p->older_end % PLACES_YOUNG];
        p->young_count--;
    }
    if (!*size_class)
        return;
    struct places_row *row = &p->rows[*size_class];
    p->freed[*size_class][row->end++ % PLACES_FREED] = address;
    row->count += row->count < PLACES_FREED;
    *size_class = 0;
}

#endif
