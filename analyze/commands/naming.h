/* Joins the session's code locations with the symbols of their files. */
#ifndef MALLOSCOPE_COMMANDS_NAMING_H
#define MALLOSCOPE_COMMANDS_NAMING_H

#include "analyze/model/code.h"
#include "analyze/render/namer.h"

struct naming;

struct naming *naming_open(const struct code *code, struct namer *ret_namer);
void naming_close(struct naming *naming);

/* Whether a location only passes allocations on: C++'s operator new. data: the
 * naming. For sites_collect. */
bool naming_is_wrapper(void *data, uint32_t location);

#endif
