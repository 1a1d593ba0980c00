/* A session's facts as text, JSON, or the few lines after `record`. */
#ifndef MALLOSCOPE_RENDER_REPORT_H
#define MALLOSCOPE_RENDER_REPORT_H

#include "analyze/model/facts.h"
#include "analyze/model/sites.h"
#include "analyze/render/namer.h"

#include <jansson.h>

struct report_view {
    const char *log_name;
    const char *command; /* how to call this program; NULL: malloscope */
    uint64_t threshold; /* bytes */
    size_t top;         /* call sites in each list */
};

/* sites are sorted in the course of it. */
void report_print(const struct log *log, struct facts *facts, struct sites *sites, const struct namer *namer,
                  const struct report_view *view);
json_t *report_json(const struct log *log, struct facts *facts, struct sites *sites, const struct namer *namer,
                    const struct report_view *view);

/* The summary after a recording. */
void report_print_summary(FILE *to, const struct log *log, const struct facts *facts, const struct report_view *view);

#endif
