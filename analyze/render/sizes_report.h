/* The sizes of allocations as text, JSON or TSV. */
#ifndef MALLOSCOPE_RENDER_SIZES_REPORT_H
#define MALLOSCOPE_RENDER_SIZES_REPORT_H

#include "analyze/model/sizes.h"

#include <jansson.h>

struct sizes_view {
    uint64_t threshold; /* bytes: smaller is small */
    uint64_t linear;    /* bytes of each row, 0: powers of two */
    bool by_bytes;      /* bars weigh bytes instead of allocations */
    bool is_estimate;   /* of sampled allocations */
};

/* Rows of the histogram: sizes from low to high, both included. */
struct size_row {
    uint64_t low, high, count, bytes;
};

/* The rows that hold anything, and those between them. Linear ones go up to 64
 * rows, or to 100 bytes where that is more; then a last row holds all the rest,
 * its high end is UINT64_MAX. */
struct size_row *sizes_rows(const struct size_table *t, uint64_t linear, size_t *ret_count);

void sizes_print_histogram(const struct size_table *t, const struct sizes_view *view);
void sizes_print_split(const struct size_table *t, const struct sizes_view *view);
void sizes_print_tsv(const struct size_table *t, const struct sizes_view *view);
json_t *sizes_json(const struct size_table *t, const struct sizes_view *view);

#endif
