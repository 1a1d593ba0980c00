/* Everything that commands show of a log, shown to nobody: text must have no control characters,
 * JSON must be JSON. */
#ifndef MALLOSCOPE_TESTS_FUZZ_VIEWS_H
#define MALLOSCOPE_TESTS_FUZZ_VIEWS_H

#include "analyze/model/facts.h"
#include "analyze/render/namer.h"

#define VIEWS 7

/* which: 0 to VIEWS - 1. Aborts with a message where something is not so. */
void views_show(unsigned which, const struct log *log, struct facts *facts, const struct namer *namer);

#endif
