/* Several sessions as one: the ranks of an MPI job, or the same service on several hosts.
 * Sums, the sum of their peaks, and the peak of their sum, aligned by the clock on the wall.
 * Each log is added and can go; kept of it are its figures, its timeline's most and least
 * live bytes, 16 bytes a bucket, and the names of its stacks. */
#ifndef MALLOSCOPE_RENDER_MERGED_H
#define MALLOSCOPE_RENDER_MERGED_H

#include "analyze/log/log.h"
#include "analyze/render/by_name.h"

#include <jansson.h>

struct merged_log {
    char *name, *host, *command; /* "" unknown */
    uint8_t origin[16]; /* id of the recording that it is, or was trimmed from */
    uint64_t begin_ns; /* CLOCK_REALTIME; 0: unknown */
    uint64_t duration_ns, peak_ns, bucket_ns, bucket_from_ns;
    struct merged_bucket { uint64_t most, least; } *buckets; /* live bytes */
    size_t bucket_count;
    uint64_t totals[COST_COUNT], frees;
    uint64_t carried, carried_bytes; /* allocations among these from before the part that the log is of another one */
    uint64_t sample_bytes, min_size; /* 0: every allocation was recorded */
    bool was_paused, temporary_known, is_part, is_trimmed, interrupted;
    size_t processes;
    char *trust;
    char *coverage; /* lines, each with the name in front; empty: every allocation was recorded */
    json_t *trust_json, *part_json;
};

/* The largest sum of live bytes over all logs at one time lies between these two: the
 * timelines tell for each bucket only the most and the least. */
struct aligned_peak {
    bool known; /* all logs tell when they began */
    uint64_t at_least, at_most;
    uint64_t at_ns;     /* of at_least, since the first log began */
    uint64_t bucket_ns; /* the widest */
};

struct merged {
    struct by_name table;
    struct merged_log *logs;
    size_t count, capacity;
};

void merged_init(struct merged *m, const struct by_name_options *options);
void merged_release(struct merged *m);
/* source->side must be 0. */
void merged_add(struct merged *m, const struct log *log, const struct by_name_source *source);
void merged_aligned_peak(const struct merged *m, struct aligned_peak *ret_peak);

struct merged_view {
    enum cost cost;
    size_t top;   /* rows shown */
    size_t depth; /* frames shown of each, in text */
};

/* Sort the table's rows. */
void merged_print(struct merged *m, const struct merged_view *view);
/* Schema malloscope-merge/1 (docs/merge.schema.json). */
void merged_print_json(struct merged *m, const struct merged_view *view);

#endif
