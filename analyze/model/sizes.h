/* How big allocations are: how often each exact size was asked for. Order does
 * not matter, so parts of a log can be counted apart and merged. Memory grows
 * with the number of distinct sizes: 16 bytes a place, at most half of them used, then 16 and 24 for each.
 * Quantiles and shares are exact. */
#ifndef MALLOSCOPE_MODEL_SIZES_H
#define MALLOSCOPE_MODEL_SIZES_H

#include "analyze/util.h"

#define SIZES_DIRECT 4096 /* sizes below are counted in an array */

struct size_count {
    uint64_t size;  /* bytes */
    uint64_t count; /* allocations; 0: an empty place */
};

/* Under sampling an allocation counts as its weight, in units (model/settings.h). */
struct sizes {
    uint64_t unit; /* 0: as 1 */
    uint64_t direct[SIZES_DIRECT];
    struct size_count *table; /* the others: open addressing; after sizes_end() by size, without empty places */
    size_t table_used, table_capacity;
};

void sizes_release(struct sizes *s);
void sizes_add_large(struct sizes *s, uint64_t size, uint64_t count);
void sizes_merge(struct sizes *into, const struct sizes *from);
/* No more are added. */
void sizes_end(struct sizes *s);

static inline void sizes_add(struct sizes *s, uint64_t size, uint64_t count)
{
    if (size < SIZES_DIRECT)
        s->direct[size] += count;
    else
        sizes_add_large(s, size, count);
}

struct size_total {
    uint64_t size;
    uint64_t count_through, bytes_through; /* allocations of this size or less, and their bytes */
};

/* What was counted, sorted by size, with running totals. Estimates are rounded so
 * that their sums are right, too. */
struct size_table {
    struct size_total *rows;
    size_t row_count;
    uint64_t count, bytes;   /* of all */
};

/* After sizes_end(). */
void sizes_table(const struct sizes *s, struct size_table *ret_table);
void size_table_release(struct size_table *t);

/* Of one row. */
static inline uint64_t size_table_count(const struct size_table *t, size_t row)
{
    return t->rows[row].count_through - (row ? t->rows[row - 1].count_through : 0);
}

static inline uint64_t size_table_bytes(const struct size_table *t, size_t row)
{
    return t->rows[row].bytes_through - (row ? t->rows[row - 1].bytes_through : 0);
}

/* Allocations smaller than limit bytes, and their bytes. */
void size_table_below(const struct size_table *t, uint64_t limit, uint64_t *ret_count, uint64_t *ret_bytes);

/* The smallest size such that at least `share` (0..1] of all allocations (or,
 * by_bytes, of all bytes) are of that size or less. 0 when nothing was counted. */
uint64_t size_table_quantile(const struct size_table *t, double share, bool by_bytes);

/* Indexes of the rows with the most allocations (or bytes), most first: at most
 * `wanted` of them into ret_rows; returns how many. */
size_t size_table_top(const struct size_table *t, bool by_bytes, size_t wanted, size_t *ret_rows);

#endif
