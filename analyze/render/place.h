/* A code location in words: module+offset, and the functions there. */
#ifndef MALLOSCOPE_RENDER_PLACE_H
#define MALLOSCOPE_RENDER_PLACE_H

#include "analyze/model/code.h"
#include "analyze/render/namer.h"

#include <jansson.h>

/* "module+0x1234 function  dir/file.c:12", without what is not known; the functions that the
 * innermost is inlined into are on lines of their own, which begin with this text. */
void place_print(const struct code *code, const struct namer *namer, uint32_t location, const char *inlined_into);

/* A list, the innermost first: function, signature, file, line, column; null where it is not known. */
json_t *place_json(const struct namer *namer, uint32_t location);

#endif
