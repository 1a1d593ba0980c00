/* The session's unrecorded file (format/layout.h), where a program says that it runs and that nothing of it is in
 * the log, whatever is the matter with the log. Any place, also signal handlers and vfork children, with signals
 * blocked; not where system calls are forbidden. */
#ifndef MALLOSCOPE_OUTSIDE_UNRECORDED_H
#define MALLOSCOPE_OUTSIDE_UNRECORDED_H

#include "format/record.h"
#include "interpose/outside/config.h"

#include <stdbool.h>
#include <stdint.h>

/* Once in a program, before the first note. */
void unrecorded_prepare(const struct config *config);

/* Process pid runs the program at path, or, REC_UNTRACED_WITHDRAWN, does not. False: there is no such file, or no
 * room in it. */
bool unrecorded_note(uint32_t pid, enum rec_untraced reason, const char *path);

#endif
