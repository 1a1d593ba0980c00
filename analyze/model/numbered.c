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

static uint64_t group_of(uint32_t process, uint32_t number)
{
    return (uint64_t)process << 32 | number / NUMBERED_TOGETHER;
}

static void *element_of(const struct numbered *n, size_t group, uint32_t number)
{
    return n->elements + (group * NUMBERED_TOGETHER + number % NUMBERED_TOGETHER) * n->element_bytes;
}

void *numbered_find(const struct numbered *n, uint32_t process, uint32_t number)
{
    uint64_t group = group_of(process, number);
    struct hash_search s = hash_table_search(&n->table, hash_add(0, group));

    while (hash_table_next(&n->table, &s))
        if (n->groups[s.number] == group)
            return element_of(n, s.number, number);
    return NULL;
}

void *numbered_make(struct numbered *n, uint32_t process, uint32_t number)
{
    void *known = numbered_find(n, process, number);

    if (known)
        return known;
    size_t group = n->group_count++;
    n->groups = grow(n->groups, &n->group_capacity, n->group_count, sizeof *n->groups);
    n->elements = grow(n->elements, &n->element_capacity, n->group_count, NUMBERED_TOGETHER * n->element_bytes);
    n->groups[group] = group_of(process, number);
    hash_table_add(&n->table, hash_add(0, n->groups[group]), (uint32_t)group);
    return element_of(n, group, number);
}

static int by_number(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

void numbered_each(const struct numbered *n, void (*use)(void *data, uint32_t process, uint32_t number), void *data)
{
    _cleanup_free_ uint64_t *groups = alloc_zeroed(n->group_count, sizeof *groups);

    for (size_t i = 0; i < n->group_count; i++)
        groups[i] = n->groups[i];
    if (n->group_count)
        qsort(groups, n->group_count, sizeof *groups, by_number);
    for (size_t i = 0; i < n->group_count; i++)
        for (uint32_t k = 0; k < NUMBERED_TOGETHER; k++)
            use(data, (uint32_t)(groups[i] >> 32), (uint32_t)groups[i] * NUMBERED_TOGETHER + k);
}
