/* Records: what the encoder writes, the decoder reads, event by event, against a
 * model that is kept here: whole stacks instead of differences, plain addresses
 * and stamps. Then the same bytes cut at every place, and with bits flipped. */
#include "format/decode.h"
#include "format/encode.h"
#include "tests/unit/check.h"
#include "tests/unit/random.h"

#include <stdlib.h>
#include <string.h>

#define PAYLOAD_BYTES (3u << 20) /* room: a record with texts may be long */
#define EVENTS_MAX 20000
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* What an event must be. Texts and stacks point into memory of the chunk's. */
struct expected {
    struct event event;
    uint32_t depth;
    uint32_t *stack; /* outer to inner, with room; NULL for events without one */
    uint8_t stack_flags;
    size_t end; /* offset after the record */
};

struct chunk {
    uint8_t *payload;
    size_t bytes;
    uint64_t ticks;
    struct expected *expected;
    size_t count;
    void *memory[8 * EVENTS_MAX]; /* of texts and stacks */
    size_t memory_count;
    struct encoder encoder;
    /* The stream's state, as one who knows the program would say it. */
    uint64_t now;
    uint32_t stack[REC_STACK_DEPTH_MAX], depth;
    uint8_t flags;
    struct given {
        const uint32_t *stack; /* the expected event's */
        uint32_t depth;
        uint8_t flags;
    } given[EVENTS_MAX]; /* in short or long form */
    uint32_t given_count;
};

static void *keep(struct chunk *c, const void *data, size_t bytes)
{
    void *copy = malloc(bytes ? bytes : 1);
    if (bytes)
        memcpy(copy, data, bytes);
    return c->memory[c->memory_count++] = copy;
}

static struct encode_text random_text(struct chunk *c, struct text *ret_text)
{
    static char bytes[70000];
    size_t count = random_below(20) ? random_below(20) : random_below(10) ? random_below(300) : random_below(sizeof bytes);

    for (size_t i = 0; i < count; i++)
        bytes[i] = (char)random_number();
    *ret_text = (struct text){ keep(c, bytes, count), count };
    return (struct encode_text){ ret_text->data, count };
}

/* Mostly a little later, sometimes much, sometimes a clock that is behind. */
static uint64_t random_ticks(struct chunk *c, struct event *e)
{
    uint64_t ticks = c->now + (random_number() >> 14 >> random_below(50));

    if (random_below(10) == 0)
        ticks = c->now - random_below(c->now < 1000 ? c->now + 1 : 1000);
    c->now = ticks > c->now ? ticks : c->now;
    e->ticks = c->now;
    return ticks;
}

static uint64_t random_address(const struct chunk *c)
{
    switch (random_below(4)) {
    case 0: return random_magnitude();
    case 1: return 0x555555554000 + 16 * random_below(100000);
    case 2: return c->encoder.address + random_below(65) - 32;
    default: return (random_magnitude() & ~15ull) + 8 * random_below(2);
    }
}

/* One that has a number. */
static struct encode_stack random_stack_again(struct chunk *c, struct expected *x)
{
    uint32_t numbers = c->given_count < REC_STACK_NUMBERS ? c->given_count : REC_STACK_NUMBERS;
    uint32_t number = (uint32_t)(random_below(8) ? random_below(numbers) : numbers - 1);
    const struct given *given = &c->given[number];

    memcpy(c->stack, given->stack, given->depth * sizeof *c->stack);
    c->depth = given->depth;
    c->flags = given->flags;
    x->stack_flags = given->flags;
    x->depth = given->depth;
    x->stack = keep(c, c->stack, c->depth * sizeof *c->stack);
    return (struct encode_stack){ .again = true, .number = number, .pops = 1, .pushes = 1 };
}

static struct encode_stack random_stack(struct chunk *c, struct expected *x)
{
    static uint32_t ids[REC_STACK_DEPTH_MAX];
    bool huge = random_below(200) == 0;
    uint32_t pops = random_below(3) ? (uint32_t)random_below(4) : (uint32_t)random_below(c->depth + 1);
    uint32_t pushes = huge ? REC_STACK_DEPTH_MAX : (uint32_t)random_below(random_below(5) ? 4 : 40);
    uint8_t flags = random_below(10) ? c->flags : (uint8_t)random_below(32);

    if (pops > c->depth)
        pops = c->depth;
    if (pushes > REC_STACK_DEPTH_MAX - (c->depth - pops))
        pushes = REC_STACK_DEPTH_MAX - (c->depth - pops);
    for (uint32_t i = 0; i < pushes; i++)
        ids[i] = (uint32_t)(random_below(30) ? random_below(65536) : random_magnitude());
    c->depth -= pops;
    memcpy(c->stack + c->depth, ids, pushes * sizeof *ids);
    c->depth += pushes;
    struct encode_stack stack = { .pops = pops, .pushes = pushes, .flags = flags, .flags_changed = flags != c->flags,
                                  .ids = ids };
    c->flags = flags;
    x->stack_flags = flags;
    x->depth = c->depth;
    x->stack = keep(c, c->stack, c->depth * sizeof *c->stack);
    return stack;
}

