/* A hash table of small places leads to regions, which have their blocks with them, so that what is far in memory
 * is looked at once. A region has room for one of a few numbers of blocks: a full one moves to where there is
 * more. Four bits for each 16 bytes of it say which of its places a block has. Blocks at odd multiples of 8 bytes are
 * another region's, so that any address that malloc may return has a place. */
#include "analyze/model/regions.h"

#include "analyze/hash.h"
#include "analyze/model/blocks.h"

#include <string.h>

#define REGION_BYTES REGIONS_LOWEST
#define GRANULE_BYTES 16 /* of which there are as many as bits in struct region's masks */

struct place {
    uint32_t size, leaf_and_grown; /* leaf << 2 | grown */
    uint32_t number, born_us;      /* the low bits */
    uint8_t number_high, born_high;
};
_Static_assert(sizeof(struct place) == 20, "place");

struct region {
    uint64_t id_and_used; /* id << 16 | a bit for each of its places that has a block */
    uint16_t granules;    /* a bit for each at which a block begins */
    uint8_t class;        /* of its number of places */
    /* Where there are two places or more, a map: which place, by granule, four bits each; 0 where no block begins. Then
     * the places. */
    struct place first[];
};

#define MAP_BYTES sizeof(uint64_t)

static const uint8_t places_of_class[REGIONS_CLASSES] = { 1, 2, 3, 4, 6, 8, 12, 16 };

static struct place *places_of(const struct region *region)
{
    return (struct place *)((char *)region->first + (region->class ? MAP_BYTES : 0));
}

/* Of one place the map is never looked at, and what is there is not changed: so nobody has to ask. */
static uint64_t map_of(const struct region *region)
{
    uint64_t map;

    memcpy(&map, region->first, sizeof map);
    return map;
}

static void set_map(struct region *region, uint64_t map)
{
    memcpy(region->first, &map, sizeof map);
}

static unsigned place_in(const struct region *region, uint64_t map, unsigned granule)
{
    return map >> 4 * granule & (region->class ? 15 : 0);
}

/* Of the table that leads to regions. */
struct regions_entry {
    uint32_t hash;   /* its low bits */
    uint32_t region; /* its number; 0: an empty place */
};

#define NEAR_REGIONS 1024

#define LONELY_LEAST 256 /* regions of a part: of fewer it says nothing */

/* A region of this id, if it has that id. */
struct near_region {
    uint64_t id; /* 0: none */
    struct region *region;
};

static struct place pack(const struct block *block)
{
    return (struct place){
        .size = (uint32_t)block->size, .leaf_and_grown = block->leaf << 2 | block->grown,
        .number = (uint32_t)block->number, .number_high = (uint8_t)(block->number >> 32),
        .born_us = (uint32_t)block->born_us, .born_high = (uint8_t)(block->born_us >> 32),
    };
}

static struct block unpack(const struct place *place, uint64_t address)
{
    return (struct block){
        .address = address, .size = place->size,
        .leaf = place->leaf_and_grown >> 2, .grown = place->leaf_and_grown & 3,
        .number = (uint64_t)place->number_high << 32 | place->number,
        .born_us = (uint64_t)place->born_high << 32 | place->born_us,
    };
}

static unsigned granule_of(uint64_t address)
{
    return address % REGION_BYTES / GRANULE_BYTES;
}

/* The rest of the address. Not 0. */
static uint64_t id_of(uint64_t address)
{
    return (address & ~(uint64_t)(REGION_BYTES - GRANULE_BYTES)) / 8;
}

static uint64_t address_of(uint64_t id, unsigned granule)
{
    return id * 8 + granule * GRANULE_BYTES;
}

/* --- memory ------------------------------------------------------------------- */

#define UNIT_BYTES 8u
#define CHUNK_UNITS 32768u

static struct region *region_at(const struct regions *r, uint32_t number)
{
    return (struct region *)(r->chunks[number / CHUNK_UNITS] + number % CHUNK_UNITS);
}

