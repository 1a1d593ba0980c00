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

/* In its place: where there are millions of sizes, a copy would be most of the memory. */
void sizes_end(struct sizes *s)
{
    size_t used = 0;

    for (size_t i = 0; i < s->table_capacity; i++)
        if (s->table[i].count)
            s->table[used++] = s->table[i];
    s->table = shrink(s->table, &s->table_capacity, used, sizeof *s->table);
    if (used)
        qsort(s->table, used, sizeof *s->table, by_size);
}

static void add_row(struct size_table *t, unsigned __int128 *bytes, uint64_t *count, const struct size_count *of, uint64_t unit)
{
    struct size_total *row = &t->rows[t->row_count++];

    *count += of->count;
    *bytes += (unsigned __int128)of->count * of->size;
    unsigned __int128 rounded = (*bytes + unit / 2) / unit;
    t->count = round_units(*count, unit);
    t->bytes = rounded < INT64_MAX ? (uint64_t)rounded : INT64_MAX; /* what JSON can hold */
    *row = (struct size_total){ of->size, t->count, t->bytes };
}

void sizes_table(const struct sizes *s, struct size_table *ret_table)
{
    struct size_table t = { 0 };
    uint64_t unit = s->unit ? s->unit : 1, count = 0;
    unsigned __int128 bytes = 0;
    size_t direct = 0;

    for (size_t i = 0; i < SIZES_DIRECT; i++)
        direct += s->direct[i] != 0;
    t.rows = alloc_zeroed(direct + s->table_used, sizeof *t.rows);
    for (size_t i = 0; i < SIZES_DIRECT; i++)
        if (s->direct[i])
            add_row(&t, &bytes, &count, &(struct size_count){ i, s->direct[i] }, unit);
    for (size_t i = 0; i < s->table_used; i++)
        add_row(&t, &bytes, &count, &s->table[i], unit);
    *ret_table = t;
}

void size_table_release(struct size_table *t)
{
    free(t->rows);
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
    *ret_count = low ? t->rows[low - 1].count_through : 0;
    *ret_bytes = low ? t->rows[low - 1].bytes_through : 0;
}

uint64_t size_table_quantile(const struct size_table *t, double share, bool by_bytes)
{
    uint64_t total = by_bytes ? t->bytes : t->count;

    for (size_t i = 0; i < t->row_count; i++)
        if ((double)(by_bytes ? t->rows[i].bytes_through : t->rows[i].count_through) >= share * (double)total)
            return t->rows[i].size;
    return t->row_count ? t->rows[t->row_count - 1].size : 0;
}

static uint64_t weight(const struct size_table *t, size_t row, bool by_bytes)
{
    return by_bytes ? size_table_bytes(t, row) : size_table_count(t, row);
}

size_t size_table_top(const struct size_table *t, bool by_bytes, size_t wanted, size_t *ret_rows)
{
    size_t found = 0;

    /* Insertion into a short list; of equals, the smaller size stays first. */
    for (size_t i = 0; i < t->row_count; i++) {
        uint64_t mine = weight(t, i, by_bytes);
        size_t at = found;
        while (at > 0 && weight(t, ret_rows[at - 1], by_bytes) < mine)
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
