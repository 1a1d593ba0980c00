/* A hash table with open places; a pair that was added stays. */
#include "analyze/log/index.h"

#include "analyze/hash.h"
#include "analyze/util.h"

static struct index_place *place_of(const struct index *x, uint64_t first, uint64_t second)
{
    size_t at = (size_t)hash_add(hash_add(0, first), second) & (x->capacity - 1);

    while (x->places[at].number && (x->places[at].first != first || x->places[at].second != second))
        at = (at + 1) & (x->capacity - 1);
    return &x->places[at];
}

void index_release(struct index *x)
{
    free(x->places);
    *x = (struct index){ 0 };
}

uint32_t index_find(const struct index *x, uint64_t first, uint64_t second)
{
    return x->capacity ? place_of(x, first, second)->number - 1 : UINT32_MAX;
}

void index_add(struct index *x, uint64_t first, uint64_t second, uint32_t number)
{
    if (x->used * 2 >= x->capacity) {
        struct index larger = { .capacity = x->capacity ? x->capacity * 2 : 64 };
        larger.places = alloc_zeroed(larger.capacity, sizeof *larger.places);
        for (size_t i = 0; i < x->capacity; i++)
            if (x->places[i].number)
                *place_of(&larger, x->places[i].first, x->places[i].second) = x->places[i];
        larger.used = x->used;
        free(x->places);
        *x = larger;
    }
    struct index_place *place = place_of(x, first, second);
    x->used += !place->number;
    *place = (struct index_place){ first, second, number + 1 };
}
