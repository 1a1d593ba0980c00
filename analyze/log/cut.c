/* Chunk -> chunk that may be appended. The hard part is to leave records out without a change to
 * the others: of those that stay, only the stamp is a difference to a record that goes. */
#include "analyze/log/cut.h"

#include "analyze/log/pack.h"
#include "analyze/util.h"
#include "format/chunk.h"
#include "format/decode.h"
#include "format/encode.h"

#include <string.h>

struct cutter {
    uint64_t most_bytes;
    bool is_full;
    struct packer *packer; /* NULL: chunks are not packed */
    struct decoder decoder;
    uint8_t *payload;
    struct rec_chunk_header *cut;
    size_t payload_bytes, cut_bytes;
};

struct cutter *cutter_make(uint64_t most_bytes, bool packs)
{
    struct cutter *c = alloc_zeroed(1, sizeof *c);

    c->most_bytes = most_bytes;
    c->packer = packs ? packer_make() : NULL;
    return c;
}

void cutter_free(struct cutter *c)
{
    if (!c)
        return;
    packer_free(c->packer);
    free(c->payload);
    free(c->cut);
    free(c);
}

bool cutter_is_full(const struct cutter *c)
{
    return c->is_full;
}

static const uint8_t *take_varint(const uint8_t *at, uint64_t *ret_value)
{
    unsigned shift = 0;

    *ret_value = 0;
    do
        *ret_value |= (uint64_t)(*at & 0x7f) << shift;
    while (shift += 7, *at++ & 0x80);
    return at;
}

/* A record of kind 3 that the decoder has accepted, from `record` to `end`, with a stamp that
 * counts from the last record that stays. */
static uint8_t *copy_record(struct encoder *e, uint8_t *to, const uint8_t *record, const uint8_t *end, const struct event *event)
{
    uint64_t body_bytes, old_stamp;

    if (event->other == REC_PC || !rec_other_name(event->other)) /* it has none */
        return mempcpy(to, record, (size_t)(end - record));
    const uint8_t *body = take_varint(record + 1, &body_bytes), *rest = take_varint(body, &old_stamp);
    uint8_t stamp[10];
    size_t stamp_bytes = (size_t)(encode_varint(stamp, encode_tick_difference(e, event->ticks)) - stamp);
    *to++ = *record;
    to = encode_varint(to, body_bytes - (uint64_t)(rest - body) + stamp_bytes);
    to = mempcpy(to, stamp, stamp_bytes);
    return mempcpy(to, rest, (size_t)(end - rest));
}

/* NULL: there is nothing in it that could be left out, or what is not understood. */
static const void *cut(struct cutter *c, const struct rec_chunk_header *header, const uint8_t *payload, size_t *ret_bytes)
{
    struct encoder encoder;
    struct event event;
    uint64_t left_out = 0; /* what has failed is no event to a reader */
    bool is_less = false;
    int got;

    /* Each stamp that becomes longer stands for records, each longer than that, which are left out. */
    c->cut = grow(c->cut, &c->cut_bytes, sizeof *c->cut + header->payload_bytes + ENCODE_EVENT_MAX, 1);
    uint8_t *start = (uint8_t *)(c->cut + 1), *to = start;
    decoder_begin(&c->decoder, payload, header->payload_bytes, header->ticks);
    encoder_begin(&encoder, header->ticks);
    for (;;) {
        const uint8_t *record = c->decoder.now.at;
        got = decoding_next(&c->decoder.now, &event);
        if (got != 1)
            break;
        if (event.type == EVENT_OTHER)
            to = copy_record(&encoder, to, record, c->decoder.now.at, &event);
        else
            is_less = true;
        left_out += event.type <= EVENT_REALLOC_END;
    }
    if (got || !is_less)
        return NULL;
    to = encode_lost(&encoder, to, event.ticks, left_out, REC_STOP_LIMIT);
    *c->cut = *header;
    c->cut->flags |= REC_CHUNK_CUT;
    *ret_bytes = chunk_seal(c->cut, (uint32_t)(to - start));
    return c->cut;
}

const void *cutter_fit_run(struct cutter *c, const void *chunks, unsigned count, uint64_t log_bytes, size_t *ret_bytes)
{
    const void *packed = c->packer && !c->is_full ? packer_pack_run(c->packer, chunks, count, ret_bytes) : NULL;

    return packed && (!c->most_bytes || log_bytes + *ret_bytes <= c->most_bytes) ? packed : NULL;
}

static const void *pack(struct cutter *c, const void *chunk, size_t *bytes)
{
    return c->packer ? packer_pack(c->packer, chunk, bytes) : chunk;
}

const void *cutter_fit(struct cutter *c, const void *chunk, uint64_t log_bytes, size_t *ret_bytes)
{
    struct rec_chunk_header header;
    size_t cut_bytes;

    memcpy(&header, chunk, sizeof header);
    *ret_bytes = header.header_bytes + (size_t)header.payload_bytes;
    const void *whole = pack(c, chunk, ret_bytes);
    if (!c->most_bytes || (!c->is_full && log_bytes + *ret_bytes <= c->most_bytes) || header.type != REC_CHUNK_EVENTS)
        return whole;
    c->is_full = true;
    c->payload = grow(c->payload, &c->payload_bytes, header.payload_bytes + 1, 1);
    memcpy(c->payload, (const uint8_t *)chunk + header.header_bytes, header.payload_bytes);
    const void *less = cut(c, &header, c->payload, &cut_bytes);
    if (!less || cut_bytes >= *ret_bytes) /* it is small as it is */
        return whole;
    *ret_bytes = cut_bytes;
    return pack(c, less, ret_bytes);
}
