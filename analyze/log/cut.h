/* What becomes of a chunk for which a log has no room by its limit: it is cut, its events are left
 * out and counted. What describes (processes, threads, modules, code addresses, marks) stays,
 * because chunks that are in the log may need it. So no log becomes much larger than it may, whatever
 * was guessed before about how well chunks pack. */
#ifndef MALLOSCOPE_LOG_CUT_H
#define MALLOSCOPE_LOG_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory for cutting and packing; of one thread at a time. */
struct cutter;

/* most_bytes: of the log; 0: no limit. packs: chunks are packed, too (log/pack.h). */
struct cutter *cutter_make(uint64_t most_bytes, bool packs);
void cutter_free(struct cutter *c);

/* A sealed chunk (of any alignment) as it is to be appended to a log that has log_bytes: sealed,
 * valid until the next call. Once a chunk was cut, all are. *ret_bytes: of the whole chunk. */
const void *cutter_fit(struct cutter *c, const void *chunk, uint64_t log_bytes, size_t *ret_bytes);

/* The same for packer_pack_run(), if there is room for all of them. NULL: they are to be appended one by one. */
const void *cutter_fit_run(struct cutter *c, const void *chunks, unsigned count, uint64_t log_bytes, size_t *ret_bytes);

/* Whether chunks are cut by now. */
bool cutter_is_full(const struct cutter *c);

#endif
