/* Between raw chunks and the log on disk. Each column is a zstd block of its own,
 * with its own statistics. Nothing in a packed chunk is believed: its lengths are
 * bounded before memory is taken, and the records have a checksum of their own,
 * which also stands for this code: what was packed is what is unpacked. */
#include "analyze/log/pack.h"

#include "analyze/log/columns.h"
#include "analyze/util.h"
#include "format/checksum.h"
#include "format/chunk.h"

#include <errno.h>
#include <string.h>
#include <zstd.h>

#define LEVEL 1

struct packer {
    ZSTD_CCtx *zstd;
    struct columns columns;
    uint8_t *room, *packed;
    size_t room_bytes, packed_bytes;
};

struct packer *packer_make(void)
{
    struct packer *p = alloc_zeroed(1, sizeof *p);

    p->zstd = ZSTD_createCCtx();
    if (p->zstd)
        ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, LEVEL);
    return p;
}

void packer_free(struct packer *p)
{
    if (!p)
        return;
    ZSTD_freeCCtx(p->zstd);
    free(p->room);
    free(p->packed);
    free(p);
}

/* The columns as one frame into `to`. Its length; 0: it has more than `bytes`. */
static size_t compress_columns(struct packer *p, uint8_t *to, size_t bytes)
{
    ZSTD_outBuffer out = { to, bytes, 0 };
    size_t all = 0;

    for (unsigned i = 0; i < REC_COLUMNS; i++)
        all += (size_t)(p->columns.column[i].end - p->columns.column[i].start);
    ZSTD_CCtx_reset(p->zstd, ZSTD_reset_session_only);
    ZSTD_CCtx_setPledgedSrcSize(p->zstd, all);
    for (unsigned i = 0; i < REC_COLUMNS; i++) {
        bool last = i == REC_COLUMNS - 1;
        ZSTD_inBuffer in = { p->columns.column[i].start,
                             (size_t)(p->columns.column[i].end - p->columns.column[i].start), 0 };
        if (!in.size && !last)
            continue;
        if (ZSTD_compressStream2(p->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_flush) != 0)
            return 0; /* an error, or more to come than there is room for */
    }
    return out.pos;
}

const void *packer_pack(struct packer *p, const void *chunk, size_t *ret_bytes)
{
    struct rec_packed_header packed = { 0 };
    struct rec_chunk_header header;
    size_t before = sizeof header + sizeof packed;

    memcpy(&header, chunk, sizeof header);
    size_t payload_bytes = header.payload_bytes;
    *ret_bytes = header.header_bytes + payload_bytes;
    if (payload_bytes <= sizeof packed || (header.flags & REC_CHUNK_PACKED) || !p->zstd)
        return chunk;
    p->room = grow(p->room, &p->room_bytes, columns_room(payload_bytes), 1);
    p->packed = grow(p->packed, &p->packed_bytes, before + payload_bytes, 1);
    columns_split(&p->columns, (const uint8_t *)chunk + header.header_bytes, payload_bytes, p->room);
    size_t frame = compress_columns(p, p->packed + before, payload_bytes - sizeof packed);
    if (!frame)
        return chunk;
    packed.payload_checksum = header.payload_checksum;
    packed.payload_bytes = (uint32_t)payload_bytes;
    for (unsigned i = 0; i < REC_COLUMNS; i++)
        packed.column_bytes[i] = (uint32_t)(p->columns.column[i].end - p->columns.column[i].start);
    struct rec_chunk_header *whole = (struct rec_chunk_header *)p->packed;
    *whole = header;
    whole->flags |= REC_CHUNK_PACKED;
    memcpy(whole + 1, &packed, sizeof packed);
    *ret_bytes = chunk_seal(whole, (uint32_t)(sizeof packed + frame));
    return whole;
}

static uint64_t columns_bytes(const struct rec_packed_header *header)
{
    uint64_t all = 0;

    for (unsigned i = 0; i < REC_COLUMNS; i++)
        all += header->column_bytes[i];
    return all;
}

bool packed_header_sound(const struct rec_packed_header *header)
{
    return header->payload_bytes <= REC_CHUNK_PAYLOAD_MAX &&
           columns_bytes(header) <= columns_most(header->payload_bytes);
}

struct unpacker {
    ZSTD_DCtx *zstd;
    struct columns columns;
    uint8_t *room, *payload;
    size_t room_bytes, payload_bytes;
};

struct unpacker *unpacker_make(void)
{
    struct unpacker *u = alloc_zeroed(1, sizeof *u);

    u->zstd = ZSTD_createDCtx();
    return u;
}

void unpacker_free(struct unpacker *u)
{
    if (!u)
        return;
    ZSTD_freeDCtx(u->zstd);
    free(u->room);
    free(u->payload);
    free(u);
}

int unpacker_unpack(struct unpacker *u, const void *packed, size_t bytes, void *payload)
{
    struct rec_packed_header header;

    if (!u->zstd)
        return -ENOMEM;
    if (bytes < sizeof header)
        return -EBADMSG;
    memcpy(&header, packed, sizeof header);
    if (!packed_header_sound(&header))
        return -EBADMSG;
    size_t all = (size_t)columns_bytes(&header);
    const uint8_t *frame = (const uint8_t *)packed + sizeof header;
    if (ZSTD_getFrameContentSize(frame, bytes - sizeof header) != all)
        return -EBADMSG;
    u->room = grow(u->room, &u->room_bytes, all, 1);
    u->payload = grow(u->payload, &u->payload_bytes, header.payload_bytes + COLUMNS_SLACK, 1);
    if (ZSTD_decompressDCtx(u->zstd, u->room, all, frame, bytes - sizeof header) != all)
        return -EBADMSG;
    uint8_t *at = u->room;
    for (unsigned i = 0; i < REC_COLUMNS; i++) {
        u->columns.column[i].start = at;
        u->columns.column[i].end = at += header.column_bytes[i];
    }
    if (!columns_join(&u->columns, u->payload, header.payload_bytes) ||
        checksum(u->payload, header.payload_bytes) != header.payload_checksum)
        return -EBADMSG;
    memcpy(payload, u->payload, header.payload_bytes);
    return 0;
}
