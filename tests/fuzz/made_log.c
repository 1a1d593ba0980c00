/* Two bytes -> an event of a log, so that nearly every mutation is another history of streams, reallocs and times: what
 * bytes of a log seldom become. */
#include "tests/fuzz/made_log.h"

#include "format/chunk.h"
#include "format/encode.h"

#include <string.h>

#define PROCESSES 2
#define STREAMS 4 /* of each */
#define ADDRESSES 8
#define CHUNK_ROOM 512 /* for one event more */

static const uint32_t steps_ns[] = { 1, 2, 30, 400, 3000, 11000, 200000, 3000000 };

struct made_stream {
    bool has_chunk, has_ended;
    uint32_t sequence;
    struct encoder encoder;
    struct rec_chunk_header header;
    uint8_t payload[2048];
    size_t used;
};

static struct made_stream streams[PROCESSES * STREAMS];

static void end_chunk(struct made_log *to, struct made_stream *s)
{
    size_t bytes = sizeof s->header + s->used;

    if (!s->has_chunk)
        return;
    s->has_chunk = false;
    if (sizeof to->bytes - to->count < bytes)
        return;
    s->header.payload_bytes = (uint32_t)s->used;
    memcpy(to->bytes + to->count, &s->header, sizeof s->header);
    memcpy(to->bytes + to->count + sizeof s->header, s->payload, s->used);
    to->count += bytes;
}

static void begin_chunk(struct made_stream *s, size_t number, uint64_t ns)
{
    s->header = (struct rec_chunk_header){
        .magic = REC_CHUNK_MAGIC, .type = REC_CHUNK_EVENTS, .flags = REC_CHUNK_TICKS_ARE_NS, .header_bytes = sizeof s->header,
        .pid = 1 + (uint32_t)(number / STREAMS), .image = 1, .stream = number % STREAMS, .sequence = s->sequence++,
        .ticks = ns, .clock_ns = ns };
    encoder_begin(&s->encoder, ns);
    s->used = 0;
    s->has_chunk = true;
}

static uint8_t *add_event(struct made_stream *s, uint8_t *at, unsigned kind, uint64_t address, uint64_t size, uint64_t ns)
{
    static const struct encode_stack none;
    struct encoder *e = &s->encoder;

    switch (kind) {
    case 0: case 1: case 2: case 3: case 4: case 5: case 6:
        return encode_alloc(e, at, REC_ALLOC_MALLOC, address, size, ns, 0, 0, &none);
    case 7: case 8: case 9: case 10: case 11:
        return encode_free(e, at, REC_FREE, address, ns);
    case 12: case 13: case 14: case 15: case 16:
        return encode_free(e, at, REC_REALLOC_BEGIN, address, ns);
    case 17: case 18: case 19: case 20:
        return encode_alloc(e, at, REC_ALLOC_REALLOC_END, address, size, ns, 0, 0, &none);
    case 21:
        return encode_realloc_failed(e, at, REC_FN_REALLOC, size, ns);
    case 22:
        return encode_realloc_freed(e, at, ns);
    case 23:
        return encode_thread_begin(e, at, ns, 1 + (uint32_t)size % 4, (struct encode_text){ "t", 1 }, size & 4);
    case 24:
        return encode_thread_end(e, at, ns);
    case 25:
        return encode_alloc_failed(e, at, REC_FN_CALLOC, size, 0, ns);
    case 26:
        return encode_free_by(e, at, REC_FN_CFREE, address, ns);
    case 27:
        return encode_recording(e, at, ns, size & 1, REC_SWITCH_CALL);
    case 28:
        memcpy(at, "\xa3", 2); /* of a later version, with no body */
        return at + 2;
    default:
        return at;
    }
}

void made_log(struct made_log *to, const uint8_t *data, size_t size)
{
    uint64_t ns = 1000000;

    to->count = sizeof(struct rec_file_header);
    for (size_t i = 0; i < PROCESSES * STREAMS; i++)
        streams[i].has_chunk = streams[i].has_ended = streams[i].sequence = 0;
    for (; size >= 2; data += 2, size -= 2) {
        size_t number = data[0] % (PROCESSES * STREAMS);
        struct made_stream *s = &streams[number];
        unsigned kind = data[0] / (PROCESSES * STREAMS);
        ns += steps_ns[data[1] >> 3 & 7];
        if (s->has_ended)
            continue;
        if (!s->has_chunk)
            begin_chunk(s, number, ns);
        uint8_t *at = s->payload + s->used;
        s->used = (size_t)(add_event(s, at, kind, data[1] % ADDRESSES * 16u, 1 + (data[1] >> 6), ns) - s->payload);
        if (kind == 30 || sizeof s->payload - s->used < CHUNK_ROOM)
            end_chunk(to, s);
        s->has_ended = kind == 31;
    }
    for (size_t i = 0; i < PROCESSES * STREAMS; i++)
        end_chunk(to, &streams[i]);
}