static uint8_t *add_alloc(struct chunk *c, uint8_t *at, struct expected *x)
{
    static const uint8_t functions[] = { REC_FN_MALLOC, REC_FN_CALLOC, REC_FN_REALLOC, REC_FN_REALLOCARRAY, REC_FN_REALLOC,
                                         REC_FN_REALLOCARRAY };
    enum rec_alloc which = (enum rec_alloc)random_below(7);
    struct event *e = &x->event;

    e->type = which == REC_ALLOC_REALLOC_END || which == REC_ALLOC_REALLOCARRAY_END ? EVENT_REALLOC_END : EVENT_ALLOC;
    e->function = which == REC_ALLOC_ALIGNED ? (uint8_t)random_below(REC_FN_COUNT) : functions[which];
    e->alignment = which == REC_ALLOC_ALIGNED ? random_magnitude() : 0;
    e->address = random_address(c);
    e->size = random_magnitude() % (REC_SIZE_MAX + 1);
    uint64_t ticks = random_ticks(c, e);
    struct encode_stack stack =
        c->given_count && !random_below(3) ? random_stack_again(c, x) : random_stack(c, x);
    uint32_t number = c->encoder.stacks;
    at = encode_alloc(&c->encoder, at, which, e->address, e->size, ticks, e->function, e->alignment, &stack);
    if (c->encoder.stacks != number)
        c->given[c->given_count++] = (struct given){ x->stack, x->depth, x->stack_flags };
    return at;
}

static uint8_t *add_free(struct chunk *c, uint8_t *at, struct event *e)
{
    bool is_free = random_below(3);

    e->type = is_free ? EVENT_FREE : EVENT_REALLOC_BEGIN;
    e->function = is_free ? REC_FN_FREE : REC_FN_REALLOC;
    e->address = random_address(c);
    return encode_free(&c->encoder, at, is_free ? REC_FREE : REC_REALLOC_BEGIN, e->address, random_ticks(c, e));
}

static uint8_t *add_module(struct chunk *c, uint8_t *at, struct event *e)
{
    struct encode_segment segments[ENCODE_SEGMENTS_MAX];
    struct encode_module module = { .segments = segments };

    module.id = e->module.id = (uint32_t)random_magnitude();
    module.bias = e->module.bias = random_magnitude();
    module.segment_count = e->module.segment_count = (uint32_t)random_below(ENCODE_SEGMENTS_MAX + 1);
    for (uint32_t i = 0; i < module.segment_count; i++) {
        segments[i].start = e->module.segments[i].start = random_magnitude();
        segments[i].end = e->module.segments[i].end = random_magnitude();
    }
    module.build_id = random_text(c, &e->module.build_id);
    module.path = random_text(c, &e->module.path);
    return encode_module_load(&c->encoder, at, random_ticks(c, e), &module);
}

static uint8_t *add_process(struct chunk *c, uint8_t *at, struct event *e)
{
    struct encode_process p = { .start = (enum rec_start)random_below(3) };

    e->process.start = p.start;
    p.ppid = e->process.ppid = (uint32_t)random_magnitude();
    p.realtime_ns = e->process.realtime_ns = random_magnitude();
    p.page_bytes = e->process.page_bytes = random_magnitude();
    p.exe = random_text(c, &e->process.exe);
    p.arguments = random_text(c, &e->process.arguments);
    p.directory = random_text(c, &e->process.directory);
    p.environment = random_text(c, &e->process.environment);
    p.call_graph = random_text(c, &e->process.call_graph);
    p.allocator = random_text(c, &e->process.allocator);
    p.max_depth = e->process.max_depth = (uint32_t)random_magnitude();
    p.thread_bytes = e->process.thread_bytes = random_magnitude();
    p.sample_bytes = e->process.sample_bytes = random_magnitude();
    p.min_size = e->process.min_size = random_magnitude();
    p.flags = e->process.flags = (uint32_t)random_magnitude();
    p.other_malloc = random_text(c, &e->process.other_malloc);
    p.pid_namespace = e->process.pid_namespace = random_magnitude();
    p.began = e->process.began = random_magnitude();
    p.parent_image = e->process.parent_image = random_magnitude();
    return encode_process_start(&c->encoder, at, random_ticks(c, e), &p);
}

/* A number that no version has, and a body that nobody can read. */
static uint8_t *add_unknown(struct chunk *c, uint8_t *at, struct event *e)
{
    static const unsigned numbers[] = { 0, 8, 23, 40, 63 };
    struct text text;
    struct encode_text body = random_text(c, &text);

    e->other = numbers[random_below(sizeof numbers / sizeof *numbers)];
    e->ticks = c->now;
    *at++ = (uint8_t)(e->other << 2 | REC_OTHER);
    at = encode_varint(at, body.bytes);
    memcpy(at, body.data, body.bytes);
    return at + body.bytes;
}

