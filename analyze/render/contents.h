/* What is in a log, as text or JSON (schema malloscope-info/1). */
#ifndef MALLOSCOPE_RENDER_CONTENTS_H
#define MALLOSCOPE_RENDER_CONTENTS_H

#include "analyze/model/contents.h"

#include <jansson.h>

void contents_print(const struct log *log, const struct contents *contents);
json_t *contents_json(const struct log *log, const struct contents *contents);

#endif