static uint32_t units_of_class(unsigned class)
{
    return (uint32_t)((offsetof(struct region, first) + (class ? MAP_BYTES : 0) + places_of_class[class] * sizeof(struct place) + UNIT_BYTES - 1) / UNIT_BYTES);
}

/* Room for a region of this class, by its number. */
static uint32_t new_room(struct regions *r, unsigned class)
{
    uint32_t number = r->unused[class], units = units_of_class(class);

    if (number) {
        r->unused[class] = region_at(r, number)->first[0].number;
        return number;
    }
    if (r->unit_count + units > r->chunk_count * CHUNK_UNITS) {
        r->unit_count = r->chunk_count ? (uint32_t)r->chunk_count * CHUNK_UNITS : 1; /* 0 is no number */
        r->chunks = grow(r->chunks, &r->chunk_capacity, r->chunk_count + 1, sizeof *r->chunks);
        r->chunks[r->chunk_count++] = alloc_unset((size_t)CHUNK_UNITS * UNIT_BYTES);
    }
    number = r->unit_count;
    r->unit_count += units;
    return number;
}

static void give_back(struct regions *r, uint32_t number)
{
    struct region *region = region_at(r, number);

    region->id_and_used = 0; /* what is near may still lead here */
    region->first[0].number = r->unused[region->class];
    r->unused[region->class] = number;
}

/* To another class. Returns its new number. */
static uint32_t move(struct regions *r, uint32_t number, unsigned class)
{
    uint32_t to = new_room(r, class);
    const struct region *from = region_at(r, number);
    struct region *region = region_at(r, to);
    uint64_t from_map = map_of(from), map = 0;
    unsigned place = 0;

    *region = (struct region){ .id_and_used = from->id_and_used & ~0xffffull, .granules = from->granules, .class = (uint8_t)class };
    for (unsigned granules = from->granules; granules; granules &= granules - 1, place++) {
        unsigned granule = (unsigned)__builtin_ctz(granules);
        places_of(region)[place] = places_of(from)[place_in(from, from_map, granule)];
        region->id_and_used |= 1u << place;
        map |= (uint64_t)place << 4 * granule;
    }
    if (class)
        set_map(region, map);
    give_back(r, number);
    return to;
}

static unsigned class_for(unsigned count)
{
    unsigned class = 0;

    while (places_of_class[class] < count)
        class++;
    return class;
}

/* --- the table ---------------------------------------------------------------- */

static uint64_t hash_of(uint64_t id)
{
    return hash_add(0, id);
}

static struct regions_part *part_of(const struct regions *r, uint64_t hash)
{
    return (struct regions_part *)&r->parts[hash >> 60];
}

static struct regions_entry *home_of(const struct regions_part *part, uint64_t hash)
{
    return &part->entries[(hash << 4 >> 32) * part->capacity >> 32];
}

static struct regions_entry *next(const struct regions_part *part, struct regions_entry *entry)
{
    return entry + 1 == part->entries + part->capacity ? part->entries : entry + 1;
}

/* The first entry of this hash or, if there is none, an empty one. */
static struct regions_entry *look(const struct regions_part *part, struct regions_entry *from, uint64_t hash)
{
    while (from->region && from->hash != (uint32_t)hash)
        from = next(part, from);
    return from;
}

static uint64_t id_in(const struct region *region)
{
    return region->id_and_used >> 16;
}

/* The region's entry, or the empty one where it would be. */
static struct regions_entry *find(const struct regions *r, const struct regions_part *part, uint64_t id, uint64_t hash)
{
    struct regions_entry *entry = look(part, home_of(part, hash), hash);

    while (entry->region && id_in(region_at(r, entry->region)) != id)
        entry = look(part, next(part, entry), hash);
    return entry;
}

static struct near_region *near_of(const struct regions *r, uint64_t id)
{
    return &r->near[id / (REGION_BYTES / 8) % NEAR_REGIONS];
}

static bool is_near(const struct regions *r, uint64_t id)
{
    return r->near && near_of(r, id)->id == id;
}

static struct region *keep_near(struct regions *r, uint64_t id, uint32_t number)
{
    struct region *region = region_at(r, number);

