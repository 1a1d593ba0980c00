#include "analyze/model/numbered.h"

#include "analyze/hash.h"
#include "analyze/util.h"

void numbered_release(struct numbered *n)
{
    free(n->elements);
    free(n->groups);
    hash_table_release(&n->table);
    *n = (struct numbered){ .element_bytes = n->element_bytes };
}

static void *element_of(const struct numbered *n, size_t group, uint32_t number)
{
    return n->elements + (group * NUMBERED_TOGETHER + number % NUMBERED_TOGETHER) * n->element_bytes;
}

void *numbered_find(const struct numbered *n, uint32_t number)
{
    uint32_t group = number / NUMBERED_TOGETHER;
    struct hash_search s = hash_table_search(&n->table, hash_add(0, group));

    while (hash_table_next(&n->table, &s))
        if (n->groups[s.number] == group)
            return element_of(n, s.number, number);
    return NULL;
}

void *numbered_make(struct numbered *n, uint32_t number)
{
    void *known = numbered_find(n, number);

    if (known)
        return known;
    size_t group = n->group_count++;
    n->groups = grow(n->groups, &n->group_capacity, n->group_count, sizeof *n->groups);
    n->elements = grow(n->elements, &n->element_capacity, n->group_count, NUMBERED_TOGETHER * n->element_bytes);
    n->groups[group] = number / NUMBERED_TOGETHER;
    hash_table_add(&n->table, hash_add(0, n->groups[group]), (uint32_t)group);
    return element_of(n, group, number);
}

void numbered_each(const struct numbered *n, void (*use)(void *data, uint32_t number, void *element), void *data)
{
    for (size_t i = 0; i < n->group_count; i++)
        for (uint32_t k = 0; k < NUMBERED_TOGETHER; k++)
            use(data, n->groups[i] * NUMBERED_TOGETHER + k, element_of(n, i, k));
}
