/* Processes of a recording that live longer than the program: a fork that nobody waits for, a shell's process substitution. `record`
 * does not wait for those, and until they have ended the figures are those of a moment. */
#ifndef MALLOSCOPE_COMMANDS_CHECK_LATE_H
#define MALLOSCOPE_COMMANDS_CHECK_LATE_H

#include "analyze/model/facts.h"

/* Enough for whatever only has to come to its end, on a machine that is busy with other things, too; who lives longer is a daemon,
 * and may live for ever. */
#define CHECK_LATE_SECONDS 10

/* After `record` has ended: until all processes of the log have, but so long at most, and as long as goes_on() says so. Then the log
 * is as `record` would have left it. */
void check_late_wait(const char *log_path, bool (*goes_on)(void *data, double progress), void *data);

/* Of a log that is still being recorded, by whom: "process 12 (cat)". To be freed. */
char *check_late_name(const struct log *log, const struct facts *f);

#endif
