/* Where bytes become trustworthy: every header and every chunk carries a
 * checksum over itself with the checksum's own field taken as 0. */
#include "format/chunk.h"

#include "format/checksum.h"

#include <string.h>

void file_header_make(struct rec_file_header *header, const uint8_t session[16])
{
    memset(header, 0, sizeof *header);
    memcpy(header->magic, REC_FILE_MAGIC, sizeof header->magic);
    header->version = REC_VERSION;
    header->header_bytes = sizeof *header;
    memcpy(header->session, session, sizeof header->session);
    header->checksum = checksum(header, sizeof *header);
}

enum file_header_state file_header_check(const struct rec_file_header *header)
{
    struct rec_file_header copy = *header;

    if (memcmp(header->magic, REC_FILE_MAGIC, sizeof header->magic) != 0)
        return FILE_HEADER_NOT_A_LOG;
    copy.checksum = 0;
    if (checksum(&copy, sizeof copy) != header->checksum)
        return FILE_HEADER_DAMAGED;
    if (header->version != REC_VERSION || (header->incompatible_flags & ~REC_KNOWN_INCOMPATIBLE))
        return FILE_HEADER_NEWER;
    return header->header_bytes < sizeof *header ? FILE_HEADER_DAMAGED : FILE_HEADER_GOOD;
}

size_t chunk_seal(struct rec_chunk_header *header, uint32_t payload_bytes)
{
    size_t bytes = sizeof *header + payload_bytes;

    header->magic = REC_CHUNK_MAGIC;
    header->header_bytes = sizeof *header;
    header->payload_bytes = payload_bytes;
    header->checksum = 0;
    header->checksum = checksum(header, bytes);
    return bytes;
}

bool chunk_header_sound(const struct rec_chunk_header *header)
{
    return header->magic == REC_CHUNK_MAGIC && header->header_bytes >= sizeof *header &&
           header->header_bytes <= 4096 && header->payload_bytes <= REC_CHUNK_PAYLOAD_MAX;
}

bool chunk_intact(struct rec_chunk_header *chunk)
{
    uint64_t stored = chunk->checksum;

    chunk->checksum = 0;
    uint64_t computed = checksum(chunk, (size_t)chunk->header_bytes + chunk->payload_bytes);
    chunk->checksum = stored;
    return computed == stored;
}
