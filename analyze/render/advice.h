/* Advice in words and as JSON. */
#ifndef MALLOSCOPE_RENDER_ADVICE_H
#define MALLOSCOPE_RENDER_ADVICE_H

#include "analyze/model/advice.h"
#include "analyze/render/namer.h"

#include <jansson.h>

/* Nothing where there is none. */
void advice_print(struct facts *facts, const struct sites *sites, const struct namer *namer);
json_t *advice_json(struct facts *facts, const struct sites *sites, const struct namer *namer);

#endif
