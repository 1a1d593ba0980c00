/* What was allocated, parted by the module of the call site, and by thread. */
#ifndef MALLOSCOPE_RENDER_BREAKDOWN_H
#define MALLOSCOPE_RENDER_BREAKDOWN_H

#include "analyze/model/sites.h"

#include <jansson.h>

/* Those with the most bytes first, at most so many; nothing where there is but one. */
void modules_print(const struct facts *facts, const struct sites *sites, size_t most);
json_t *modules_json(const struct facts *facts, const struct sites *sites);

/* Merged: those of the same name are one, whatever number it ends with. */
void threads_print(const struct facts *facts, bool merged, size_t most);
json_t *threads_json(const struct facts *facts, bool merged);

#endif
