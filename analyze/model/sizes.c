#include "analyze/model/sizes.h"

#include "analyze/hash.h"

#include <string.h>

void sizes_release(struct sizes *s)
{
    free(s->table);
    s->table = NULL;
    s->table_used = s->table_capacity = 0;
}

static struct size_count *place_of(struct size_count *table, size_t capacity, uint64_t size)
{
    size_t at = (size_t)hash_add(0, size) & (capacity - 1);

    while (table[at].count && table[at].size != size)
        at = (at + 1) & (capacity - 1);
    return &table[at];
}

static void rehash(struct sizes *s)
{
    size_t capacity = s->table_capacity ? s->table_capacity * 2 : 1024;
    struct size_count *table = alloc_zeroed(capacity, sizeof *table);

    for (size_t i = 0; i < s->table_capacity; i++)
        if (s->table[i].count)
            *place_of(table, capacity, s->table[i].size) = s->table[i];
    free(s->table);
    s->table = table;
    s->table_capacity = capacity;
}

void sizes_add_large(struct sizes *s, uint64_t size, uint64_t count)
{
    if (s->table_used * 2 >= s->table_capacity)
        rehash(s);
    struct size_count *place = place_of(s->table, s->table_capacity, size);
    if (!place->count) {
        place->size = size;
        s->table_used++;
    }
    place->count += count;
}

void sizes_merge(struct sizes *into, const struct sizes *from)
{
    for (size_t i = 0; i < SIZES_DIRECT; i++)
        into->direct[i] += from->direct[i];
    for (size_t i = 0; i < from->table_capacity; i++)
        if (from->table[i].count)
            sizes_add_large(into, from->table[i].size, from->table[i].count);
}

static int by_size(const void *left, const void *right)
{
    const struct size_count *a = left, *b = right;
    return a->size < b->size ? -1 : a->size > b->size;
}

void sizes_table(const struct sizes *s, struct size_table *ret_table)
{
    struct size_table t = { 0 };
    _cleanup_free_ struct size_count *counts = alloc_zeroed(SIZES_DIRECT + s->table_used, sizeof *counts);
    uint64_t unit = s->unit ? s->unit : 1, count = 0;
    unsigned __int128 bytes = 0;

    for (size_t i = 0; i < SIZES_DIRECT; i++)
        if (s->direct[i])
            counts[t.row_count++] = (struct size_count){ i, s->direct[i] };
    for (size_t i = 0; i < s->table_capacity; i++)
        if (s->table[i].count)
            counts[t.row_count++] = s->table[i];
    qsort(counts, t.row_count, sizeof *counts, by_size);
    t.rows = alloc_zeroed(t.row_count, sizeof *t.rows);
    t.count_through = alloc_zeroed(t.row_count, sizeof *t.count_through);
    t.bytes_through = alloc_zeroed(t.row_count, sizeof *t.bytes_through);
    for (size_t i = 0; i < t.row_count; i++) {
        count += counts[i].count;
        bytes += (unsigned __int128)counts[i].count * counts[i].size;
        t.count_through[i] = round_units(count, unit);
        unsigned __int128 rounded = (bytes + unit / 2) / unit;
        t.bytes_through[i] = rounded < INT64_MAX ? (uint64_t)rounded : INT64_MAX; /* what JSON can hold */
        t.rows[i] = (struct size_total){ counts[i].size, t.count_through[i] - t.count, t.bytes_through[i] - t.bytes };
        t.count = t.count_through[i];
        t.bytes = t.bytes_through[i];
    }
    *ret_table = t;
}

void size_table_release(struct size_table *t)
{
    free(t->rows);
    free(t->count_through);
    free(t->bytes_through);
    memset(t, 0, sizeof *t);
}

void size_table_below(const struct size_table *t, uint64_t limit, uint64_t *ret_count, uint64_t *ret_bytes)
{
    size_t low = 0, high = t->row_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->rows[middle].size < limit)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_count = low ? t->count_through[low - 1] : 0;
    *ret_bytes = low ? t->bytes_through[low - 1] : 0;
}

uint64_t size_table_quantile(const struct size_table *t, double share, bool by_bytes)
{
    const uint64_t *through = by_bytes ? t->bytes_through : t->count_through;
    uint64_t total = by_bytes ? t->bytes : t->count;

    for (size_t i = 0; i < t->row_count; i++)
        if ((double)through[i] >= share * (double)total)
            return t->rows[i].size;
    return t->row_count ? t->rows[t->row_count - 1].size : 0;
}

static uint64_t weight(const struct size_total *row, bool by_bytes)
{
    return by_bytes ? row->bytes : row->count;
}

size_t size_table_top(const struct size_table *t, bool by_bytes, size_t wanted, size_t *ret_rows)
{
    size_t found = 0;

    /* Insertion into a short list; of equals, the smaller size stays first. */
    for (size_t i = 0; i < t->row_count; i++) {
        uint64_t mine = weight(&t->rows[i], by_bytes);
        size_t at = found;
        while (at > 0 && weight(&t->rows[ret_rows[at - 1]], by_bytes) < mine)
            at--;
        if (at == wanted)
            continue;
        if (found < wanted)
            found++;
        memmove(ret_rows + at + 1, ret_rows + at, (found - at - 1) * sizeof *ret_rows);
        ret_rows[at] = i;
    }
    return found;
}
