/* The reader's half of encode.h: between the log's chunks and the analyzer's
 * events. The one hard thing is that no length may be believed: everything is
 * taken from a span that knows its end and remembers when it was overrun. */
#include "format/decode_inside.h"

/* A last field that may be left out. */
static uint64_t take_number_if_there(struct span *s)
{
    return s->at < s->end ? take_number(s) : 0;
}

static struct text take_text(struct span *s)
{
    uint64_t bytes = take_number(s);

    if (s->bad || bytes > (uint64_t)(s->end - s->at)) {
        s->bad = true;
        return (struct text){ "", 0 };
    }
    s->at += bytes;
    return (struct text){ (const char *)s->at - bytes, bytes };
}

static struct text take_text_if_there(struct span *s)
{
    return s->at < s->end ? take_text(s) : (struct text){ "", 0 };
}

static uint64_t next_ticks(struct decoding *d, uint64_t difference)
{
    return d->ticks += difference;
}

static uint64_t next_address(struct decoding *d, uint64_t folded)
{
    return d->address += rec_unfold_address(folded);
}

/* What every chunk begins with. */
static void begin_anew(struct decoding *d, uint64_t chunk_ticks)
{
    d->ticks = chunk_ticks;
    d->address = d->pc = 0;
    d->depth = d->stacks = 0;
}

void decoding_begin(struct decoding *d, const void *payload, size_t bytes, uint64_t chunk_ticks)
{
    d->start = d->at = payload;
    d->end = d->start + bytes;
    d->chunk_ticks = chunk_ticks;
    begin_anew(d, chunk_ticks);
    d->begins = 0;
    d->problem = NULL;
}

void decoder_begin(struct decoder *d, const void *payload, size_t bytes, uint64_t chunk_ticks)
{
    d->now.depths = d->depths;
    d->now.depth_room = REC_STACK_NUMBERS;
    d->now.ids = d->ids;
    decoding_begin(&d->now, payload, bytes, chunk_ticks);
}

static int decode_alloc(struct decoding *d, struct span *s, unsigned tag, struct event *e)
{
    unsigned second = (unsigned)take_bytes(s, 1);
    uint64_t dt = take_bytes(s, (tag >> 2 & 7) + 1), da = take_bytes(s, (tag >> 5) + 1);

    e->size = take_bytes(s, (second & 7) + 1);
    if (decode_rest(d, second, s, s, e) < 0)
        return -1;
    e->ticks = next_ticks(d, dt);
    e->address = next_address(d, da);
    d->at = s->at;
    return 1;
}