static uint8_t *add_other(struct chunk *c, uint8_t *at, struct event *e)
{
    struct encoder *encoder = &c->encoder;
    struct encode_text text, host;

    e->type = EVENT_OTHER;
    e->other = (unsigned)random_below(23);
    e->function = (uint8_t)random_below(REC_FN_COUNT);
    switch (e->other) {
    case REC_PC:
        e->ticks = c->now;
        e->pc.id = (uint32_t)random_magnitude();
        e->pc.module = (uint32_t)random_magnitude();
        e->pc.pc = random_below(2) ? random_magnitude() : encoder->pc + random_below(1000) - 500;
        e->pc.exact = random_below(2);
        return encode_pc(encoder, at, e->pc.id, e->pc.module, e->pc.pc, e->pc.exact);
    case REC_MODULE_LOAD:
        return add_module(c, at, e);
    case REC_MODULE_UNLOAD:
        e->module.id = (uint32_t)random_magnitude();
        return encode_module_unload(encoder, at, random_ticks(c, e), e->module.id);
    case REC_THREAD_BEGIN:
        e->thread.tid = (uint32_t)random_magnitude();
        text = random_text(c, &e->thread.name);
        e->thread.nested = random_below(2);
        return encode_thread_begin(encoder, at, random_ticks(c, e), e->thread.tid, text, e->thread.nested);
    case REC_THREAD_END:
        return encode_thread_end(encoder, at, random_ticks(c, e));
    case REC_THREAD_NAME:
        text = random_text(c, &e->thread.name);
        return encode_thread_name(encoder, at, random_ticks(c, e), text);
    case REC_PROCESS_START:
        return add_process(c, at, e);
    case REC_PROCESS_END:
        e->end.pid = (uint32_t)random_magnitude();
        e->end.how = (unsigned)random_below(4);
        e->end.wait_status = (uint32_t)random_magnitude();
        return encode_process_end(encoder, at, random_ticks(c, e), e->end.pid, (enum rec_end)e->end.how, e->end.wait_status);
    case REC_LOST:
        e->lost.count = random_magnitude();
        e->lost.reason = (uint32_t)random_magnitude();
        return encode_lost(encoder, at, random_ticks(c, e), e->lost.count, e->lost.reason);
    case REC_ALLOC_FAILED:
        e->type = EVENT_ALLOC_FAILED;
        e->size = random_magnitude();
        e->alignment = random_magnitude();
        return encode_alloc_failed(encoder, at, e->function, e->size, e->alignment, random_ticks(c, e));
    case REC_REALLOC_FAILED:
        e->type = EVENT_REALLOC_FAILED;
        e->size = random_magnitude();
        return encode_realloc_failed(encoder, at, e->function, e->size, random_ticks(c, e));
    case REC_REALLOC_FREED:
        e->type = EVENT_REALLOC_FREED;
        e->function = REC_FN_REALLOC;
        return encode_realloc_freed(encoder, at, random_ticks(c, e));
    case REC_FREE_BY:
        e->type = EVENT_FREE;
        e->address = random_address(c);
        return encode_free_by(encoder, at, e->function, e->address, random_ticks(c, e));
    case REC_SESSION_START:
        e->session.realtime_ns = random_magnitude();
        text = random_text(c, &e->session.command);
        host = random_text(c, &e->session.host);
        e->session.first = (uint32_t)random_magnitude();
        e->session.flags = (uint32_t)random_magnitude();
        return encode_session_start(encoder, at, random_ticks(c, e), e->session.realtime_ns, text, host,
                                    random_text(c, &e->session.version), e->session.first, e->session.flags);
    case REC_UNTRACED:
        e->untraced.pid = (uint32_t)random_magnitude();
        e->untraced.reason = (unsigned)random_below(6);
        text = random_text(c, &e->untraced.path);
        return encode_untraced(encoder, at, random_ticks(c, e), e->untraced.pid, (enum rec_untraced)e->untraced.reason, text);
    case REC_MARK:
        text = random_text(c, &e->mark.name);
        return encode_mark(encoder, at, random_ticks(c, e), text);
    case REC_RECORDING:
        e->recording.on = random_below(2);
        e->recording.by = (unsigned)random_below(2);
        return encode_recording(encoder, at, random_ticks(c, e), e->recording.on, (enum rec_switch)e->recording.by);
    case REC_DEEPBIND:
        text = random_text(c, &e->deepbind.path);
        return encode_deepbind(encoder, at, random_ticks(c, e), text);
    case REC_OWN_HEAP:
        text = random_text(c, &e->own_heap.path);
        return encode_own_heap(encoder, at, random_ticks(c, e), text);
    case REC_TRIMMED:
        e->trimmed.from_ns = random_magnitude();
        e->trimmed.to_ns = random_magnitude();
        e->trimmed.left_out = random_magnitude();
        e->trimmed.flags = (uint32_t)random_below(2);
        text = random_text(c, &e->trimmed.origin);
        return encode_trimmed(encoder, at, random_ticks(c, e), e->trimmed.from_ns, e->trimmed.to_ns, e->trimmed.left_out,
                              e->trimmed.flags, text);
    default:
        return add_unknown(c, at, e);
    }
}

/* allocations: of 10 events. */
static struct chunk *chunk_make(size_t events, size_t bytes_max, uint64_t allocations)
{
    struct chunk *c = calloc(1, sizeof *c);
    uint8_t *at = c->payload = calloc(1, PAYLOAD_BYTES);

