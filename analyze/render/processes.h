/* The processes of a session as a tree, on stdout. */
#ifndef MALLOSCOPE_RENDER_PROCESSES_H
#define MALLOSCOPE_RENDER_PROCESSES_H

#include "analyze/model/facts.h"

#include <jansson.h>

/* Of many processes, those with the most bytes and whoever started them; and sums
 * for each program. */
void processes_print(const struct facts *facts);

json_t *processes_json(const struct facts *facts);
/* The programs that they executed and that could not be recorded. */
json_t *untraced_json(const struct facts *facts);

#endif
