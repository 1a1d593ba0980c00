/* A session's timeline in at most so many rows, all of one width: what `timeline` shows. */
#ifndef MALLOSCOPE_RENDER_ROWS_H
#define MALLOSCOPE_RENDER_ROWS_H

#include "analyze/log/log.h"
#include "analyze/model/facts.h"

#include <jansson.h>

/* Numbers of allocations and bytes. Sums over all rows are the facts' totals, and the
 * largest most_live is their peak. */
struct timeline_row {
    uint64_t allocations, bytes, frees;
    uint64_t most_live;               /* bytes, at one time in the row */
    uint64_t live_bytes, live_blocks; /* at its end */
};

struct timeline_rows {
    struct timeline_row *of;
    size_t count;
    uint64_t from_ns, row_ns; /* the first begins at from_ns of the session; width */
};

void timeline_rows_make(const struct facts *facts, size_t most_rows, struct timeline_rows *ret_rows);
void timeline_rows_release(struct timeline_rows *rows);

/* How many rows a chart as wide as this has room for. */
size_t timeline_chart_rows(int columns);
/* As charts of text. */
void timeline_print(const struct log *log, const struct facts *facts, const struct timeline_rows *rows);
/* Tab-separated, with a header line. */
void timeline_print_tsv(const struct timeline_rows *rows);
/* Schema malloscope-timeline/1 (docs/timeline.schema.json). */
json_t *timeline_json(const struct log *log, const struct facts *facts, const struct timeline_rows *rows);

#endif
