/* Two sessions side by side: totals, and what each call site (or stack) allocated in the
 * one and in the other. Add a log as COMPARE_BEFORE, another as COMPARE_AFTER, then look
 * at the changes. */
#ifndef MALLOSCOPE_RENDER_COMPARE_H
#define MALLOSCOPE_RENDER_COMPARE_H

#include "analyze/log/log.h"
#include "analyze/render/by_name.h"

#include <jansson.h>

enum compare_side { COMPARE_BEFORE, COMPARE_AFTER };

enum compare_change { COMPARE_UNCHANGED, COMPARE_CHANGED, COMPARE_ONLY_BEFORE, COMPARE_ONLY_AFTER, COMPARE_CHANGES };

struct compared_log {
    char *name, *command; /* command: ""  unknown */
    uint64_t totals[COST_COUNT];
    uint64_t carried, carried_bytes; /* allocations among these from before the part that the log is of another one */
    double seconds;
    uint64_t sample_bytes, min_size;
    bool was_paused, interrupted, is_part, temporary_known;
    bool is_whole; /* nothing is damaged, missing or lost, as far as the log can tell */
    bool runs;     /* a process of it, when it was read */
    bool is_trimmed;
    char *trust;   /* its lines */
    json_t *trust_json, *part_json;
};

struct compared_row {
    const struct by_name_row *row;
    enum compare_change change;
};

struct comparison {
    struct by_name table;
    struct compared_log logs[BY_NAME_SIDES];
    struct compared_row *rows; /* after compare_sort(): those that changed, or all */
    size_t row_count;
    uint64_t counts[COMPARE_CHANGES];
};

void compare_init(struct comparison *c, const struct by_name_options *options);
void compare_release(struct comparison *c);

/* log and what the source has are not needed any more afterwards. */
void compare_add(struct comparison *c, const struct log *log, const struct by_name_source *source);

/* What has changed in any cost, or all, by the absolute change of this one, the largest first; ties by that
 * of bytes, allocations and the others, then by name. */
void compare_sort(struct comparison *c, enum cost cost, bool all);

static inline int64_t compare_difference(const struct by_name_row *row, enum cost cost)
{
    return (int64_t)(row->costs[COMPARE_AFTER][cost] - row->costs[COMPARE_BEFORE][cost]);
}

/* Whether a cost's figures are known of both logs. */
bool compare_is_known(const struct comparison *c, enum cost cost);

/* Why the two may not be comparable, a sentence each, as calls of use(). */
void compare_warnings(const struct comparison *c, void (*use)(void *data, const char *sentence), void *data);

struct compare_view {
    enum cost cost;
    size_t top;   /* rows shown */
    size_t depth; /* frames shown of each, in text */
};

void compare_print(const struct comparison *c, const struct compare_view *view);
/* Schema malloscope-diff/1 (docs/diff.schema.json). */
void compare_print_json(const struct comparison *c, const struct compare_view *view);

#endif
