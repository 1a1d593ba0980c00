/* Unpacking for several threads at once: as many unpackers as threads have ever been
 * at it together. */
#ifndef MALLOSCOPE_LOG_UNPACKERS_H
#define MALLOSCOPE_LOG_UNPACKERS_H

#include "analyze/log/pack.h"

#include <stdint.h>

struct unpackers;
struct unpackers *unpackers_make(void);
void unpackers_free(struct unpackers *u);

/* A packed payload at offset in the file, into payload, which must come to
 * payload_bytes. Any thread. 0 or -errno; -EBADMSG: it is damaged. */
int unpackers_load(struct unpackers *u, int fd, uint64_t offset, uint32_t packed_bytes, void *payload,
                   uint32_t payload_bytes);

/* The same as columns: see unpacker_columns(). */
int unpackers_columns(struct unpackers *u, int fd, uint64_t offset, uint32_t packed_bytes, uint32_t payload_bytes, void **columns,
                      size_t *capacity);

/* Of such a payload, only sizes: see unpacker_sizes(). */
int unpackers_sizes(struct unpackers *u, int fd, uint64_t offset, uint32_t packed_bytes,
                    columns_add *add, void *data, uint64_t *ret_events);

#endif
