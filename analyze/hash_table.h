/* Numbers, found by the hash (hash.h) of what they stand for. What that is, is the owner's: who looks for
 * one compares those that have the hash,
 *
 *     struct hash_search s = hash_table_search(&table, hash);
 *     while (hash_table_next(&table, &s))
 *         if (is_it(s.number)) ...
 *
 * and adds another one where none is it. Nothing is taken out. Memory: 8 bytes for each place, three
 * to six eighths of which are used. */
#ifndef MALLOSCOPE_ANALYZE_HASH_TABLE_H
#define MALLOSCOPE_ANALYZE_HASH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_place {
    uint32_t hash;   /* the upper half */
    uint32_t number; /* + 1; 0: empty */
};

struct hash_table {
    struct hash_place *places;
    size_t used, capacity;
};

struct hash_search {
    uint32_t hash, number;
    size_t at;
};

void hash_table_release(struct hash_table *t);

struct hash_search hash_table_search(const struct hash_table *t, uint64_t hash);
/* False: there are no more. */
bool hash_table_next(const struct hash_table *t, struct hash_search *s);

/* A number below UINT32_MAX. */
void hash_table_add(struct hash_table *t, uint64_t hash, uint32_t number);

#endif
