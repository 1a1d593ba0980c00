/* What the modules of a program have of the names in limits: whether they are there at all, and can be exceeded. */
#ifndef MALLOSCOPE_COMMANDS_CHECK_NAMES_H
#define MALLOSCOPE_COMMANDS_CHECK_NAMES_H

#include "analyze/commands/check_logs.h"
#include "analyze/commands/naming.h"

/* Of the log that was measured last. */
void check_names_look_up(struct check_logs *c, const struct facts *f, struct naming *naming);

#endif
