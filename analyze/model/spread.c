/* Open addressing by groups of eight places. A place's tag has seven bits of its
 * block's hash; the eight tags of a group are compared in one word. A search ends at
 * a group that has a place that was never used: where a removal would make such a
 * group of one that others went past, the place stays marked until the next growth.
 * A group is found by the product of hash and number of groups, so that any number
 * will do. */
#include "analyze/model/spread.h"

#include "analyze/hash.h"

#include <string.h>

/* A block in 24 bytes: 48 bits of address / 8, 40 of number, 40 of born_us, 30 of leaf, 2 of grown. */
struct place {
    uint64_t address_and_number; /* address << 16 | number >> 24; 0: empty */
    uint64_t number_and_birth;   /* number << 40 | born_us */
    uint32_t leaf_and_grown; /* leaf << 2 | grown */
    uint32_t size;
};
_Static_assert(sizeof(struct place) == 24, "place");

#define BIRTH_MAX (1ull << 40)

static uint64_t address_of(const struct place *place)
{
    return place->address_and_number >> 16 << 3;
}

static struct place pack(const struct block *block)
{
    return (struct place){ block->address >> 3 << 16 | block->number >> 24, block->number << 40 | block->born_us,
                           block->leaf << 2 | block->grown, (uint32_t)block->size };
}

static struct block unpack(const struct place *place)
{
    return (struct block){
        .address = address_of(place), .size = place->size,
        .leaf = place->leaf_and_grown >> 2, .grown = place->leaf_and_grown & 3,
        .number = (place->address_and_number & 0xffff) << 24 | place->number_and_birth >> 40,
        .born_us = place->number_and_birth & (BIRTH_MAX - 1),
    };
}

static uint64_t hash_of(uint64_t address)
{
    return hash_add(0, address);
}

static struct spread_part *part_of(const struct spread *s, uint64_t hash)
{
    return (struct spread_part *)&s->parts[hash >> 60];
}

static uint32_t home_of(const struct spread_part *part, uint64_t hash)
{
    return (uint32_t)((hash << 4 >> 32) * part->groups >> 32);
}

static uint32_t next(const struct spread_part *part, uint32_t group)
{
    return group + 1 == part->groups ? 0 : group + 1;
}

/* --- tags --------------------------------------------------------------------
 * Of an empty place 0, of one that is marked as used before 1, else 0x80 and up. What
 * is found in a word of tags is a word too: the highest bit of each byte that is meant. */

#define GROUP 8
#define EACH(byte) ((byte) * 0x0101010101010101ull)

static uint64_t tag_of(uint64_t hash)
{
    return 0x80 | (hash & 0x7f);
}

/* Those with this tag; above one of them also others, at times. */
static uint64_t tags_like(uint64_t tags, uint64_t tag)
{
    uint64_t differ = tags ^ EACH(tag);
    return (differ - EACH(1)) & ~differ & EACH(0x80);
}

static uint64_t tags_unused(uint64_t tags)
{
    return ~tags & EACH(0x80);
}

static uint64_t tags_empty(uint64_t tags)
{
    return ~tags & ~tags << 7 & EACH(0x80);
}

/* The first place of those found in a group. */
static uint32_t first_of(uint32_t group, uint64_t found)
{
    return group * GROUP + (uint32_t)__builtin_ctzll(found) / 8;
}

static void set_tag(struct spread_part *part, uint32_t place, uint64_t tag)
{
    unsigned shift = place % GROUP * 8;
    uint64_t *tags = &part->tags[place / GROUP];

    *tags = (*tags & ~(0xffull << shift)) | tag << shift;
}

/* --- blocks ------------------------------------------------------------------ */

/* The place of an address; UINT32_MAX: it has none. */
static uint32_t find(const struct spread_part *part, uint64_t address, uint64_t hash)
{
    if (!part->used)
        return UINT32_MAX;
    for (uint32_t group = home_of(part, hash);; group = next(part, group)) {
        uint64_t tags = part->tags[group];
        for (uint64_t like = tags_like(tags, tag_of(hash)); like; like &= like - 1)
            if (address_of(&part->places[first_of(group, like)]) == address)
                return first_of(group, like);
        if (tags_empty(tags))
            return UINT32_MAX;
    }
}