    c->expected = calloc(events, sizeof *c->expected);
    c->ticks = c->now = random_magnitude() >> 2;
    encoder_begin(&c->encoder, c->ticks);
    while (c->count < events && (size_t)(at - c->payload) < bytes_max) {
        struct expected *x = &c->expected[c->count++];
        uint64_t which = random_below(10);
        at = which < allocations ? add_alloc(c, at, x) : which < 8 ? add_free(c, at, &x->event) : add_other(c, at, &x->event);
        x->end = (size_t)(at - c->payload);
    }
    c->bytes = (size_t)(at - c->payload);
    return c;
}

static void chunk_drop(struct chunk *c)
{
    for (size_t i = 0; i < c->memory_count; i++)
        free(c->memory[i]);
    free(c->expected);
    free(c->payload);
    free(c);
}

static bool same_text(struct text a, struct text b)
{
    return a.bytes == b.bytes && memcmp(a.data, b.data, a.bytes) == 0;
}

static bool same_body(const struct event *a, const struct event *b)
{
    switch (a->other) {
    case REC_PC:
        return a->pc.id == b->pc.id && a->pc.module == b->pc.module && a->pc.pc == b->pc.pc &&
               a->pc.exact == b->pc.exact;
    case REC_MODULE_LOAD:
        return a->module.id == b->module.id && a->module.bias == b->module.bias &&
               a->module.segment_count == b->module.segment_count &&
               memcmp(a->module.segments, b->module.segments, a->module.segment_count * sizeof *a->module.segments) == 0 &&
               same_text(a->module.build_id, b->module.build_id) && same_text(a->module.path, b->module.path);
    case REC_MODULE_UNLOAD:
        return a->module.id == b->module.id;
    case REC_THREAD_BEGIN:
        return a->thread.tid == b->thread.tid && a->thread.nested == b->thread.nested && same_text(a->thread.name, b->thread.name);
    case REC_THREAD_NAME:
        return same_text(a->thread.name, b->thread.name);
    case REC_PROCESS_START:
        return a->process.start == b->process.start && a->process.ppid == b->process.ppid &&
               a->process.realtime_ns == b->process.realtime_ns && a->process.page_bytes == b->process.page_bytes &&
               same_text(a->process.exe, b->process.exe) && same_text(a->process.arguments, b->process.arguments) &&
               same_text(a->process.directory, b->process.directory) &&
               same_text(a->process.environment, b->process.environment) &&
               same_text(a->process.call_graph, b->process.call_graph) &&
               same_text(a->process.allocator, b->process.allocator) &&
               a->process.max_depth == b->process.max_depth && a->process.thread_bytes == b->process.thread_bytes &&
               a->process.sample_bytes == b->process.sample_bytes && a->process.min_size == b->process.min_size &&
               a->process.flags == b->process.flags && same_text(a->process.other_malloc, b->process.other_malloc) &&
               a->process.pid_namespace == b->process.pid_namespace && a->process.began == b->process.began &&
               a->process.parent_image == b->process.parent_image;
    case REC_PROCESS_END:
        return a->end.pid == b->end.pid && a->end.how == b->end.how &&
               a->end.wait_status == b->end.wait_status;
    case REC_LOST:
        return a->lost.count == b->lost.count && a->lost.reason == b->lost.reason;
    case REC_SESSION_START:
        return a->session.realtime_ns == b->session.realtime_ns && same_text(a->session.command, b->session.command) &&
               same_text(a->session.host, b->session.host) && same_text(a->session.version, b->session.version) &&
               a->session.first == b->session.first && a->session.flags == b->session.flags;
    case REC_UNTRACED:
        return a->untraced.pid == b->untraced.pid && a->untraced.reason == b->untraced.reason &&
               same_text(a->untraced.path, b->untraced.path);
    case REC_MARK:
        return same_text(a->mark.name, b->mark.name);
    case REC_RECORDING:
        return a->recording.on == b->recording.on && a->recording.by == b->recording.by;
    case REC_DEEPBIND:
        return same_text(a->deepbind.path, b->deepbind.path);
    case REC_OWN_HEAP:
        return same_text(a->own_heap.path, b->own_heap.path);
    case REC_TRIMMED:
        return a->trimmed.from_ns == b->trimmed.from_ns && a->trimmed.to_ns == b->trimmed.to_ns &&
               a->trimmed.left_out == b->trimmed.left_out && a->trimmed.flags == b->trimmed.flags && same_text(a->trimmed.origin, b->trimmed.origin);
    default:
        return true;
    }
}

