/* One record of a log that is written anew. The caller has room for ENCODE_EVENT_MAX + ENCODE_TEXTS_MAX bytes and the
 * record's texts; of a heap event for ENCODE_EVENT_MAX and its stack. Each returns the end of what it wrote, which is
 * `at` where there is no such record. */
#ifndef MALLOSCOPE_MODEL_REWRITE_RECORD_H
#define MALLOSCOPE_MODEL_REWRITE_RECORD_H

#include "format/decode.h"
#include "format/encode.h"

/* Of an EVENT_OTHER. */
size_t rewrite_text_bytes(const struct event *e);
uint8_t *rewrite_other(struct encoder *to, uint8_t *at, const struct event *e, uint64_t ns);

/* alone: a realloc's end without its begin, as a realloc of NULL. how: the stack, of events that have one. */
uint8_t *rewrite_heap(struct encoder *to, uint8_t *at, const struct event *e, uint64_t ns, bool alone,
                      const struct encode_stack *how);

#endif
