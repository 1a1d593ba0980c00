/* Where a heap's next block will be, and which block goes next, told by what one
 * chunk has shown so far: for columns.h, which stores how good the guess was
 * where that takes fewer bytes than an address. docs/format.md has the rules; both
 * directions must follow them to the letter. Pure.
 *
 * All tables have fixed sizes and may forget: a guess that is wrong costs bytes
 * and nothing else. */
#ifndef MALLOSCOPE_LOG_PLACES_H
#define MALLOSCOPE_LOG_PLACES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PLACES_CLASSES = 512,  /* of sizes, by 16 bytes; the last has all larger ones */
    PLACES_FREED = 8,      /* blocks of a class that were freed last */
    PLACES_BLOCKS = 8192,  /* entries for live blocks; a power of 2 */
    PLACES_NEWEST = 16,    /* of the live blocks, which a number stands for */
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
    PLACE_NEWEST = 0,                      /* + n: the n-th newest live block */
    PLACE_FREE_DIFFERENCE = PLACES_NEWEST, /* + n: n + 1 bytes, a folded difference to the last record's address */
};

struct places {
    uint64_t last;   /* address of the last record */
    uint64_t behind; /* the end of the last allocation */
    uint32_t newest; /* entry; 0: none */
    struct places_class {
        uint64_t last, freed[PLACES_FREED]; /* the newest at freed_count - 1 */
        uint32_t freed_count;
    } classes[PLACES_CLASSES];
    struct places_block {
        uint64_t address; /* 0: no block */
        uint16_t size_class, newer, older; /* entries; 0: none */
    } blocks[PLACES_BLOCKS];
};

void places_begin(struct places *p);

uint32_t places_class(uint64_t size);

/* An allocation: what stands for the address, PLACE_DIFFERENCE if nothing but a
 * difference to places_base() does; and back, false if nothing is there. Then places_allocated(). */
unsigned places_of_allocation(const struct places *p, uint32_t size_class, uint64_t address);
bool places_allocation_at(const struct places *p, uint32_t size_class, unsigned place, uint64_t *ret_address);
uint64_t places_base(const struct places *p, uint32_t size_class);
void places_allocated(struct places *p, uint32_t size_class, unsigned place, uint64_t size, uint64_t address);

/* The same for a free; its differences are to p->last. */
unsigned places_of_free(const struct places *p, uint64_t address);
bool places_free_at(const struct places *p, unsigned place, uint64_t *ret_address);
void places_freed(struct places *p, uint64_t address);

#endif
