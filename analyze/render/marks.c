#include "analyze/render/marks.h"

#include "analyze/render/text.h"

#include <string.h>

static int by_name(const void *left, const void *right, void *data)
{
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    const struct notes *n = data;
    int names = strcmp(n->marks[a].name, n->marks[b].name);
    return names ? names : a < b ? -1 : a > b;
}

static int by_first(const void *left, const void *right)
{
    size_t a = ((const struct mark_row *)left)->first, b = ((const struct mark_row *)right)->first;
    return a < b ? -1 : a > b;
}

size_t marks_by_name(const struct notes *n, struct mark_row **ret_rows, size_t **ret_row_of)
{
    struct mark_row *rows = alloc_zeroed(n->mark_count + 1, sizeof *rows);
    _cleanup_free_ size_t *order = alloc_zeroed(n->mark_count + 1, sizeof *order);
    size_t count = 0;

    for (size_t i = 0; i < n->mark_count; i++)
        order[i] = i;
    qsort_r(order, n->mark_count, sizeof *order, by_name, (void *)n);
    for (size_t i = 0; i < n->mark_count; i++) {
        const struct note_mark *mark = &n->marks[order[i]];
        if (!count || strcmp(rows[count - 1].name, mark->name) != 0)
            rows[count++] = (struct mark_row){ .name = mark->name, .first = order[i] };
        rows[count - 1].count++;
        rows[count - 1].last_ns = mark->ns;
    }
    /* Where the marks of each row lie in the order is told by their counts, before rows are sorted anew. */
    size_t *row_of = ret_row_of ? alloc_zeroed(n->mark_count + 1, sizeof *row_of) : NULL;
    for (size_t row = 0, at = 0; row < count; row++)
        for (size_t i = 0; i < rows[row].count; i++, at++)
            if (row_of)
                row_of[order[at]] = rows[row].first;
    qsort(rows, count, sizeof *rows, by_first);
    for (size_t row = 0; row_of && row < count; row++)
        order[rows[row].first] = row; /* now: of a first mark its row */
    for (size_t i = 0; row_of && i < n->mark_count; i++)
        row_of[i] = order[row_of[i]];
    if (ret_row_of)
        *ret_row_of = row_of;
    *ret_rows = rows;
    return count;
}

void marks_print_count(const struct mark_row *row, uint64_t first_ns)
{
    if (row->count > 1)
        printf("  (%s times, the last at %.3f s)", text_count(row->count), (double)(row->last_ns - first_ns) / 1e9);
}
