/* What every report says first where it is not of the whole log: a range of time, some
 * threads, or only the beginning, because reading was interrupted. */
#ifndef MALLOSCOPE_RENDER_PART_H
#define MALLOSCOPE_RENDER_PART_H

#include "analyze/model/facts.h"

#include <jansson.h>

/* Which part of the log it is, without an end of line; NULL: it is of the whole. To be freed. */
char *part_text(const struct facts *f);

/* A line or two; returns how many. */
int part_print(FILE *to, const struct facts *f);

/* null, or an object. */
json_t *part_json(const struct facts *f);

#endif
