/* One table of sizes, three ways to show it. */
#include "analyze/render/sizes_report.h"

#include "analyze/render/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const uint64_t limits[] = { 32, 64, 100, 128, 256, 512, 1024, 4096, 16384, 131072 };
static const struct { double share; const char *name; } quantiles[] = {
    { 0.5, "50" }, { 0.75, "75" }, { 0.9, "90" }, { 0.95, "95" }, { 0.99, "99" }, { 0.999, "99.9" }, { 1, "max" },
};
#define LIMITS (sizeof limits / sizeof limits[0])
#define QUANTILES (sizeof quantiles / sizeof quantiles[0])
#define TOP_SIZES 10
#define LINEAR_ROWS 64 /* at least, where the sizes go so far */

/* The number of the row that a size falls into. */
static uint64_t row_of(uint64_t size, uint64_t linear)
{
    if (linear)
        return size / linear;
    return size == 0 ? 0 : 64 - (uint64_t)__builtin_clzll(size);
}

static void row_limits(uint64_t row, uint64_t linear, struct size_row *ret_row)
{
    if (linear) {
        ret_row->low = row * linear;
        ret_row->high = ret_row->low + linear - 1;
    } else {
        ret_row->low = row ? 1ull << (row - 1) : 0;
        ret_row->high = row ? ret_row->low * 2 - 1 : 0;
    }
}

struct size_row *sizes_rows(const struct size_table *t, uint64_t linear, size_t *ret_count)
{
    uint64_t first = 0, last = 0;

    if (t->row_count) {
        first = linear ? 0 : row_of(t->rows[0].size, 0);
        last = row_of(t->rows[t->row_count - 1].size, linear);
    }
    if (linear) {
        uint64_t classic = (100 + linear - 1) / linear, most = classic < LINEAR_ROWS ? LINEAR_ROWS : classic;
        if (last > most) /* the rest goes into one open row behind */
            last = most;
    }
    size_t count = (size_t)(last - first + 1);
    struct size_row *rows = alloc_zeroed(count, sizeof *rows);
    for (size_t i = 0; i < count; i++)
        row_limits(first + i, linear, &rows[i]);
    for (size_t i = 0; i < t->row_count; i++) {
        uint64_t row = row_of(t->rows[i].size, linear);
        struct size_row *r = &rows[(row > last ? last : row) - first];
        r->count += size_table_count(t, i);
        r->bytes += size_table_bytes(t, i);
    }
    if (linear && t->row_count && t->rows[t->row_count - 1].size > rows[count - 1].high)
        rows[count - 1].high = UINT64_MAX;
    *ret_count = count;
    return rows;
}

/* Powers of two from 1 Mi on are shorter with their unit. */
static const char *range_end(uint64_t size)
{
    return size >= 1 << 20 && (size & (size - 1)) == 0 ? text_bytes(size) : text_count(size);
}

static void print_range(const struct size_row *row)
{
    if (row->high == UINT64_MAX)
        printf("%10s and up   ", text_count(row->low));
    else if (row->low == row->high)
        printf("%10s          ", text_count(row->low));
    else if (row->low >= 1 << 20)
        printf("%10s - <%-9s", range_end(row->low), range_end(row->high + 1));
    else
        printf("%10s - %-10s", text_count(row->low), text_count(row->high));
    putchar(' ');
}

#define EMPTY_ROWS_SHOWN 3

/* How many rows from i on have nothing. */
static size_t empty_rows(const struct size_row *rows, size_t count, size_t i)
{
    size_t end = i;
    while (end < count && !rows[end].count)
        end++;
    return end - i;
}

void sizes_print_histogram(const struct size_table *t, const struct sizes_view *view)
{
    size_t count;
    _cleanup_free_ struct size_row *rows = sizes_rows(t, view->linear, &count);
    uint64_t largest = 1, through = 0, all = view->by_bytes ? t->bytes : t->count;
    int columns = text_columns() - 60;

    for (size_t i = 0; i < count; i++) {
        uint64_t weight = view->by_bytes ? rows[i].bytes : rows[i].count;
        if (weight > largest)
            largest = weight;
    }
    printf("      size in bytes   %15s       %%    cum %%\n", view->by_bytes ? "bytes" : "allocations");
    for (size_t i = 0; i < count; i++) {
        uint64_t weight = view->by_bytes ? rows[i].bytes : rows[i].count;
        size_t empty = empty_rows(rows, count, i);
        if (empty > EMPTY_ROWS_SHOWN) {
            printf("       ... %s without any\n", text_counted(empty, "row"));
            i += empty - 1;
            continue;
        }
        through += weight;
        print_range(&rows[i]);
        printf("%15s  %6s  %6s  %s\n", view->by_bytes ? text_bytes(weight) : text_count(weight), text_share(weight, all),
               text_share(through, all), text_bar((double)weight / (double)largest, columns > 10 ? columns : 10));
    }
}

