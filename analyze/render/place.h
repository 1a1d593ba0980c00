/* The functions at a code location as JSON. */
#ifndef MALLOSCOPE_RENDER_PLACE_H
#define MALLOSCOPE_RENDER_PLACE_H

#include "analyze/render/namer.h"

#include <jansson.h>

/* A list, the innermost first: function, signature, file, line, column; null where it is not known. */
json_t *place_json(const struct namer *namer, uint32_t location);

#endif