/* A place for a block that has none yet. */
static struct place *add(struct spread_part *part, uint64_t hash)
{
    uint32_t group = home_of(part, hash);

    while (!tags_unused(part->tags[group]))
        group = next(part, group);
    uint32_t place = first_of(group, tags_unused(part->tags[group]));
    part->taken += tags_empty(part->tags[group]) >> (place % GROUP * 8 + 7) & 1;
    part->used++;
    set_tag(part, place, tag_of(hash));
    return &part->places[place];
}

/* Makes room, if only by forgetting which places have been used. */
static void enlarge(struct spread_part *part)
{
    bool is_full = (uint64_t)part->used * 3 >= (uint64_t)part->groups * GROUP * 2;
    struct spread_part larger = { .groups = !part->groups ? 2 : is_full ? part->groups + (part->groups + 1) / 2 : part->groups };

    larger.tags = alloc_zeroed(larger.groups, sizeof *larger.tags);
    larger.places = alloc_zeroed((size_t)larger.groups * GROUP, sizeof *larger.places);
    for (uint32_t group = 0; group < part->groups; group++)
        for (uint64_t used = part->tags[group] & EACH(0x80); used; used &= used - 1) {
            const struct place *place = &part->places[first_of(group, used)];
            *add(&larger, hash_of(address_of(place))) = *place;
        }
    free(part->tags);
    free(part->places);
    *part = larger;
}

bool spread_take(struct spread *s, uint64_t address, struct block *ret_block)
{
    uint64_t hash = hash_of(address);
    struct spread_part *part = part_of(s, hash);
    uint32_t place = find(part, address, hash);

    if (place == UINT32_MAX)
        return false;
    *ret_block = unpack(&part->places[place]);
    bool stays_open = tags_empty(part->tags[place / GROUP]);
    set_tag(part, place, stays_open ? 0 : 1);
    part->taken -= stays_open;
    part->used--;
    return true;
}

bool spread_put(struct spread *s, const struct block *block, struct block *ret_old)
{
    uint64_t hash = hash_of(block->address);
    struct spread_part *part = part_of(s, hash);
    uint32_t place = find(part, block->address, hash);

    if (place != UINT32_MAX) {
        *ret_old = unpack(&part->places[place]);
        part->places[place] = pack(block);
        return true;
    }
    if ((uint64_t)part->taken * 8 >= (uint64_t)part->groups * GROUP * 7)
        enlarge(part);
    *add(part, hash) = pack(block);
    return false;
}

void spread_release(struct spread *s)
{
    for (size_t i = 0; i < SPREAD_PARTS; i++) {
        free(s->parts[i].tags);
        free(s->parts[i].places);
    }
    *s = (struct spread){ 0 };
}

bool spread_has(const struct spread *s, uint64_t address)
{
    uint64_t hash = hash_of(address);

    return find(part_of(s, hash), address, hash) != UINT32_MAX;
}

bool spread_prefetch(const struct spread *s, uint64_t address)
{
    uint64_t hash = hash_of(address);
    const struct spread_part *part = part_of(s, hash);

    if (part->groups)
        __builtin_prefetch(&part->tags[home_of(part, hash)]);
    return part->groups;
}

void spread_prefetch_place(const struct spread *s, uint64_t address)
{
    uint64_t hash = hash_of(address);
    const struct spread_part *part = part_of(s, hash);

    if (!part->groups)
        return;
    uint32_t group = home_of(part, hash);
    uint64_t tags = part->tags[group], like = tags_like(tags, tag_of(hash));
    uint64_t found = like ? like : tags_unused(tags);
    if (found)
        __builtin_prefetch(&part->places[first_of(group, found)]);
}

void spread_each(const struct spread *s, void (*use)(void *data, const struct block *block), void *data)
{
    for (size_t i = 0; i < SPREAD_PARTS; i++)
        for (uint32_t group = 0; group < s->parts[i].groups; group++)
            for (uint64_t used = s->parts[i].tags[group] & EACH(0x80); used; used &= used - 1) {
                const struct block block = unpack(&s->parts[i].places[first_of(group, used)]);
                use(data, &block);
            }
}
