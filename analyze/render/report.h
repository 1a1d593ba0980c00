/* A session's facts as text, JSON, or the few lines after `record`. */
#ifndef MALLOSCOPE_RENDER_REPORT_H
#define MALLOSCOPE_RENDER_REPORT_H

#include "analyze/model/facts.h"
#include "analyze/render/call_sites.h"
#include "analyze/render/namer.h"

struct report_view {
    const char *log_name;
    const char *command; /* how to call this program; NULL: malloscope */
    uint64_t threshold; /* bytes */
    size_t top;         /* rows of each list, or REPORT_TOP_DEFAULT */
    size_t depth;       /* frames of a stack; 0: as many as are good for a page */
    bool has_sort;
    enum cost sort;     /* the only list of call sites, if has_sort */
    struct call_sites_filter filter; /* by which sites were collected */
    bool has_threads, merges_threads;
    bool no_advice;
};

#define REPORT_TOP_DEFAULT SIZE_MAX

void report_print(const struct log *log, struct facts *facts, const struct sites *sites, const struct namer *namer,
                  const struct report_view *view);
void report_print_json(const struct log *log, struct facts *facts, const struct sites *sites, const struct namer *namer,
                       const struct report_view *view);

/* The summary after a recording. */
void report_print_summary(FILE *to, const struct log *log, const struct facts *facts, const struct report_view *view);

#endif