/* Follows the stacks on its own, in state. */
static bool same_event(const struct expected *x, const struct event *e, struct chunk *state)
{
    const struct event *want = &x->event;

    if (want->type != e->type || want->ticks != e->ticks)
        return false;
    if (e->type == EVENT_OTHER)
        return want->other == e->other && same_body(want, e);
    if (want->function != e->function)
        return false;
    if (e->type <= EVENT_REALLOC_END && want->address != e->address)
        return false;
    if (e->type == EVENT_REALLOC_FAILED || e->type == EVENT_ALLOC_FAILED)
        return want->size == e->size && want->alignment == e->alignment;
    if (e->type != EVENT_ALLOC && e->type != EVENT_REALLOC_END)
        return true;
    if (want->size != e->size || want->alignment != e->alignment || e->pops > state->depth)
        return false;
    if (e->stack_mode == REC_STACK_AGAIN) {
        if (e->pops || e->pushes || e->stack_number >= state->given_count || e->stack_number >= REC_STACK_NUMBERS)
            return false;
        const struct given *given = &state->given[e->stack_number];
        memcpy(state->stack, given->stack, given->depth * sizeof *given->stack);
        state->depth = given->depth;
        state->flags = given->flags;
    }
    state->depth -= e->pops;
    if (e->pushes > REC_STACK_DEPTH_MAX - state->depth)
        return false;
    memcpy(state->stack + state->depth, e->ids, e->pushes * sizeof *e->ids);
    state->depth += e->pushes;
    if (e->stack_mode == REC_STACK_LONG)
        state->flags = e->stack_flags;
    if (e->stack_mode == REC_STACK_SHORT || e->stack_mode == REC_STACK_LONG) {
        if (e->stack_number != state->given_count)
            return false;
        state->given[state->given_count++] = (struct given){ x->stack, x->depth, x->stack_flags };
    }
    return state->depth == x->depth && state->flags == x->stack_flags &&
           memcmp(state->stack, x->stack, x->depth * sizeof *x->stack) == 0;
}

static struct decoder decoder;

/* Decodes the first bytes of c, from memory that is no longer than they are:
 * the events that end within them, and no others, must come out. */
static bool decodes_as_expected(const struct chunk *c, size_t bytes)
{
    static struct chunk state;
    uint8_t *exact = malloc(bytes ? bytes : 1);
    size_t whole = 0, end = 0, found = 0;
    struct event event;
    bool right = true;
    int got;

    memcpy(exact, c->payload, bytes);
    state.depth = 0;
    state.flags = 0;
    state.given_count = 0;
    while (whole < c->count && c->expected[whole].end <= bytes)
        end = c->expected[whole++].end;
    decoder_begin(&decoder, exact, bytes, c->ticks);
    while ((got = decoder_next(&decoder, &event)) == 1 && right) {
        right = found < whole && same_event(&c->expected[found], &event, &state);
        if (!right)
            printf("    event %zu of %zu, of %zu bytes: type %d\n", found, whole, bytes, (int)event.type);
        found++;
    }
    right = right && found == whole && got == (end == bytes ? 0 : -1) && (size_t)(decoder.now.at - exact) == end &&
            !decoder.now.problem == (end == bytes);
    right = right && decoder_next(&decoder, &event) == got; /* it stays so */
    free(exact);
    return right;
}

static void test_round_trips(void)
{
    for (int i = 0; i < 20; i++) {
        struct chunk *c = chunk_make(random_below(2) ? EVENTS_MAX : random_below(100), 1u << 20, 4);
        CHECK(decodes_as_expected(c, c->bytes));
        chunk_drop(c);
    }
    /* More stacks than there are numbers. */
    struct chunk *c = chunk_make(EVENTS_MAX, 2u << 20, 10);
    CHECK(c->given_count > REC_STACK_NUMBERS + 100);
    CHECK(decodes_as_expected(c, c->bytes));
    chunk_drop(c);
}

/* Two chunks' records in one payload: the events of both, as if each began there. */
static void test_chunks_in_one(void)
{
    static struct chunk state;
    struct event event;

    for (int i = 0; i < 100; i++) {
        struct chunk *c[2] = { chunk_make(random_below(1000), 1u << 16, 4), chunk_make(random_below(1000), 1u << 16, 4) };
        struct chunk *earlier = c[c[1]->ticks < c[0]->ticks];
        c[1] = c[c[1]->ticks >= c[0]->ticks];
        c[0] = earlier;
        uint8_t *both = malloc(c[0]->bytes + ENCODE_EVENT_MAX + c[1]->bytes), *to = mempcpy(both, c[0]->payload, c[0]->bytes);
        bool right = true;

        to = encode_chunk_begin(to, c[1]->ticks);
        to = mempcpy(to, c[1]->payload, c[1]->bytes);
        decoder_begin(&decoder, both, (size_t)(to - both), c[0]->ticks);
        decoder.now.begins = 1;
        for (int k = 0; k < 2; k++) {
            state.depth = state.given_count = 0;
            state.flags = 0;
            for (size_t n = 0; n < c[k]->count && right; n++)
                right = decoding_next(&decoder.now, &event) == 1 && same_event(&c[k]->expected[n], &event, &state);
            right = right && decoding_next(&decoder.now, &event) == (k ? 0 : DECODING_ANEW);
            right = right && (k || (event.type == EVENT_OTHER && event.other == REC_CHUNK_BEGIN && event.ticks == c[1]->ticks));
        }
        CHECK(right);
        decoder_begin(&decoder, both, (size_t)(to - both), c[0]->ticks); /* who does not care sees events alone */
        decoder.now.begins = 1;
        size_t events = 0;
        while (decoder_next(&decoder, &event) == 1)
            events++;
        CHECK(events == c[0]->count + c[1]->count && decoder.now.at == to);
        for (uint32_t begins = 0; begins <= 2; begins++) { /* no fewer than are told, and no more; nor before the first */
            decoder_begin(&decoder, both, (size_t)(to - both), c[0]->ticks);
            decoder.now.begins = begins;
            decoder.now.chunk_ticks = begins == 1 ? c[1]->ticks + 1 : c[0]->ticks;
            for (events = 0; (right = decoder_next(&decoder, &event) == 1); events++)
                ;
            CHECK(decoder.now.problem && events == c[0]->count + (begins == 2 ? c[1]->count : 0));
        }
        free(both);
        chunk_drop(c[0]);
        chunk_drop(c[1]);
    }
}

