/* What the user asks of metrics: the most that they may be (--max, --budget), how far they may be off
 * a baseline (--tolerance), and by which names they go. */
#ifndef MALLOSCOPE_CHECK_LIMITS_H
#define MALLOSCOPE_CHECK_LIMITS_H

#include "analyze/check/verdict.h"

#define CHECK_KIND_NAMES "allocations, bytes, peak, leaked, leaked_blocks, temporary or reallocations"

struct metric_id {
    enum verdict_kind kind;
    enum verdict_scope scope;
    char *scope_name; /* "" of VERDICT_ALL */
};

/* "allocations", "sites.json_parse.allocations", "modules.libpng.bytes", "marks.ready.leaked"; what stands in the
 * middle may have dots. False: it is none. */
bool metric_id_parse(const char *name, size_t bytes, struct metric_id *ret_id);
bool metric_id_is(const struct metric_id *a, const struct metric_id *b);
char *metric_id_name(const struct metric_id *id);
bool verdict_kind_parse(const char *text, size_t bytes, enum verdict_kind *ret_kind);

struct limit {
    struct metric_id id;
    uint64_t most;
    enum verdict_source from;
};

struct tolerance {
    char *name; /* of a metric, or "all", "sites", "modules", "marks" */
    double percent;
    uint64_t absolute;
};

struct limits {
    struct limit *of;
    size_t count, capacity;
    struct tolerance *tolerances;
    size_t tolerance_count, tolerance_capacity;
};

/* "METRIC=N", N with K, M, G or KiB, MiB, GiB. 0 or -EINVAL. */
int limits_add_max(struct limits *l, const char *text, struct failure *ret_failure);
/* "METRIC=P%+N", "METRIC=P%", "METRIC=N". The last one for a name counts. 0 or -EINVAL. */
int limits_add_tolerance(struct limits *l, const char *text, struct failure *ret_failure);
/* A file of JSON (docs/budget.schema.json). 0 or -errno. */
int limits_add_budget(struct limits *l, const char *path, struct failure *ret_failure);
void limits_release(struct limits *l);

/* The most specific one that was given for a metric; NULL: none was. */
const struct tolerance *limits_tolerance(const struct limits *l, const struct metric_id *id);

#endif
