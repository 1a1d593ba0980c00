/* Open addressing with linear probing; a removal moves later entries back, so
 * that there are no tombstones however long a program runs. A place is found by
 * the product of hash and capacity, so that any capacity will do. */
#include "analyze/model/blocks.h"

#include "analyze/hash.h"

#include <string.h>

/* A block in 24 bytes: 48 bits of address / 8, 40 of number, 40 of born_us. */
struct place {
    uint64_t address_and_number; /* address << 16 | number >> 24; 0: empty */
    uint64_t number_and_birth;   /* number << 40 | born_us */
    uint32_t leaf, size;
};
_Static_assert(sizeof(struct place) == 24, "place");

#define ADDRESS_MAX (1ull << 51)
#define NUMBER_MAX (1ull << 40)
#define BIRTH_MAX (1ull << 40)

static bool address_fits(uint64_t address)
{
    return address % 8 == 0 && address && address < ADDRESS_MAX;
}

static bool fits(const struct block *block)
{
    return address_fits(block->address) && block->size <= UINT32_MAX && block->number < NUMBER_MAX &&
           block->born_us < BIRTH_MAX;
}

static uint64_t address_of(const struct place *place)
{
    return place->address_and_number >> 16 << 3;
}

static struct place pack(const struct block *block)
{
    return (struct place){ block->address >> 3 << 16 | block->number >> 24, block->number << 40 | block->born_us,
                           block->leaf, (uint32_t)block->size };
}

static struct block unpack(const struct place *place)
{
    return (struct block){
        .address = address_of(place), .size = place->size, .leaf = place->leaf,
        .number = (place->address_and_number & 0xffff) << 24 | place->number_and_birth >> 40,
        .born_us = place->number_and_birth & (BIRTH_MAX - 1),
    };
}

static uint64_t hash(uint64_t address)
{
    return hash_add(0, address);
}

static struct blocks_part *part_of(const struct blocks *b, uint64_t address)
{
    return (struct blocks_part *)&b->parts[hash(address) >> 60];
}

static uint32_t home_of(const struct blocks_part *part, uint64_t address)
{
    return (uint32_t)((hash(address) << 4 >> 32) * part->capacity >> 32);
}

static uint32_t next(const struct blocks_part *part, uint32_t at)
{
    return at + 1 == part->capacity ? 0 : at + 1;
}

/* The place of an address, or the empty one where it would be. The part has places. */
static struct place *find(const struct blocks_part *part, uint64_t address)
{
    uint32_t at = home_of(part, address);

    while (part->places[at].address_and_number && address_of(&part->places[at]) != address)
        at = next(part, at);
    return &part->places[at];
}

static void enlarge(struct blocks_part *part)
{
    struct blocks_part larger = { .used = part->used, .capacity = part->capacity ? part->capacity / 2 * 3 : 16 };

    larger.places = alloc_zeroed(larger.capacity, sizeof *larger.places);
    for (uint32_t i = 0; i < part->capacity; i++)
        if (part->places[i].address_and_number)
            *find(&larger, address_of(&part->places[i])) = part->places[i];
    free(part->places);
    *part = larger;
}

/* The hole's followers that may not be found behind a hole move into it. */
static void close_hole(struct blocks_part *part, uint32_t hole)
{
    for (uint32_t at = next(part, hole); part->places[at].address_and_number; at = next(part, at)) {
        uint32_t home = home_of(part, address_of(&part->places[at]));
        uint32_t from_home = at >= home ? at - home : at + part->capacity - home;
        uint32_t from_hole = at >= hole ? at - hole : at + part->capacity - hole;
        if (from_home >= from_hole) {
            part->places[hole] = part->places[at];
            hole = at;
        }
    }
    part->places[hole] = (struct place){ 0 };
}

static bool take_packed(struct blocks *b, uint64_t address, struct block *ret_block)
{
    struct blocks_part *part = part_of(b, address);

    if (!address_fits(address) || !part->used)
        return false;
    struct place *place = find(part, address);
    if (!place->address_and_number)
        return false;
    *ret_block = unpack(place);
    part->used--;
    close_hole(part, (uint32_t)(place - part->places));
    return true;
}

