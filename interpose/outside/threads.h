/* Threads come by their first event and leave by a thread-specific key, whose
 * destructor is put off to the last rounds: other destructors may still
 * allocate. Outside only. */
#ifndef MALLOSCOPE_OUTSIDE_THREADS_H
#define MALLOSCOPE_OUTSIDE_THREADS_H

#include <stdint.h>

struct context;

void threads_prepare(void);

/* Logs the beginning of the calling thread and watches for its end. */
void threads_begin(struct context *c, uint32_t tid);

/* The same for another context of a thread that has begun; async-signal-safe. */
void threads_begin_nested(struct context *c, uint32_t tid);

#endif
