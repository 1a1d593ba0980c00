/* Between raw chunks and the log on disk. Each column is a zstd block of its own,
 * with its own statistics. Nothing in a packed chunk is believed: its lengths are
 * bounded before memory is taken, and the records have a checksum of their own,
 * which also stands for this code: what was packed is what is unpacked. */
#include "analyze/log/pack.h"

#include "analyze/log/columns.h"
#include "analyze/util.h"
#include "format/checksum.h"
#include "format/chunk.h"
#include "format/encode.h"

#include <errno.h>
#include <string.h>
#include <zstd.h>

#define LEVEL 1

struct packer {
    ZSTD_CCtx *zstd;
    struct columns columns;
    uint8_t *payload, *room, *packed;
    size_t payload_bytes, room_bytes, packed_bytes;
    size_t *ends, end_capacity; /* of what each chunk has in the payload */
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
    free(p->payload);
    free(p->room);
    free(p->packed);
    free(p->ends);
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

/* The same for all but the largest: nothing has to grow, and what is never touched costs nothing. */
static size_t room_for(size_t payload_bytes)
{
    return payload_bytes < PACKER_RUN_MOST ? PACKER_RUN_MOST : payload_bytes;
}

/* The columns of p->payload as a packed chunk with this header. NULL: they do not become smaller. */
static const void *pack_columns(struct packer *p, const struct rec_chunk_header *header, struct rec_packed_header packed, size_t *ret_bytes)
{
    size_t before = sizeof *header + sizeof packed;

    if (packed.payload_bytes <= sizeof packed)
        return NULL;
    p->packed = make_room_for(p->packed, &p->packed_bytes, before + room_for(packed.payload_bytes));
    size_t frame = compress_columns(p, p->packed + before, packed.payload_bytes - sizeof packed);
    if (!frame)
        return NULL;
    for (unsigned i = 0; i < REC_COLUMNS; i++)
        packed.column_bytes[i] = (uint32_t)(p->columns.column[i].end - p->columns.column[i].start);
    struct rec_chunk_header *whole = (struct rec_chunk_header *)p->packed;
    *whole = *header;
    whole->flags |= REC_CHUNK_PACKED;
    memcpy(whole + 1, &packed, sizeof packed);
    *ret_bytes = chunk_seal(whole, (uint32_t)(sizeof packed + frame));
    return whole;
}

bool packer_can_follow(const struct rec_chunk_header *chunk, const struct rec_chunk_header *next)
{
    return chunk->type == REC_CHUNK_EVENTS && next->type == REC_CHUNK_EVENTS && !(chunk->flags & ~REC_CHUNK_TICKS_ARE_NS) &&
           next->flags == chunk->flags && next->pid == chunk->pid && next->image == chunk->image &&
           next->stream == chunk->stream && next->sequence == (uint64_t)chunk->sequence + 1 &&
           next->ticks >= chunk->ticks;
}

/* Records one behind the other; between those of two chunks, where the second one began. */
static size_t join_payloads(struct packer *p, const uint8_t *chunks, unsigned count)
{
    struct rec_chunk_header header;
    size_t bytes = 0, most = 0;

    for (unsigned i = 0, at = 0; i < count; i++, at += header.header_bytes + header.payload_bytes) {
        memcpy(&header, chunks + at, sizeof header);
        most += ENCODE_EVENT_MAX + header.payload_bytes;
    }
    p->payload = make_room_for(p->payload, &p->payload_bytes, room_for(most) + COLUMNS_SLACK);
    p->ends = grow(p->ends, &p->end_capacity, count, sizeof *p->ends);
    for (unsigned i = 0; i < count; i++, chunks += header.header_bytes + header.payload_bytes) {
        memcpy(&header, chunks, sizeof header);
        if (i)
            bytes = (size_t)(encode_chunk_begin(p->payload + bytes, header.ticks) - p->payload);
        memcpy(p->payload + bytes, chunks + header.header_bytes, header.payload_bytes);
        p->ends[i] = bytes += header.payload_bytes;
    }
    return bytes;
}

const void *packer_pack_run(struct packer *p, const void *chunks, unsigned count, size_t *ret_bytes)
{
    struct rec_chunk_header first;

    memcpy(&first, chunks, sizeof first);
    if (first.flags & REC_CHUNK_PACKED || !p->zstd)
        return NULL;
    size_t bytes = join_payloads(p, chunks, count);
    p->room = make_room_for(p->room, &p->room_bytes, columns_room(room_for(bytes)));
    columns_split(&p->columns, p->payload, p->ends, count, p->room, p->room_bytes);
    if (count > 1 && p->columns.column[COLUMN_TAIL].start != p->columns.column[COLUMN_TAIL].end)
        return NULL; /* what is no record ends a chunk, and only that */
    return pack_columns(p, &first, (struct rec_packed_header){
        .payload_checksum = count > 1 ? checksum(p->payload, bytes) : first.payload_checksum,
        .payload_bytes = (uint32_t)bytes, .sequences = count }, ret_bytes);
}

const void *packer_pack(struct packer *p, const void *chunk, size_t *ret_bytes)
{
    const void *packed = packer_pack_run(p, chunk, 1, ret_bytes);
    struct rec_chunk_header header;

    if (packed)
        return packed;
    memcpy(&header, chunk, sizeof header);
    *ret_bytes = header.header_bytes + (size_t)header.payload_bytes;
    return chunk;
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
    return header->payload_bytes <= REC_CHUNK_PAYLOAD_MAX && header->sequences &&
           header->sequences - 1 <= header->payload_bytes / 3 && /* a chunk-begin record is no shorter */
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

static void set_columns(struct columns *c, const struct rec_packed_header *header, uint8_t *at)
{
    for (unsigned i = 0; i < REC_COLUMNS; i++) {
        c->column[i].start = at;
        c->column[i].end = at += header->column_bytes[i];
    }
}

static int read_header(const struct unpacker *u, const void *packed, size_t bytes, struct rec_packed_header *ret_header)
{
    if (!u->zstd)
        return -ENOMEM;
    if (bytes < sizeof *ret_header)
        return -EBADMSG;
    memcpy(ret_header, packed, sizeof *ret_header);
    if (!packed_header_sound(ret_header))
        return -EBADMSG;
    uint64_t told = ZSTD_getFrameContentSize((const uint8_t *)packed + sizeof *ret_header, bytes - sizeof *ret_header);
    return told == columns_bytes(ret_header) ? 0 : -EBADMSG;
}

/* Reads the header, takes memory, and says how long the first `columns` are together. */
static int begin_unpacking(struct unpacker *u, const void *packed, size_t bytes, unsigned columns,
                           struct rec_packed_header *ret_header, size_t *ret_first_bytes)
{
    int error = read_header(u, packed, bytes, ret_header);

    if (error)
        return error;
    u->room = make_room_for(u->room, &u->room_bytes, (size_t)columns_bytes(ret_header) + 1);
    set_columns(&u->columns, ret_header, u->room);
    *ret_first_bytes = (size_t)(u->columns.column[columns - 1].end - u->room);
    return 0;
}

/* The columns as they are, behind a copy of the header. */
int unpacker_columns(struct unpacker *u, const void *packed, size_t bytes, void **columns, size_t *capacity)
{
    struct rec_packed_header header;
    int error = read_header(u, packed, bytes, &header);

    if (error)
        return error;
    size_t all = (size_t)columns_bytes(&header);
    *columns = make_room_for(*columns, capacity, sizeof header + all);
    memcpy(*columns, &header, sizeof header);
    return ZSTD_decompressDCtx(u->zstd, (uint8_t *)*columns + sizeof header, all, (const uint8_t *)packed + sizeof header,
                               bytes - sizeof header) == all ? 0 : -EBADMSG;
}

void columns_at(struct columns *c, void *unpacked)
{
    set_columns(c, unpacked, (uint8_t *)unpacked + sizeof(struct rec_packed_header));
}

int unpacker_unpack(struct unpacker *u, const void *packed, size_t bytes, void *payload)
{
    struct rec_packed_header header;
    size_t all;
    int error = begin_unpacking(u, packed, bytes, REC_COLUMNS, &header, &all);

    if (error)
        return error;
    if (ZSTD_decompressDCtx(u->zstd, u->room, all, (const uint8_t *)packed + sizeof header, bytes - sizeof header) != all)
        return -EBADMSG;
    u->payload = make_room_for(u->payload, &u->payload_bytes, header.payload_bytes + COLUMNS_SLACK);
    if (!columns_join(&u->columns, u->payload, header.payload_bytes) ||
        checksum(u->payload, header.payload_bytes) != header.payload_checksum)
        return -EBADMSG;
    memcpy(payload, u->payload, header.payload_bytes);
    return 0;
}

int unpacker_sizes(struct unpacker *u, const void *packed, size_t bytes, columns_add *add, void *data, uint64_t *ret_events)
{
    struct rec_packed_header header;
    size_t wanted;
    int error = begin_unpacking(u, packed, bytes, COLUMNS_FOR_SIZES, &header, &wanted);

    if (error)
        return error;
    if (header.column_bytes[COLUMN_TAIL])
        return -EAGAIN;
    ZSTD_inBuffer in = { (const uint8_t *)packed + sizeof header, bytes - sizeof header, 0 };
    ZSTD_outBuffer out = { u->room, wanted, 0 };
    ZSTD_DCtx_reset(u->zstd, ZSTD_reset_session_only);
    while (out.pos < wanted) {
        size_t before_in = in.pos, before_out = out.pos;
        if (ZSTD_isError(ZSTD_decompressStream(u->zstd, &out, &in)) || (in.pos == before_in && out.pos == before_out))
            return -EBADMSG;
    }
    return columns_sizes(&u->columns, header.sequences, add, data, ret_events);
}
