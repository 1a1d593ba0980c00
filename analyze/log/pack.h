/* Chunks, packed: columns (columns.h) in one zstd frame, each chunk by itself, or a few of one stream
 * together, so that a log stays seekable and what is whole in it readable. 0 or -errno. */
#ifndef MALLOSCOPE_LOG_PACK_H
#define MALLOSCOPE_LOG_PACK_H

#include "analyze/log/columns.h"
#include "format/layout.h"

#include <stdbool.h>
#include <stddef.h>

/* Memory for packing; of one thread at a time. */
struct packer;
struct packer *packer_make(void);
void packer_free(struct packer *p);

/* A sealed chunk (of any alignment), packed and sealed: valid until the next call. The chunk itself
 * where packing would not make it smaller. *ret_bytes: of the whole chunk. */
const void *packer_pack(struct packer *p, const void *chunk, size_t *ret_bytes);

/* Sealed chunks that lie one behind the other and can become one: of one process and stream, with the same flags, each
 * with the next sequence, of together no more payload than PACKER_RUN_MOST. One packed chunk, which takes a third less
 * time and room than several. NULL: it would not become smaller, or would lose records. */
#define PACKER_RUN_MOST (512u << 10)
const void *packer_pack_run(struct packer *p, const void *chunks, unsigned count, size_t *ret_bytes);
bool packer_can_follow(const struct rec_chunk_header *chunk, const struct rec_chunk_header *next);

/* Whether these are the first bytes of a packed chunk's payload that can be
 * unpacked at all: lengths that are in bounds. */
bool packed_header_sound(const struct rec_packed_header *header);

/* Memory for unpacking; of one thread at a time. */
struct unpacker;
struct unpacker *unpacker_make(void);
void unpacker_free(struct unpacker *u);

/* A packed chunk's payload, `bytes` long, into `payload`, which has room for as
 * many as its header says. -EBADMSG: it is damaged. */
int unpacker_unpack(struct unpacker *u, const void *packed, size_t bytes, void *payload);

/* The same, but as it was before it came to be records: into *columns, make_room_for()'s, for columns_at(). That it is what was
 * packed is tested by the chunk's own checksum, not by the records'. */
int unpacker_columns(struct unpacker *u, const void *packed, size_t bytes, void **columns, size_t *capacity);
void columns_at(struct columns *c, void *unpacked); /* sets their starts and ends, for columns_begin() */

/* Only the sizes of its allocations: columns_sizes(). *ret_events: of allocations and
 * frees. -EAGAIN: it takes unpacking; add() has not been called. */
int unpacker_sizes(struct unpacker *u, const void *packed, size_t bytes, columns_add *add, void *data, uint64_t *ret_events);

#endif
