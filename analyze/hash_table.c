/* Open addressing with linear probing. The hashes are kept, so that growing asks the owner nothing. */
#include "analyze/hash_table.h"

#include "analyze/util.h"

void hash_table_release(struct hash_table *t)
{
    free(t->places);
    *t = (struct hash_table){ 0 };
}

struct hash_search hash_table_search(const struct hash_table *t, uint64_t hash)
{
    uint32_t upper = (uint32_t)(hash >> 32);
    return (struct hash_search){ .hash = upper, .at = t->capacity ? upper & (t->capacity - 1) : 0 };
}

bool hash_table_next(const struct hash_table *t, struct hash_search *s)
{
    if (!t->capacity)
        return false;
    for (;;) {
        const struct hash_place *place = &t->places[s->at];
        if (!place->number)
            return false;
        s->at = (s->at + 1) & (t->capacity - 1);
        if (place->hash == s->hash) {
            s->number = place->number - 1;
            return true;
        }
    }
}

static void put(struct hash_table *t, struct hash_place place)
{
    size_t at = place.hash & (t->capacity - 1);

    while (t->places[at].number)
        at = (at + 1) & (t->capacity - 1);
    t->places[at] = place;
}

static void enlarge(struct hash_table *t)
{
    struct hash_table larger = { .used = t->used, .capacity = t->capacity ? t->capacity * 2 : 64 };

    larger.places = alloc_zeroed(larger.capacity, sizeof *larger.places);
    for (size_t i = 0; i < t->capacity; i++)
        if (t->places[i].number)
            put(&larger, t->places[i]);
    free(t->places);
    *t = larger;
}

void hash_table_add(struct hash_table *t, uint64_t hash, uint32_t number)
{
    if (t->used * 4 >= t->capacity * 3)
        enlarge(t);
    put(t, (struct hash_place){ (uint32_t)(hash >> 32), number + 1 });
    t->used++;
}
