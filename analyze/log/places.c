/* Allocators hand out last what was freed last, class by class, or go on behind
 * the last block; programs mostly free young blocks. So a class's last freed
 * blocks are kept in a row, the live ones in a list by age, and a table finds a
 * block by its address. */
#include "analyze/log/places.h"

#include <string.h>

static uint64_t rounded(uint64_t size)
{
    return size <= 24 ? 32 : (size + 8 + 15) & ~(uint64_t)15;
}

uint32_t places_class(uint64_t size)
{
    uint64_t sixteenths = rounded(size) / 16;
    return sixteenths < PLACES_CLASSES ? (uint32_t)sixteenths : PLACES_CLASSES - 1;
}

/* Entry 0 is nobody's: it ends the list. */
static uint32_t entry_of(uint64_t address)
{
    _Static_assert(PLACES_BLOCKS == 1 << 13, "the shift takes 13 bits");
    return (uint32_t)((address >> 4) * 0x9E3779B97F4A7C15ull >> (64 - 13));
}

void places_begin(struct places *p)
{
    memset(p, 0, sizeof *p);
}

unsigned places_of_allocation(const struct places *p, uint32_t size_class, uint64_t address)
{
    const struct places_class *c = &p->classes[size_class];

    for (uint32_t n = 0; n < c->freed_count; n++)
        if (c->freed[c->freed_count - 1 - n] == address)
            return PLACE_FREED + n;
    return address == p->behind ? PLACE_BEHIND : address == p->last ? PLACE_LAST : PLACE_DIFFERENCE;
}

bool places_allocation_at(const struct places *p, uint32_t size_class, unsigned place, uint64_t *ret_address)
{
    const struct places_class *c = &p->classes[size_class];

    if (place >= PLACE_DIFFERENCE || (place < PLACE_BEHIND && place >= c->freed_count))
        return false;
    *ret_address = place == PLACE_BEHIND ? p->behind : place == PLACE_LAST ? p->last : c->freed[c->freed_count - 1 - place];
    return true;
}

uint64_t places_base(const struct places *p, uint32_t size_class)
{
    uint64_t last = p->classes[size_class].last;
    return last ? last : p->last;
}

static void unlink_block(struct places *p, struct places_block *b, uint32_t entry)
{
    if (p->newest == entry)
        p->newest = b->older;
    else
        p->blocks[b->newer].older = b->older;
    if (b->older)
        p->blocks[b->older].newer = b->newer;
    b->address = 0;
}

void places_allocated(struct places *p, uint32_t size_class, unsigned place, uint64_t size, uint64_t address)
{
    struct places_class *c = &p->classes[size_class];
    uint32_t entry = entry_of(address);
    struct places_block *b = &p->blocks[entry];

    if (place < PLACE_BEHIND) {
        uint32_t at = --c->freed_count - place;
        memmove(&c->freed[at], &c->freed[at + 1], place * sizeof c->freed[0]);
    }
    c->last = p->last = address;
    p->behind = address + rounded(size);
    if (!entry)
        return;
    if (b->address)
        unlink_block(p, b, entry); /* forgotten */
    *b = (struct places_block){ .address = address, .size_class = (uint16_t)size_class, .older = (uint16_t)p->newest };
    if (p->newest)
        p->blocks[p->newest].newer = (uint16_t)entry;
    p->newest = entry;
}

unsigned places_of_free(const struct places *p, uint64_t address)
{
    uint32_t entry = entry_of(address), at = p->newest;

    if (!address || !entry || p->blocks[entry].address != address)
        return PLACE_FREE_DIFFERENCE;
    for (unsigned n = 0; n < PLACES_NEWEST && at; n++, at = p->blocks[at].older)
        if (at == entry)
            return PLACE_NEWEST + n;
    return PLACE_FREE_DIFFERENCE;
}

bool places_free_at(const struct places *p, unsigned place, uint64_t *ret_address)
{
    uint32_t at = p->newest;

    if (place >= PLACE_FREE_DIFFERENCE)
        return false;
    for (; place && at; place--)
        at = p->blocks[at].older;
    *ret_address = p->blocks[at].address;
    return at != 0;
}

void places_freed(struct places *p, uint64_t address)
{
    uint32_t entry = entry_of(address);
    struct places_block *b = &p->blocks[entry];

    p->last = address;
    if (!address || !entry || b->address != address)
        return;
    struct places_class *c = &p->classes[b->size_class];
    if (c->freed_count == PLACES_FREED) {
        memmove(&c->freed[0], &c->freed[1], (PLACES_FREED - 1) * sizeof c->freed[0]);
        c->freed_count--;
    }
    c->freed[c->freed_count++] = address;
    unlink_block(p, b, entry);
}