static void test_prefixes(void)
{
    for (int i = 0; i < 100; i++) {
        struct chunk *c = chunk_make(1 + random_below(60), 3000, 4);
        size_t most = c->bytes > 20000 ? 20000 : c->bytes;
        bool right = true;
        for (size_t bytes = 0; bytes <= most && right; bytes++)
            right = decodes_as_expected(c, bytes);
        CHECK(right);
        chunk_drop(c);
    }
}

static bool inside(struct text text)
{
    const uint8_t *data = (const uint8_t *)text.data;
    return data >= decoder.now.start && data + text.bytes <= decoder.now.start + (decoder.now.end - decoder.now.start);
}

struct depths {
    uint32_t depth, given[REC_STACK_NUMBERS + 1], given_count;
};

static bool possible_stack(const struct event *e, struct depths *d)
{
    if (e->stack_mode == REC_STACK_AGAIN) {
        if (e->stack_number >= d->given_count || e->stack_number >= REC_STACK_NUMBERS || e->pops || e->pushes)
            return false;
        d->depth = d->given[e->stack_number];
        return true;
    }
    if (e->stack_mode > REC_STACK_AGAIN || e->pops > d->depth || e->pushes > REC_STACK_DEPTH_MAX - (d->depth - e->pops))
        return false;
    d->depth += e->pushes - e->pops;
    if (e->stack_mode != REC_STACK_SAME && d->given_count < COUNT_OF(d->given))
        d->given[d->given_count++] = d->depth;
    return true;
}

static bool possible(const struct event *e, struct depths *depths)
{
    bool is_alloc = e->type == EVENT_ALLOC || e->type == EVENT_REALLOC_END;

    if (is_alloc && !possible_stack(e, depths))
        return false;
    if (e->type != EVENT_OTHER)
        return (unsigned)e->type < EVENT_OTHER && e->function < REC_FN_COUNT;
    switch (e->other) {
    case REC_MODULE_LOAD:
        return e->module.segment_count <= EVENT_SEGMENTS_MAX && inside(e->module.build_id) && inside(e->module.path);
    case REC_THREAD_BEGIN:
    case REC_THREAD_NAME:
        return inside(e->thread.name);
    case REC_PROCESS_START:
        return inside(e->process.exe) && inside(e->process.arguments) && inside(e->process.directory) &&
               inside(e->process.environment) && inside(e->process.call_graph) && inside(e->process.allocator);
    case REC_SESSION_START:
        return inside(e->session.command) && inside(e->session.host) && inside(e->session.version);
    default:
        return e->other < REC_OTHER_COUNT;
    }
}

static bool survives(const uint8_t *bytes, size_t count)
{
    static struct depths depths;
    struct event event;
    bool right = true;
    int got;

    depths.depth = depths.given_count = 0;

    decoder_begin(&decoder, bytes, count, 0);
    decoder.now.begins = UINT32_MAX;
    for (const uint8_t *from = bytes; (got = decoding_next(&decoder.now, &event)) > 0 && right; from = decoder.now.at) {
        if (got == DECODING_ANEW)
            depths.depth = depths.given_count = 0;
        right = decoder.now.at > from && decoder.now.at <= bytes + count && possible(&event, &depths) && decoder.now.depth == depths.depth &&
                (got == DECODING_ANEW) == (event.type == EVENT_OTHER && event.other == REC_CHUNK_BEGIN);
    }
    return right && decoder.now.problem != NULL && (decoder.now.at < bytes + count || strstr(decoder.now.problem, "fewer chunks"));
}

static void test_flips(void)
{
    bool right = true;

    for (int i = 0; i < 100; i++) {
        struct chunk *c = chunk_make(1 + random_below(100), 3000, 4);
        uint8_t *copy = malloc(c->bytes);
        for (int k = 0; k < 500; k++) {
            memcpy(copy, c->payload, c->bytes);
            for (uint64_t flips = 1 + random_below(random_below(2) ? 2 : 50); flips; flips--)
                copy[random_below(c->bytes)] ^= (uint8_t)(random_below(2) ? 1u << random_below(8) : random_below(256));
            right &= survives(copy, c->bytes);
        }
        for (int k = 0; k < 100; k++) { /* noise */
            for (size_t b = 0; b < c->bytes; b++)
                copy[b] = (uint8_t)random_number();
            right &= survives(copy, c->bytes);
        }
        free(copy);
        chunk_drop(c);
    }
    CHECK(right);
}

