/* Open addressing by groups of eight places. A place's tag has seven bits of its
 * block's hash; the eight tags of a group are compared in one word. A search ends at
 * a group that has a place that was never used: where a removal would make such a
 * group of one that others went past, the place stays marked until the next growth.
 * A group is found by the product of hash and number of groups, so that any number
 * will do. */
#include "analyze/model/blocks.h"

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

static struct blocks_part *part_of(const struct blocks *b, uint64_t hash)
{
    return (struct blocks_part *)&b->parts[hash >> 60];
}

static uint32_t home_of(const struct blocks_part *part, uint64_t hash)
{
    return (uint32_t)((hash << 4 >> 32) * part->groups >> 32);
}

static uint32_t next(const struct blocks_part *part, uint32_t group)
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

static void set_tag(struct blocks_part *part, uint32_t place, uint64_t tag)
{
    unsigned shift = place % GROUP * 8;
    uint64_t *tags = &part->tags[place / GROUP];

    *tags = (*tags & ~(0xffull << shift)) | tag << shift;
}

/* --- packed blocks ----------------------------------------------------------- */

/* The place of an address; UINT32_MAX: it has none. */
static uint32_t find(const struct blocks_part *part, uint64_t address, uint64_t hash)
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
static struct place *add(struct blocks_part *part, uint64_t hash)
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
static void enlarge(struct blocks_part *part)
{
    bool is_full = (uint64_t)part->used * 3 >= (uint64_t)part->groups * GROUP * 2;
    struct blocks_part larger = { .groups = !part->groups ? 2 : is_full ? part->groups + (part->groups + 1) / 2 : part->groups };

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

static bool take_packed(struct blocks *b, uint64_t address, struct block *ret_block)
{
    uint64_t hash = hash_of(address);
    struct blocks_part *part = part_of(b, hash);
    uint32_t place = address_fits(address) ? find(part, address, hash) : UINT32_MAX;

    if (place == UINT32_MAX)
        return false;
    *ret_block = unpack(&part->places[place]);
    bool stays_open = tags_empty(part->tags[place / GROUP]);
    set_tag(part, place, stays_open ? 0 : 1);
    part->taken -= stays_open;
    part->used--;
    return true;
}

/* True: there was one, and it is replaced. */
static bool put_packed(struct blocks *b, const struct block *block, struct block *ret_old)
{
    uint64_t hash = hash_of(block->address);
    struct blocks_part *part = part_of(b, hash);
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

/* --- whole blocks ----------------------------------------------------------- */

static size_t whole_home(const struct blocks *b, uint64_t address)
{
    return (size_t)hash_of(address) & (b->whole_capacity - 1);
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
    for (size_t i = 0; i < BLOCKS_PARTS; i++) {
        free(b->parts[i].tags);
        free(b->parts[i].places);
    }
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
    return put_packed(b, block, ret_old) || replaced;
}

bool blocks_take(struct blocks *b, uint64_t address, struct block *ret_block)
{
    return address && (take_packed(b, address, ret_block) || take_whole(b, address, ret_block));
}

bool blocks_has(const struct blocks *b, uint64_t address)
{
    uint64_t hash = hash_of(address);

    return (address_fits(address) && find(part_of(b, hash), address, hash) != UINT32_MAX) ||
           (b->whole_used && find_whole(b, address)->address);
}

void blocks_prefetch(const struct blocks *b, uint64_t address)
{
    uint64_t hash = hash_of(address);
    const struct blocks_part *part = part_of(b, hash);

    if (part->groups)
        __builtin_prefetch(&part->tags[home_of(part, hash)]);
}

void blocks_prefetch_place(const struct blocks *b, uint64_t address)
{
    uint64_t hash = hash_of(address);
    const struct blocks_part *part = part_of(b, hash);

    if (!part->groups)
        return;
    uint32_t group = home_of(part, hash);
    uint64_t tags = part->tags[group], like = tags_like(tags, tag_of(hash));
    uint64_t found = like ? like : tags_unused(tags);
    if (found)
        __builtin_prefetch(&part->places[first_of(group, found)]);
}

void blocks_each(const struct blocks *b, void (*use)(void *data, const struct block *block), void *data)
{
    for (size_t i = 0; i < BLOCKS_PARTS; i++)
        for (uint32_t group = 0; group < b->parts[i].groups; group++)
            for (uint64_t used = b->parts[i].tags[group] & EACH(0x80); used; used &= used - 1) {
                const struct block block = unpack(&b->parts[i].places[first_of(group, used)]);
                use(data, &block);
            }
    for (size_t i = 0; i < b->whole_capacity; i++)
        if (b->whole[i].address)
            use(data, &b->whole[i]);
}
