/* Making and checking the fixed headers of a log. Pure; may be called anywhere.
 * The checks say nothing about what is inside a chunk: the decoder does. */
#ifndef MALLOSCOPE_FORMAT_CHUNK_H
#define MALLOSCOPE_FORMAT_CHUNK_H

#include "format/layout.h"

void file_header_make(struct rec_file_header *header, const uint8_t session[16]);
/* incompatible_flags: rec_file_flags; header_bytes: where the chunks will start. */
void file_header_make_with(struct rec_file_header *header, const uint8_t session[16], uint64_t incompatible_flags,
                           size_t header_bytes);

enum file_header_state {
    FILE_HEADER_GOOD,
    FILE_HEADER_NOT_A_LOG,
    FILE_HEADER_NEWER,   /* a version or an incompatible flag that we do not know */
    FILE_HEADER_DAMAGED,
};
enum file_header_state file_header_check(const struct rec_file_header *header);

/* Completes a chunk whose header is filled but for length and checksum, and
 * whose payload of payload_bytes follows it directly in memory. Returns the
 * chunk's whole size in bytes. */
size_t chunk_seal(struct rec_chunk_header *header, uint32_t payload_bytes);

/* Whether these bytes are a chunk's header: magic, lengths and checksum. A later
 * header may be longer; its checksum covers what this version knows. */
bool chunk_header_sound(const struct rec_chunk_header *header);

/* Whether a payload is the one that a sound header announces. */
bool chunk_payload_intact(const struct rec_chunk_header *header, const void *payload);

#endif
