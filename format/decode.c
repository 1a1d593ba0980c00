/* The reader's half of encode.h: between the log's chunks and the analyzer's
 * events. The one hard thing is that no length may be believed: everything is
 * taken from a span that knows its end and remembers when it was overrun. */
#include "format/decode.h"

#include <string.h>

struct span {
    const uint8_t *at, *end;
    bool bad;
};

static uint64_t take_number(struct span *s)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && s->at < s->end; shift += 7) {
        uint8_t byte = *s->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    s->bad = true;
    return 0;
}

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

/* The low `bytes` bytes at s->at, which the caller knows to be there or finds
 * out by s->bad. */
static inline uint64_t take_bytes(struct span *s, unsigned bytes)
{
    uint64_t value = 0;

    if (s->end - s->at >= 8) {
        memcpy(&value, s->at, 8);
        value &= ~0ull >> (64 - 8 * bytes);
    } else if ((size_t)(s->end - s->at) >= bytes) {
        for (unsigned i = 0; i < bytes; i++)
            value |= (uint64_t)s->at[i] << 8 * i;
    } else {
        s->bad = true;
        return 0;
    }
    s->at += bytes;
    return value;
}

/* So that nobody's table is read past its end. */
static uint8_t take_function(struct span *s, uint64_t function)
{
    if (function >= REC_FN_COUNT)
        s->bad = true;
    return s->bad ? REC_FN_MALLOC : (uint8_t)function;
}

static int fail(struct decoding *d, const char *problem)
{
    d->problem = problem;
    d->end = d->at;
    return -1;
}

static uint64_t next_ticks(struct decoding *d, uint64_t difference)
{
    return d->ticks += difference;
}

static uint64_t next_address(struct decoding *d, uint64_t folded)
{
    return d->address += rec_unfold_address(folded);
}

void decoding_begin(struct decoding *d, const void *payload, size_t bytes, uint64_t chunk_ticks)
{
    d->start = d->at = payload;
    d->end = d->start + bytes;
    d->ticks = chunk_ticks;
    d->address = d->pc = 0;
    d->depth = d->stacks = 0;
    d->problem = NULL;
}

void decoder_begin(struct decoder *d, const void *payload, size_t bytes, uint64_t chunk_ticks)
{
    d->now.depths = d->depths;
    d->now.depth_room = REC_STACK_NUMBERS;
    d->now.ids = d->ids;
    decoding_begin(&d->now, payload, bytes, chunk_ticks);
}

/* False: the stack is impossible. */
static bool decode_stack(struct decoding *d, struct span *s, struct event *e)
{
    e->pops = e->pushes = 0;
    e->stack_flags = 0;
    e->stack_number = d->stacks;
    e->ids = d->ids;
    if (e->stack_mode == REC_STACK_SAME)
        return true;
    if (e->stack_mode == REC_STACK_AGAIN) {
        e->stack_number = (uint32_t)take_bytes(s, 2);
        if (s->bad || e->stack_number >= d->stacks || e->stack_number >= REC_STACK_NUMBERS)
            return false;
        d->depth = d->depths[e->stack_number];
        return true;
    }
    if (d->stacks == d->depth_room && d->depth_room < REC_STACK_NUMBERS)
        return false;
    if (e->stack_mode == REC_STACK_SHORT) {
        unsigned counts = (unsigned)take_bytes(s, 1);
        e->pops = counts >> 4;
        e->pushes = counts & 15;
        for (uint32_t i = 0; i < e->pushes; i++)
            d->ids[i] = (uint32_t)take_bytes(s, 2);
    } else {
        e->stack_flags = (uint8_t)take_number(s);
        uint64_t pops = take_number(s), pushes = take_number(s);
        if (pops > d->depth || pushes > REC_STACK_DEPTH_MAX)
            return false;
        e->pops = (uint32_t)pops;
        e->pushes = (uint32_t)pushes;
        for (uint32_t i = 0; i < e->pushes; i++)
            d->ids[i] = (uint32_t)take_number(s);
    }
    if (s->bad || e->pops > d->depth || d->depth - e->pops + e->pushes > REC_STACK_DEPTH_MAX)
        return false;
    d->depth += e->pushes - e->pops;
    if (d->stacks < REC_STACK_NUMBERS)
        d->depths[d->stacks] = (uint16_t)d->depth;
    d->stacks++;
    return true;
}

/* What an allocation has besides stamp, address and size. */
static inline int decode_rest(struct decoding *d, unsigned second, struct span *other, struct span *stack, struct event *e)
{
    static const uint8_t functions[] = {
        [REC_ALLOC_MALLOC] = REC_FN_MALLOC, [REC_ALLOC_CALLOC] = REC_FN_CALLOC,
        [REC_ALLOC_REALLOC] = REC_FN_REALLOC, [REC_ALLOC_REALLOCARRAY] = REC_FN_REALLOCARRAY,
        [REC_ALLOC_REALLOC_END] = REC_FN_REALLOC, [REC_ALLOC_REALLOCARRAY_END] = REC_FN_REALLOCARRAY,
    };
    unsigned which = second >> 5;

    e->type = which == REC_ALLOC_REALLOC_END || which == REC_ALLOC_REALLOCARRAY_END ? EVENT_REALLOC_END
                                                                                    : EVENT_ALLOC;
    e->alignment = 0;
    if (which == REC_ALLOC_ALIGNED) {
        e->function = take_function(other, take_bytes(other, 1));
        e->alignment = take_number(other);
    } else if (which < REC_ALLOC_ALIGNED) {
        e->function = functions[which];
    } else {
        return fail(d, "an allocation of an unknown kind");
    }
    e->stack_mode = second >> 3 & 3;
    if (!decode_stack(d, stack, e))
        return fail(d, stack->bad ? "an allocation cut short" : "an impossible stack");
    return stack->bad || other->bad ? fail(d, "an allocation cut short") : 1;
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

int decoding_allocation(struct decoding *d, unsigned second, const uint8_t **other, const uint8_t *other_end, const uint8_t **stack,
                        const uint8_t *stack_end, struct event *e)
{
    struct span rest = { *other, other_end, false }, frames = { *stack, stack_end, false };

    if (decode_rest(d, second, &rest, &frames, e) < 0)
        return -1;
    *other = rest.at;
    *stack = frames.at;
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
        return fail(d, "a record longer than its chunk");
    struct span inner = { (const uint8_t *)body.data, (const uint8_t *)body.data + body.bytes, false };
    e->other = tag >> 2;
    e->alignment = 0;
    decode_other_body(d, &inner, e);
    if (inner.bad)
        return fail(d, "a record with fields missing");
    d->at = s->at;
    return 1;
}

int decoding_next(struct decoding *d, struct event *e)
{
    struct span s = { d->at, d->end, false };

    if (d->at >= d->end)
        return d->problem ? -1 : 0;
    if (rec_is_hole(d->at, d->end))
        return fail(d, "zeros in place of records");
    unsigned tag = *s.at++;
    switch (tag & 3) {
    case REC_ALLOC:
        return decode_alloc(d, &s, tag, e);
    case REC_FREE:
    case REC_REALLOC_BEGIN: {
        uint64_t dt = take_bytes(&s, (tag >> 2 & 7) + 1), da = take_bytes(&s, (tag >> 5) + 1);
        if (s.bad)
            return fail(d, "a free cut short");
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