/* --- whole blocks ----------------------------------------------------------- */

static size_t whole_home(const struct blocks *b, uint64_t address)
{
    return (size_t)hash(address) & (b->whole_capacity - 1);
}

static struct block *find_whole(const struct blocks *b, uint64_t address)
{
    size_t at = whole_home(b, address);

    while (b->whole[at].address && b->whole[at].address != address)
        at = (at + 1) & (b->whole_capacity - 1);
    return &b->whole[at];
}

static void enlarge_whole(struct blocks *b)
{
    struct block *old = b->whole;
    size_t old_capacity = b->whole_capacity;

    b->whole_capacity = old_capacity ? old_capacity * 2 : 64;
    b->whole = alloc_zeroed(b->whole_capacity, sizeof *b->whole);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].address)
            *find_whole(b, old[i].address) = old[i];
    free(old);
}

static bool take_whole(struct blocks *b, uint64_t address, struct block *ret_block)
{
    if (!b->whole_used)
        return false;
    struct block *place = find_whole(b, address);
    if (!place->address)
        return false;
    *ret_block = *place;
    b->whole_used--;
    size_t hole = (size_t)(place - b->whole), mask = b->whole_capacity - 1;
    for (size_t at = (hole + 1) & mask; b->whole[at].address; at = (at + 1) & mask)
        if (((at - whole_home(b, b->whole[at].address)) & mask) >= ((at - hole) & mask)) {
            b->whole[hole] = b->whole[at];
            hole = at;
        }
    b->whole[hole] = (struct block){ 0 };
    return true;
}

/* --- both -------------------------------------------------------------------- */

void blocks_release(struct blocks *b)
{
    for (size_t i = 0; i < BLOCKS_PARTS; i++)
        free(b->parts[i].places);
    free(b->whole);
    *b = (struct blocks){ 0 };
}

bool blocks_put(struct blocks *b, const struct block *block, struct block *ret_old)
{
    bool replaced = take_whole(b, block->address, ret_old);

    if (!fits(block)) {
        replaced |= take_packed(b, block->address, ret_old);
        if (b->whole_used * 2 >= b->whole_capacity)
            enlarge_whole(b);
        *find_whole(b, block->address) = *block;
        b->whole_used++;
        return replaced;
    }
    struct blocks_part *part = part_of(b, block->address);
    if ((uint64_t)part->used * 4 >= (uint64_t)part->capacity * 3)
        enlarge(part);
    struct place *place = find(part, block->address);
    if (place->address_and_number) {
        *ret_old = unpack(place);
        replaced = true;
    } else {
        part->used++;
    }
    *place = pack(block);
    return replaced;
}

bool blocks_take(struct blocks *b, uint64_t address, struct block *ret_block)
{
    return address && (take_packed(b, address, ret_block) || take_whole(b, address, ret_block));
}

bool blocks_has(const struct blocks *b, uint64_t address)
{
    const struct blocks_part *part = part_of(b, address);

    return (address_fits(address) && part->used && find(part, address)->address_and_number) ||
           (b->whole_used && find_whole(b, address)->address);
}

void blocks_prefetch(const struct blocks *b, uint64_t address)
{
    const struct blocks_part *part = part_of(b, address);

    if (part->capacity)
        __builtin_prefetch(&part->places[home_of(part, address)]);
}

void blocks_each(const struct blocks *b, void (*use)(void *data, const struct block *block), void *data)
{
    for (size_t i = 0; i < BLOCKS_PARTS; i++)
        for (uint32_t at = 0; at < b->parts[i].capacity; at++)
            if (b->parts[i].places[at].address_and_number) {
                const struct block block = unpack(&b->parts[i].places[at]);
                use(data, &block);
            }
    for (size_t i = 0; i < b->whole_capacity; i++)
        if (b->whole[i].address)
            use(data, &b->whole[i]);
}