    if (r->near)
        *near_of(r, id) = (struct near_region){ id, region };
    return region;
}

/* Regions are all over memory: that of an entry some way on is asked for. */
static void prefetch_ahead(const struct regions *r, const struct regions_part *part, uint32_t entry)
{
    if (entry + 16 < part->capacity && part->entries[entry + 16].region)
        __builtin_prefetch(region_at(r, part->entries[entry + 16].region));
}

/* Makes room, if only by forgetting regions that have no blocks any more. */
static void enlarge(struct regions *r, struct regions_part *part)
{
    uint32_t live = 0, blocks = 0;

    for (uint32_t i = 0; i < part->capacity; i++) {
        prefetch_ahead(r, part, i);
        unsigned granules = part->entries[i].region ? region_at(r, part->entries[i].region)->granules : 0;
        live += granules != 0;
        blocks += (unsigned)__builtin_popcount(granules);
    }
    r->are_lonely |= live >= LONELY_LEAST && blocks < live + live / 4;
    bool is_full = (uint64_t)live * 3 >= (uint64_t)part->capacity * 2;
    struct regions_part larger = { .used = live,
                                   .capacity = !part->capacity ? 8 : is_full ? part->capacity + part->capacity / 2 : part->capacity };
    larger.entries = alloc_zeroed(larger.capacity, sizeof *larger.entries);
    for (uint32_t i = 0; i < part->capacity; i++) {
        struct regions_entry entry = part->entries[i];
        prefetch_ahead(r, part, i);
        if (!entry.region)
            continue;
        const struct region *region = region_at(r, entry.region);
        if (!region->granules) {
            give_back(r, entry.region);
            continue;
        }
        unsigned class = class_for((unsigned)__builtin_popcount(region->granules));
        uint64_t hash = hash_of(id_in(region));
        if (class + 1 < region->class)
            entry.region = move(r, entry.region, class);
        struct regions_entry *to = home_of(&larger, hash);
        while (to->region)
            to = next(&larger, to);
        *to = entry;
    }
    if (!r->near && part->capacity) /* a process with few regions needs none */
        r->near = alloc_zeroed(NEAR_REGIONS, sizeof *r->near);
    free(part->entries);
    *part = larger;
}

/* NULL: not known to be near. */
static struct region *near(const struct regions *r, uint64_t id)
{
    struct region *region = is_near(r, id) ? near_of(r, id)->region : NULL;

    return region && id_in(region) == id ? region : NULL;
}

/* NULL: it is not there. */
static __attribute__((noinline)) struct region *search(struct regions *r, uint64_t id)
{
    uint64_t hash = hash_of(id);
    const struct regions_part *part = part_of(r, hash);
    uint32_t number = part->capacity ? find(r, part, id, hash)->region : 0;

    return number ? keep_near(r, id, number) : NULL;
}

/* Made if it is not there. */
static __attribute__((noinline)) struct region *search_or_make(struct regions *r, uint64_t id)
{
    uint64_t hash = hash_of(id);
    struct regions_part *part = part_of(r, hash);

    if ((uint64_t)part->used * 5 >= (uint64_t)part->capacity * 4)
        enlarge(r, part);
    struct regions_entry *entry = find(r, part, id, hash);
    if (!entry->region) {
        *entry = (struct regions_entry){ (uint32_t)hash, new_room(r, 0) };
        *region_at(r, entry->region) = (struct region){ .id_and_used = id << 16 }; /* of one place */
        part->used++;
    }
    return keep_near(r, id, entry->region);
}

static __attribute__((noinline)) struct region *with_more_places(struct regions *r, const struct region *region)
{
    uint64_t id = id_in(region), hash = hash_of(id);
    struct regions_entry *entry = find(r, part_of(r, hash), id, hash);

    entry->region = move(r, entry->region, region->class + 1u);
    return keep_near(r, id, entry->region);
}

/* --- blocks ------------------------------------------------------------------- */