static void decode_other_body(struct decoding *d, struct span *s, struct event *e)
{
    e->type = EVENT_OTHER;
    if (e->other == REC_PC) {
        e->ticks = d->ticks;
        e->pc.id = (uint32_t)take_number(s);
        e->pc.module = (uint32_t)take_number(s);
        e->pc.pc = d->pc += (uint64_t)rec_unzigzag(take_number(s));
        e->pc.exact = take_number_if_there(s) & REC_PC_EXACT;
        return;
    }
    if (e->other == REC_CHUNK_BEGIN) {
        begin_anew(d, take_number(s));
        e->ticks = d->ticks;
        return;
    }
    if (!rec_other_name(e->other)) {
        e->ticks = d->ticks; /* a later version's: skipped */
        return;
    }
    e->ticks = next_ticks(d, take_number(s));
    switch (e->other) {
    case REC_MODULE_LOAD: {
        e->module.id = (uint32_t)take_number(s);
        e->module.bias = take_number(s);
        uint64_t count = take_number(s);
        if (count > EVENT_SEGMENTS_MAX) {
            s->bad = true;
            return;
        }
        e->module.segment_count = (uint32_t)count;
        for (uint32_t i = 0; i < count; i++) {
            e->module.segments[i].start = take_number(s);
            e->module.segments[i].end = e->module.segments[i].start + take_number(s);
        }
        e->module.build_id = take_text(s);
        e->module.path = take_text(s);
        return;
    }
    case REC_MODULE_UNLOAD:
        e->module.id = (uint32_t)take_number(s);
        return;
    case REC_THREAD_BEGIN:
        e->thread.tid = (uint32_t)take_number(s);
        e->thread.name = take_text(s);
        e->thread.nested = take_number_if_there(s) != 0;
        return;
    case REC_THREAD_NAME:
        e->thread.name = take_text(s);
        return;
    case REC_PROCESS_START:
        e->process.start = (unsigned)take_number(s);
        e->process.ppid = (uint32_t)take_number(s);
        e->process.realtime_ns = take_number(s);
        e->process.page_bytes = take_number(s);
        e->process.exe = take_text(s);
        e->process.arguments = take_text(s);
        e->process.directory = take_text(s);
        e->process.environment = take_text(s);
        e->process.call_graph = take_text(s);
        e->process.allocator = take_text(s);
        e->process.max_depth = (uint32_t)take_number_if_there(s);
        e->process.thread_bytes = take_number_if_there(s);
        e->process.sample_bytes = take_number_if_there(s);
        e->process.min_size = take_number_if_there(s);
        e->process.flags = (uint32_t)take_number_if_there(s);
        e->process.other_malloc = take_text_if_there(s);
        e->process.pid_namespace = take_number_if_there(s);
        e->process.began = take_number_if_there(s);
        e->process.parent_image = take_number_if_there(s);
        return;
    case REC_PROCESS_END:
        e->end.pid = (uint32_t)take_number(s);
        e->end.how = (unsigned)take_number(s);
        e->end.wait_status = (uint32_t)take_number(s);
        return;
    case REC_LOST:
        e->lost.count = take_number(s);
        e->lost.reason = (uint32_t)take_number_if_there(s);
        return;
    case REC_ALLOC_FAILED:
        e->type = EVENT_ALLOC_FAILED;
        e->function = take_function(s, take_number(s));
        e->size = take_number(s);
        e->alignment = take_number(s);
        return;
    case REC_REALLOC_FAILED:
        e->type = EVENT_REALLOC_FAILED;
        e->function = take_function(s, take_number(s));
        e->size = take_number(s);
        return;
    case REC_REALLOC_FREED:
        e->type = EVENT_REALLOC_FREED;
        e->function = REC_FN_REALLOC;
        return;
    case REC_FREE_BY:
        e->type = EVENT_FREE;
        e->function = take_function(s, take_number(s));
        e->address = next_address(d, take_number(s));
        return;
    case REC_SESSION_START:
        e->session.realtime_ns = take_number(s);
        e->session.command = take_text(s);
        e->session.host = take_text(s);
        e->session.version = take_text(s);
        e->session.first = (uint32_t)take_number_if_there(s);
        e->session.flags = (uint32_t)take_number_if_there(s);
        return;
    case REC_UNTRACED:
        e->untraced.pid = (uint32_t)take_number(s);
        e->untraced.reason = (unsigned)take_number(s);
        e->untraced.path = take_text(s);
        return;
    case REC_MARK:
        e->mark.name = take_text(s);
        return;
    case REC_RECORDING:
        e->recording.on = take_number(s) != 0;
        e->recording.by = (unsigned)take_number(s);
        return;
    case REC_DEEPBIND:
        e->deepbind.path = take_text(s);
        return;
    case REC_OWN_HEAP:
        e->own_heap.path = take_text(s);
        return;
    case REC_TRIMMED:
        e->trimmed.from_ns = take_number(s);
        e->trimmed.to_ns = take_number(s);
        e->trimmed.left_out = take_number(s);
        e->trimmed.flags = (uint32_t)take_number(s);
        e->trimmed.origin = take_text_if_there(s);
        return;
    }
}

static int decode_other(struct decoding *d, struct span *s, unsigned tag, struct event *e)
{
    struct text body = take_text(s);

    if (s->bad)
        return decoding_fail(d, "a record longer than its chunk");
    struct span inner = { (const uint8_t *)body.data, (const uint8_t *)body.data + body.bytes, false };
    e->other = tag >> 2;
    e->alignment = 0;
    decode_other_body(d, &inner, e);
    if (inner.bad)
        return decoding_fail(d, "a record with fields missing");
    if (e->other == REC_CHUNK_BEGIN && (!d->begins-- || e->ticks < d->chunk_ticks))
        return decoding_fail(d, "a chunk begins where none can");
    d->at = s->at;
    return e->other == REC_CHUNK_BEGIN ? DECODING_ANEW : 1;
}

int decoding_next(struct decoding *d, struct event *e)
{
    struct span s = { d->at, d->end, false };

    if (d->at >= d->end)
        return d->problem ? -1 : d->begins ? decoding_fail(d, "fewer chunks than it should be") : 0;
    if (rec_is_hole(d->at, d->end))
        return decoding_fail(d, "zeros in place of records");
    unsigned tag = *s.at++;
    switch (tag & 3) {
    case REC_ALLOC:
        return decode_alloc(d, &s, tag, e);
    case REC_FREE:
    case REC_REALLOC_BEGIN: {
        uint64_t dt = take_bytes(&s, (tag >> 2 & 7) + 1), da = take_bytes(&s, (tag >> 5) + 1);
        if (s.bad)
            return decoding_fail(d, "a free cut short");
        e->type = (tag & 3) == REC_FREE ? EVENT_FREE : EVENT_REALLOC_BEGIN;
        e->function = (tag & 3) == REC_FREE ? REC_FN_FREE : REC_FN_REALLOC;
        e->ticks = next_ticks(d, dt);
        e->address = next_address(d, da);
        e->alignment = 0;
        d->at = s.at;
        return 1;
    }
    default:
        return decode_other(d, &s, tag, e);
    }
}
