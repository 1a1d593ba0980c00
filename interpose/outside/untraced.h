/* The log's word on a program that cannot be recorded. Any place, also signal
 * handlers and vfork children; errno may change. Nothing is logged where this process is not recorded. */
#ifndef MALLOSCOPE_OUTSIDE_UNTRACED_H
#define MALLOSCOPE_OUTSIDE_UNTRACED_H

#include "format/record.h"

#include <stdint.h>

/* Process pid executes the program at path. REC_UNTRACED_WITHDRAWN: it has failed to. */
void untraced_log(uint32_t pid, enum rec_untraced reason, const char *path);

/* Without system calls: only counted where the context, the caller's, is NULL or has no room. */
struct context;
void untraced_log_into(struct context *c, uint32_t pid, enum rec_untraced reason, const char *path);

#endif