static void print_top(const struct size_table *t, bool by_bytes)
{
    size_t top[TOP_SIZES], count = size_table_top(t, by_bytes, TOP_SIZES, top);

    for (size_t i = 0; i < count; i++) {
        uint64_t allocations = size_table_count(t, top[i]), bytes = size_table_bytes(t, top[i]);
        printf("  %12s  %14s  %6s  %12s  %6s\n", text_count(t->rows[top[i]].size), text_count(allocations),
               text_share(allocations, t->count), text_bytes(bytes), text_share(bytes, t->bytes));
    }
}

void sizes_print_split(const struct size_table *t, const struct sizes_view *view)
{
    uint64_t count, bytes;

    size_table_below(t, view->threshold, &count, &bytes);
    printf("Small and large, parted at %s (--threshold)\n", text_counted(view->threshold, "byte"));
    printf("                   allocations       %%         bytes       %%\n");
    printf("  small         %14s  %6s  %12s  %6s\n", text_count(count), text_share(count, t->count), text_bytes(bytes),
           text_share(bytes, t->bytes));
    printf("  large         %14s  %6s  %12s  %6s\n", text_count(t->count - count),
           text_share(t->count - count, t->count), text_bytes(t->bytes - bytes),
           text_share(t->bytes - bytes, t->bytes));
    printf("\nSmaller than       allocations       %%         bytes       %%\n");
    for (size_t i = 0; i < LIMITS; i++) {
        size_table_below(t, limits[i], &count, &bytes);
        printf("  %12s  %14s  %6s  %12s  %6s\n", text_count(limits[i]), text_count(count), text_share(count, t->count),
               text_bytes(bytes), text_share(bytes, t->bytes));
    }
    printf("\nQuantiles: this share is in blocks of so many bytes or less\n"
           "                of allocations        of bytes\n");
    for (size_t i = 0; i < QUANTILES; i++)
        printf("  %8s%s  %18s  %14s\n", quantiles[i].name, quantiles[i].share < 1 ? " %" : "  ",
               text_count(size_table_quantile(t, quantiles[i].share, false)),
               text_count(size_table_quantile(t, quantiles[i].share, true)));
    printf("\nDistinct sizes%s: %s. The most frequent ones:\n"
           "          size     allocations       %%         bytes       %%\n", view->is_estimate ? " recorded" : "",
           text_count(t->row_count));
    print_top(t, false);
    printf("Those with the most bytes:\n");
    print_top(t, true);
}

void sizes_print_tsv(const struct size_table *t, const struct sizes_view *view)
{
    size_t count;
    _cleanup_free_ struct size_row *rows = sizes_rows(t, view->linear, &count);

    printf("low\thigh\tallocations\tbytes\n");
    for (size_t i = 0; i < count; i++) {
        printf("%" PRIu64 "\t", rows[i].low);
        if (rows[i].high == UINT64_MAX)
            printf("inf");
        else
            printf("%" PRIu64, rows[i].high);
        printf("\t%" PRIu64 "\t%" PRIu64 "\n", rows[i].count, rows[i].bytes);
    }
}

static json_t *json_top(const struct size_table *t, bool by_bytes)
{
    size_t top[TOP_SIZES], count = size_table_top(t, by_bytes, TOP_SIZES, top);
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:I, s:I}", "size", (json_int_t)t->rows[top[i]].size, "allocations",
                                              (json_int_t)size_table_count(t, top[i])));
    return list;
}

json_t *sizes_json(const struct size_table *t, const struct sizes_view *view)
{
    size_t row_count;
    _cleanup_free_ struct size_row *rows = sizes_rows(t, view->linear, &row_count);
    json_t *histogram = json_array(), *below = json_array(), *quantile = json_array();
    uint64_t count, bytes;

    for (size_t i = 0; i < row_count; i++) {
        json_t *high = rows[i].high == UINT64_MAX ? json_null() : json_integer((json_int_t)rows[i].high);
        json_array_append_new(histogram, json_pack("{s:I, s:o, s:I, s:I}", "low", (json_int_t)rows[i].low, "high", high,
                                                   "allocations", (json_int_t)rows[i].count, "bytes",
                                                   (json_int_t)rows[i].bytes));
    }
    for (size_t i = 0; i < LIMITS; i++) {
        size_table_below(t, limits[i], &count, &bytes);
        json_array_append_new(below, json_pack("{s:I, s:I, s:I}", "limit", (json_int_t)limits[i], "allocations",
                                               (json_int_t)count, "bytes", (json_int_t)bytes));
    }
    for (size_t i = 0; i < QUANTILES; i++)
        json_array_append_new(quantile, json_pack("{s:f, s:I, s:I}", "share", quantiles[i].share, "by_allocations",
                                                  (json_int_t)size_table_quantile(t, quantiles[i].share, false),
                                                  "by_bytes",
                                                  (json_int_t)size_table_quantile(t, quantiles[i].share, true)));
    size_table_below(t, view->threshold, &count, &bytes);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}",
                     "allocations", (json_int_t)t->count, "bytes", (json_int_t)t->bytes,
                     "threshold", (json_int_t)view->threshold,
                     "small_allocations", (json_int_t)count, "small_bytes", (json_int_t)bytes,
                     "distinct", (json_int_t)t->row_count, "histogram", histogram, "below", below,
                     "quantiles", quantile, "top_by_allocations", json_top(t, false),
                     "top_by_bytes", json_top(t, true));
}
