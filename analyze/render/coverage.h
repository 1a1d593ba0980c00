/* What every report says first where not every allocation was recorded: they were
 * sampled, small ones were left out, or recording was paused. */
#ifndef MALLOSCOPE_RENDER_COVERAGE_H
#define MALLOSCOPE_RENDER_COVERAGE_H

#include "analyze/model/settings.h"

#include <jansson.h>

struct coverage {
    const struct settings *settings;
    uint64_t recorded; /* allocations */
    bool was_paused;   /* in a process at least */
};

/* A line for each of them, without a newline; NULL where there is nothing to say.
 * Good until the next call. */
const char *coverage_sampled(const struct coverage *c);
const char *coverage_min_size(const struct coverage *c);
const char *coverage_paused(const struct coverage *c);

/* All lines, each after prefix; returns how many. */
int coverage_print(FILE *to, const struct coverage *c, const char *prefix);

/* "sampled", null or with members for the standard errors; "min_size"; "was_paused". */
void coverage_json(json_t *root, const struct coverage *c, json_t *standard_errors);

#endif
