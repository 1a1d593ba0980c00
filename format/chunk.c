/* Where bytes become trustworthy. A chunk has two checksums: its header's is
 * cheap to test, so that a reader can look for the next chunk after damage. */
#include "format/chunk.h"

#include "format/checksum.h"

#include <string.h>

void file_header_make_with(struct rec_file_header *header, const uint8_t session[16], uint64_t incompatible_flags,
                           size_t header_bytes)
{
    memset(header, 0, sizeof *header);
    memcpy(header->magic, REC_FILE_MAGIC, sizeof header->magic);
    header->version = REC_VERSION;
    header->header_bytes = (uint16_t)header_bytes;
    header->incompatible_flags = incompatible_flags;
    memcpy(header->session, session, sizeof header->session);
    header->checksum = checksum(header, offsetof(struct rec_file_header, checksum));
}

void file_header_make(struct rec_file_header *header, const uint8_t session[16])
{
    file_header_make_with(header, session, 0, sizeof *header);
}

enum file_header_state file_header_check(const struct rec_file_header *header)
{
    if (memcmp(header->magic, REC_FILE_MAGIC, sizeof header->magic) != 0)
        return FILE_HEADER_NOT_A_LOG;
    if (checksum(header, offsetof(struct rec_file_header, checksum)) != header->checksum)
        return FILE_HEADER_DAMAGED;
    if (header->version != REC_VERSION || (header->incompatible_flags & ~REC_KNOWN_INCOMPATIBLE))
        return FILE_HEADER_NEWER;
    return header->header_bytes < sizeof *header ? FILE_HEADER_DAMAGED : FILE_HEADER_GOOD;
}

static uint64_t header_checksum(const struct rec_chunk_header *header)
{
    return checksum(header, offsetof(struct rec_chunk_header, header_checksum));
}

size_t chunk_seal(struct rec_chunk_header *header, uint32_t payload_bytes)
{
    header->magic = REC_CHUNK_MAGIC;
    header->header_bytes = sizeof *header;
    header->payload_bytes = payload_bytes;
    header->payload_checksum = checksum(header + 1, payload_bytes);
    header->header_checksum = header_checksum(header);
    return sizeof *header + payload_bytes;
}

bool chunk_header_sound(const struct rec_chunk_header *header)
{
    return header->magic == REC_CHUNK_MAGIC && header->header_bytes >= sizeof *header &&
           header->header_bytes <= 4096 && header->payload_bytes <= REC_CHUNK_PAYLOAD_MAX &&
           header_checksum(header) == header->header_checksum;
}

bool chunk_payload_intact(const struct rec_chunk_header *header, const void *payload)
{
    return checksum(payload, header->payload_bytes) == header->payload_checksum;
}