/* 1, 0 or -1 of the first record, from memory that has no byte more. */
static int first(const char *bytes, size_t count, struct event *ret_event)
{
    static uint8_t *exact;

    free(exact);
    exact = malloc(count);
    memcpy(exact, bytes, count);
    decoder_begin(&decoder, exact, count, 0);
    return decoding_next(&decoder.now, ret_event);
}

#define FIRST(bytes) first(bytes, sizeof bytes - 1, &e)
#define FIRST_STACK(second_byte, bytes) \
    first("\x00" second_byte "\x01\x02\x03" bytes, sizeof second_byte + sizeof bytes + 2, &event)

static void test_impossible_records(void)
{
    char bytes[64 + 2 * REC_STACK_DEPTH_MAX];
    struct event e;
    uint8_t *at;

    CHECK(FIRST("\x00\x00\x01\x02\x03") == 1 && e.function == REC_FN_MALLOC && e.size == 3 && e.ticks == 1 && e.address == 16);
    CHECK(FIRST("\x00\xe0\x01\x02\x03") == -1); /* allocation of kind 7 */
    CHECK(FIRST("\x00\x18\x01\x02\x03") == -1); /* a stack again, without its number */
    CHECK(FIRST("\x00\xc0\x01\x02\x03\x0c\x10") == 1 && e.function == REC_FN_FREE_ALIGNED_SIZED && e.alignment == 16);
    CHECK(FIRST("\x00\xc0\x01\x02\x03\x0f\x10") == -1); /* function 15 */
    CHECK(FIRST("\x00\xc0\x01\x02\x03\xff\x10") == -1);
    CHECK(FIRST("\x00\x08\x01\x02\x03\x10") == -1); /* a pop of nothing */
    CHECK(FIRST("\x00\x08\x01\x02\x03\x01\x05\x00") == 1 && e.pushes == 1 && e.ids[0] == 5);
    CHECK(FIRST("\x00\x10\x01\x02\x03\x00\x01\x00") == -1);
    CHECK(FIRST("\x00\x10\x01\x02\x03\x00\xff\xff\xff\xff\x1f\x00") == -1); /* 2^33 - 1 pops */
    CHECK(FIRST("\x00\x10\x01\x02\x03\x00\x80\x80\x80\x80\x10\x00") == -1); /* 2^32 pops are not none */
    CHECK(FIRST("\x00\x10\x01\x02\x03\x00\x00\x80\x80\x80\x80\x10") == -1);

    /* As many frames as there may be, one more, and one more on top of them. */
    at = encode_varint((uint8_t *)memcpy(bytes, "\x00\x10\x01\x02\x03\x00\x00", 7) + 7, REC_STACK_DEPTH_MAX);
    memset(at, 1, REC_STACK_DEPTH_MAX + 1);
    size_t whole = (size_t)(at + REC_STACK_DEPTH_MAX - (uint8_t *)bytes);
    CHECK(first(bytes, whole, &e) == 1 && e.pushes == REC_STACK_DEPTH_MAX);
    CHECK(first(bytes, whole - 1, &e) == -1);
    memcpy(bytes + whole, "\x00\x08\x01\x02\x03\x01\x05\x00", 8);
    CHECK(first(bytes, whole + 8, &e) == 1 && decoder_next(&decoder, &e) == -1);
    memcpy(bytes + whole, "\x00\x08\x01\x02\x03\x11\x05\x00", 8);
    CHECK(first(bytes, whole + 8, &e) == 1 && decoder_next(&decoder, &e) == 1 && e.pops == 1);
    encode_varint((uint8_t *)bytes + 7, REC_STACK_DEPTH_MAX + 1);
    CHECK(first(bytes, whole + 1, &e) == -1);
}

/* The number of a stack that is not there, not yet there, or without a number. */
static void test_impossible_stacks(void)
{
    static const uint32_t id = 7;
    const struct encode_stack deeper = { .pushes = 1, .ids = &id }, shallower = { .pops = 1 }, same = { 0 };
    uint8_t *payload = malloc(1u << 20), *at = payload;
    struct encoder e;
    struct event event;

    CHECK(FIRST_STACK("\x18", "\x00\x00") == -1 && strcmp(decoder.now.problem, "an impossible stack") == 0);
    CHECK(FIRST_STACK("\x18", "\x00") == -1 && strcmp(decoder.now.problem, "an allocation cut short") == 0);
    CHECK(FIRST_STACK("\x18", "\xff\xff") == -1);

    encoder_begin(&e, 0);
    for (uint32_t i = 0; i < REC_STACK_NUMBERS + 10; i++) {
        at = encode_alloc(&e, at, REC_ALLOC_MALLOC, 16, 1, i, 0, 0, i % 2 ? &shallower : &deeper);
        at = encode_alloc(&e, at, REC_ALLOC_MALLOC, 16, 1, i, 0, 0, &same); /* has none */
        CHECK(e.stacks == i + 1);
        for (uint32_t ahead = 0; ahead < 2; ahead++) {
            uint32_t number = i + ahead;
            const struct encode_stack again = { .again = true, .number = number };
            struct encoder copy = e;
            uint8_t *end = encode_alloc(&copy, at, REC_ALLOC_MALLOC, 16, 1, i, 0, 0, &again);
            int got = 1;
            if (i > 3 && i < REC_STACK_NUMBERS - 3)
                continue;
            decoder_begin(&decoder, payload, (size_t)(end - payload), 0);
            while (decoder.now.at < at && got == 1)
                got = decoder_next(&decoder, &event);
            CHECK(got == 1 && decoder.now.at == at && decoder.now.depth == 1 - i % 2);
            got = decoder_next(&decoder, &event);
            CHECK(copy.stacks == e.stacks);
            CHECK(got == (number < REC_STACK_NUMBERS && !ahead ? 1 : -1));
            CHECK(got < 0 || (event.stack_mode == REC_STACK_AGAIN && event.stack_number == number && !event.pops &&
                              !event.pushes && decoder.now.depth == 1 - i % 2));
            CHECK(got > 0 || strcmp(decoder.now.problem, "an impossible stack") == 0);
        }
    }
    free(payload);
}

