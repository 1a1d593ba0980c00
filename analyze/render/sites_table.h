/* Every call site, or every stack, with all that is known of it: as TSV or JSON, for other
 * tools. The columns' sums are the session's totals (the sum of peak_bytes is the peak). */
#ifndef MALLOSCOPE_RENDER_SITES_TABLE_H
#define MALLOSCOPE_RENDER_SITES_TABLE_H

#include "analyze/log/log.h"
#include "analyze/render/call_sites.h"
#include "analyze/render/namer.h"

struct sites_view {
    bool stacks;    /* a row for each stack */
    enum cost sort; /* rows with the most of it first */
};

/* A header row, then the rows. */
void sites_print_tsv(struct facts *facts, const struct sites *sites, const struct namer *namer, const struct sites_view *view);
/* Schema malloscope-sites/1 (docs/sites.schema.json), row by row. */
void sites_print_json(const struct log *log, struct facts *facts, const struct sites *sites, const struct namer *namer,
                      const struct sites_view *view);

#endif
