/* Open addressing with linear probing; a removal moves later entries back, so
 * that there are no tombstones however long a program runs. */
#include "analyze/model/blocks.h"

static size_t home_of(const struct blocks *b, uint64_t address)
{
    return (size_t)(address * 0x9e3779b97f4a7c15ull >> 24) & (b->capacity - 1);
}

static struct block *place_of(const struct blocks *b, uint64_t address)
{
    size_t at = home_of(b, address);
    while (b->places[at].address && b->places[at].address != address)
        at = (at + 1) & (b->capacity - 1);
    return &b->places[at];
}

static void rehash(struct blocks *b)
{
    struct blocks larger = { .used = b->used, .capacity = b->capacity ? b->capacity * 2 : 1024 };

    larger.places = alloc_zeroed(larger.capacity, sizeof *larger.places);
    for (size_t i = 0; i < b->capacity; i++)
        if (b->places[i].address)
            *place_of(&larger, b->places[i].address) = b->places[i];
    free(b->places);
    *b = larger;
}

void blocks_release(struct blocks *b)
{
    free(b->places);
    *b = (struct blocks){ 0 };
}

struct block *blocks_insert(struct blocks *b, uint64_t address, bool *ret_fresh)
{
    if (b->used * 2 >= b->capacity)
        rehash(b);
    struct block *place = place_of(b, address);
    *ret_fresh = place->address == 0;
    if (*ret_fresh) {
        place->address = address;
        b->used++;
    }
    return place;
}

bool blocks_remove(struct blocks *b, uint64_t address, struct block *ret_block)
{
    if (!b->used || !address)
        return false;
    struct block *place = place_of(b, address);
    if (!place->address)
        return false;
    *ret_block = *place;
    b->used--;
    size_t hole = (size_t)(place - b->places), mask = b->capacity - 1;
    for (size_t at = (hole + 1) & mask; b->places[at].address; at = (at + 1) & mask) {
        size_t home = home_of(b, b->places[at].address);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            b->places[hole] = b->places[at];
            hole = at;
        }
    }
    b->places[hole] = (struct block){ 0 };
    return true;
}