static void test_impossible_bodies(void)
{
    struct event e;

    CHECK(FIRST("\x07\x03\x05\x01\x04") == 1 && e.pc.id == 5 && e.pc.pc == 2 && !e.pc.exact); /* flags left out */
    CHECK(FIRST("\x07\x04\x05\x01\x04\x02") == 1 && !e.pc.exact); /* a flag that is not known */
    CHECK(FIRST("\x07\x04\x05\x01\x04\x03") == 1 && e.pc.exact);
    CHECK(FIRST("\x07\x04\x05\x01\x04\x83") == -1 && FIRST("\x07\x02\x05\x01") == -1);
    CHECK(FIRST("\x2b\x02\x05\x07") == 1 && e.other == REC_LOST && e.lost.count == 7 && e.ticks == 5);
    CHECK(FIRST("\x2b\x04\x05\x07xy") == 1 && e.lost.count == 7); /* of a later version: longer */
    CHECK(FIRST("\x2b\x01\x05") == -1 && FIRST("\x2b\x00") == -1 && FIRST("\x2b") == -1);
    CHECK(FIRST("\x2b\x02\x05\x87") == -1); /* the number goes on beyond the body ... */
    CHECK(FIRST("\x2b\x02\x05\x87\x01") == -1); /* ... which the chunk does not */
    CHECK(FIRST("\x2b\x03\x05\x07") == -1);
    CHECK(FIRST("\x2b\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x05\x07") == -1); /* a length of 2^64 - 1 */
    CHECK(FIRST("\x2b\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02\x05\x07") == -1); /* a varint of 11 bytes ... */
    CHECK(FIRST("\xff\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00") == -1); /* ... even if it adds nothing */
    CHECK(FIRST("\xff\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00") == 1);
    CHECK(FIRST("\x2b\x0b\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01") == 1 && e.lost.count == UINT64_MAX);
    CHECK(FIRST("\x2f\x04\x00\x0c\x01\x01") == 1 && e.type == EVENT_ALLOC_FAILED && e.function == 12);
    CHECK(FIRST("\x2f\x04\x00\x0f\x01\x01") == -1);
    CHECK(FIRST("\x2f\x06\x00\x80\x80\x04\x01\x01") == -1); /* function 65536 is not malloc */
    CHECK(FIRST("\x33\x04\x00\x80\x02\x01") == -1);
    CHECK(FIRST("\x3b\x04\x00\x80\x02\x02") == -1);
    CHECK(FIRST("\x3b\x03\x00\x0a\x02") == 1 && e.type == EVENT_FREE && e.function == REC_FN_CFREE && e.address == 16);
    CHECK(FIRST("\x13\x04\x00\x01\x01x") == 1 && e.thread.name.bytes == 1);
    CHECK(FIRST("\x13\x04\x00\x01\x02xy") == -1); /* a text longer than its body, if not than its chunk */
    CHECK(FIRST("\x0b\x06\x00\x01\x00\x00\x00\x00") == 1 && e.module.segment_count == 0);
    CHECK(FIRST("\x0b\x16\x00\x01\x00\x08\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\0\0") == 1 && e.module.segment_count == 8);
    CHECK(FIRST("\x0b\x18\x00\x01\x00\x09\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\0\0") == -1);
    CHECK(FIRST("\x03\x00") == 1 && e.type == EVENT_OTHER && e.other == 0);
    CHECK(FIRST("\xff\x02xy") == 1 && e.type == EVENT_OTHER && e.other == 63);
    CHECK(FIRST("\xff\x03xy") == -1);
    CHECK(FIRST("\x5b\x01\x05") == -1 && FIRST("\x5b\x00") == -1); /* a chunk in a chunk */
}

int main(void)
{
    test_round_trips();
    test_chunks_in_one();
    test_prefixes();
    test_flips();
    test_impossible_records();
    test_impossible_stacks();
    test_impossible_bodies();
    return check_summary();
}