static struct place *place_of(struct region *region, unsigned granule)
{
    return &places_of(region)[place_in(region, map_of(region), granule)];
}

void regions_release(struct regions *r)
{
    for (size_t i = 0; i < REGIONS_PARTS; i++)
        free(r->parts[i].entries);
    for (size_t i = 0; i < r->chunk_count; i++)
        free(r->chunks[i]);
    free(r->chunks);
    free(r->near);
    *r = (struct regions){ 0 };
}

bool regions_put(struct regions *r, const struct block *block, struct block *ret_old)
{
    uint64_t id = id_of(block->address);
    unsigned granule = granule_of(block->address);
    struct region *region = near(r, id);

    if (!region)
        region = search_or_make(r, id);
    if (region->granules >> granule & 1) {
        struct place *place = place_of(region, granule);
        *ret_old = unpack(place, block->address);
        *place = pack(block);
        return true;
    }
    unsigned place = (unsigned)__builtin_ctz(~(uint32_t)region->id_and_used);
    if (place >= places_of_class[region->class])
        region = with_more_places(r, region);
    region->id_and_used |= 1u << place;
    region->granules |= (uint16_t)(1u << granule);
    set_map(region, map_of(region) | (uint64_t)place << 4 * granule);
    places_of(region)[place] = pack(block);
    return false;
}

bool regions_take(struct regions *r, uint64_t address, struct block *ret_block)
{
    uint64_t id = id_of(address);
    unsigned granule = granule_of(address);

    if (!regions_fit_address(address))
        return false;
    struct region *region = near(r, id);
    if (!region)
        region = search(r, id);
    if (!region || !(region->granules >> granule & 1))
        return false;
    uint64_t map = map_of(region), place = place_in(region, map, granule);
    *ret_block = unpack(&places_of(region)[place], address);
    region->granules ^= (uint16_t)(1u << granule);
    region->id_and_used ^= 1u << place;
    set_map(region, map ^ place << 4 * granule);
    return true;
}

bool regions_have(const struct regions *r, uint64_t address)
{
    uint64_t id = id_of(address);

    if (!regions_fit_address(address))
        return false;
    const struct region *region = near(r, id);
    if (!region) {
        uint64_t hash = hash_of(id);
        const struct regions_part *part = part_of(r, hash);
        uint32_t number = part->capacity ? find(r, part, id, hash)->region : 0;
        region = number ? region_at(r, number) : NULL;
    }
    return region && region->granules >> granule_of(address) & 1;
}

bool regions_prefetch(const struct regions *r, uint64_t address)
{
    uint64_t id = id_of(address);

    if (is_near(r, id))
        return false;
    uint64_t hash = hash_of(id);
    const struct regions_part *part = part_of(r, hash);
    if (part->capacity)
        __builtin_prefetch(home_of(part, hash));
    return part->capacity;
}

void regions_prefetch_place(struct regions *r, uint64_t address)
{
    uint64_t id = id_of(address), hash = hash_of(id);
    const struct regions_part *part = part_of(r, hash);
    /* The process may have ended meanwhile. */
    uint32_t number = part->capacity ? look(part, home_of(part, hash), hash)->region : 0;

    if (!number)
        return;
    const struct region *region = keep_near(r, id, number); /* most likely it is this one */
    __builtin_prefetch(region);
    __builtin_prefetch((const char *)region + 64);
}

void regions_each(const struct regions *r, void (*use)(void *data, const struct block *block), void *data)
{
    for (size_t i = 0; i < REGIONS_PARTS; i++)
        for (uint32_t entry = 0; entry < r->parts[i].capacity; entry++) {
            uint32_t number = r->parts[i].entries[entry].region;
            prefetch_ahead(r, &r->parts[i], entry);
            struct region *region = number ? region_at(r, number) : NULL;
            for (unsigned granules = region ? region->granules : 0; granules; granules &= granules - 1) {
                unsigned granule = (unsigned)__builtin_ctz(granules);
                const struct block block = unpack(place_of(region, granule), address_of(id_in(region), granule));
                use(data, &block);
            }
        }
}
