#include "analyze/model/rewriter.h"

#include "analyze/model/stacks.h"
#include "format/chunk.h"
#include "format/encode.h"

#define CHUNK_BYTES 60000 /* of records; about what recorders write */
#define AGAIN 1024        /* stacks that a chunk remembers; others are said again */

/* The chunk of a stream that is being filled. */
struct out {
    uint8_t *bytes; /* header and records */
    size_t used, capacity; /* used 0: none has begun */
    struct encoder encoder;
    uint32_t node; /* of the last stack in the chunk */
    uint8_t flags;
    struct said { uint32_t sequence, node, number; uint8_t flags; } said[AGAIN]; /* sequence: 1 + the chunk's */
};

struct rewriter {
    const struct log *log;
    int (*put)(void *data, const struct rec_chunk_header *chunk, size_t bytes);
    void *data;
    int error;
    struct stacks stacks;
    struct stack_path *paths; /* by stream */
    struct out **outs;        /* by stream; NULL: nothing in it now */
    uint32_t *sequences;      /* by stream: chunks so far */
    uint32_t *chunks;         /* by process */
    uint32_t *ids;            /* of the frames to push */
    size_t id_capacity;
    struct index announced, missing; /* by process and pc number */
    size_t missing_count;
    uint32_t session_chunks;
};

static void put(struct rewriter *r, struct rec_chunk_header *chunk, size_t payload_bytes)
{
    if (!r->error)
        r->error = r->put(r->data, chunk, chunk_seal(chunk, (uint32_t)payload_bytes));
}

/* A chunk's time on the session's clock, which begins where the log's does, whatever damaged stamps say. */
static uint64_t clock_of(const struct rewriter *r, uint64_t ns)
{
    return ns > r->log->first_ns ? ns : r->log->first_ns;
}

/* --- chunks -------------------------------------------------------------------------- */

static void flush(struct rewriter *r, uint32_t stream)
{
    struct out *out = r->outs[stream];

    if (!out || !out->used)
        return;
    put(r, (struct rec_chunk_header *)(void *)out->bytes, out->used - sizeof(struct rec_chunk_header));
    out->used = 0;
}

static void begin_chunk(struct rewriter *r, uint32_t stream, uint64_t ns)
{
    const struct log_stream *from = &r->log->streams[stream];
    const struct log_process *process = &r->log->processes[from->process];
    struct out *out = r->outs[stream];

    out->bytes = grow(out->bytes, &out->capacity, sizeof(struct rec_chunk_header), 1);
    *(struct rec_chunk_header *)(void *)out->bytes = (struct rec_chunk_header){
        .type = REC_CHUNK_EVENTS, .flags = REC_CHUNK_TICKS_ARE_NS, .pid = process->pid, .image = process->image,
        .stream = from->number, .sequence = r->sequences[stream]++, .ticks = ns, .clock_ns = clock_of(r, ns),
    };
    out->used = sizeof(struct rec_chunk_header);
    encoder_begin(&out->encoder, ns);
    out->node = r->paths[stream].root;
    out->flags = 0;
    r->chunks[from->process]++;
}

/* Room for so many bytes more in the stream's chunk. */
static struct out *room(struct rewriter *r, uint32_t stream, size_t bytes, uint64_t ns)
{
    if (!r->outs[stream])
        r->outs[stream] = alloc_zeroed(1, sizeof **r->outs);
    struct out *out = r->outs[stream];
    if (out->used && out->used + bytes > CHUNK_BYTES)
        flush(r, stream);
    if (!out->used)
        begin_chunk(r, stream, ns);
    out->bytes = grow(out->bytes, &out->capacity, out->used + bytes, 1);
    return out;
}

/* --- stacks -------------------------------------------------------------------------- */

static uint32_t depth_of(const struct stacks *s, uint32_t node)
{
    uint32_t depth = 0;

    for (; !stack_is_root(s, node); node = s->nodes[node].parent)
        depth++;
    return depth;
}

/* How this stack is said after the last one of the chunk. */
static void differ(struct rewriter *r, const struct out *out, const struct stack_place *to, struct encode_stack *how)
{
    const struct stacks *s = &r->stacks;
    uint32_t from_node = out->node, to_node = to->node, from = depth_of(s, from_node), wanted = depth_of(s, to_node);

    how->flags = to->flags;
    how->flags_changed = to->flags != out->flags;
    r->ids = grow(r->ids, &r->id_capacity, wanted, sizeof *r->ids);
    while (from_node != to_node) {
        if (from > wanted || (from == wanted && from)) {
            from_node = s->nodes[from_node].parent;
            from--;
            how->pops++;
            continue;
        }
        r->ids[--wanted] = s->nodes[to_node].pc;
        to_node = s->nodes[to_node].parent;
        how->pushes++;
    }
    how->ids = r->ids + wanted;
}

static void tell_stack(struct rewriter *r, struct out *out, uint32_t sequence, const struct stack_place *to, struct encode_stack *how)
{
    struct said *said = &out->said[(to->node * 31 + to->flags) % AGAIN];

    *how = (struct encode_stack){ 0 };
    if (to->node == out->node && to->flags == out->flags)
        return;
    if (said->sequence == sequence && said->node == to->node && said->flags == to->flags) {
        how->again = true;
        how->number = said->number;
    } else {
        differ(r, out, to, how);
        if (out->encoder.stacks < REC_STACK_NUMBERS)
            *said = (struct said){ sequence, to->node, out->encoder.stacks, to->flags };
    }
    out->node = to->node;
    out->flags = to->flags;
}

/* --- records ------------------------------------------------------------------------- */

static struct encode_text text_of(struct text text)
{
    return (struct encode_text){ text.data, text.bytes };
}

static size_t text_bytes_of(const struct event *e)
{
    switch (e->other) {
    case REC_MODULE_LOAD:
        return e->module.build_id.bytes + e->module.path.bytes;
    case REC_THREAD_BEGIN:
    case REC_THREAD_NAME:
        return e->thread.name.bytes;
    case REC_PROCESS_START:
        return e->process.exe.bytes + e->process.arguments.bytes + e->process.directory.bytes + e->process.environment.bytes +
               e->process.call_graph.bytes + e->process.allocator.bytes + e->process.other_malloc.bytes;
    case REC_SESSION_START:
        return e->session.command.bytes + e->session.host.bytes + e->session.version.bytes;
    case REC_UNTRACED:
        return e->untraced.path.bytes;
    case REC_MARK:
        return e->mark.name.bytes;
    case REC_DEEPBIND:
        return e->deepbind.path.bytes;
    case REC_OWN_HEAP:
        return e->own_heap.path.bytes;
    }
    return 0;
}

static uint8_t *write_module(struct encoder *to, uint8_t *at, const struct event *e, uint64_t ns)
{
    struct encode_segment segments[EVENT_SEGMENTS_MAX];

    for (uint32_t i = 0; i < e->module.segment_count; i++)
        segments[i] = (struct encode_segment){ e->module.segments[i].start, e->module.segments[i].end };
    return encode_module_load(to, at, ns, &(struct encode_module){
        .id = e->module.id, .bias = e->module.bias, .segments = segments, .segment_count = e->module.segment_count,
        .build_id = text_of(e->module.build_id), .path = text_of(e->module.path) });
}

static uint8_t *write_start(struct encoder *to, uint8_t *at, const struct event *e, uint64_t ns)
{
    return encode_process_start(to, at, ns, &(struct encode_process){
        .start = (enum rec_start)e->process.start, .ppid = e->process.ppid, .realtime_ns = e->process.realtime_ns,
        .page_bytes = e->process.page_bytes, .exe = text_of(e->process.exe), .arguments = text_of(e->process.arguments),
        .directory = text_of(e->process.directory), .environment = text_of(e->process.environment),
        .call_graph = text_of(e->process.call_graph), .allocator = text_of(e->process.allocator), .max_depth = e->process.max_depth,
        .sample_bytes = e->process.sample_bytes, .min_size = e->process.min_size, .flags = e->process.flags,
        .other_malloc = text_of(e->process.other_malloc), .thread_bytes = e->process.thread_bytes,
        .pid_namespace = e->process.pid_namespace, .began = e->process.began, .parent_image = e->process.parent_image });
}

static uint8_t *write_other(struct encoder *to, uint8_t *at, const struct event *e, uint64_t ns)
{
    switch (e->other) {
    case REC_PC:
        return encode_pc(to, at, e->pc.id, e->pc.module, e->pc.pc, e->pc.exact);
    case REC_MODULE_LOAD:
        return write_module(to, at, e, ns);
    case REC_MODULE_UNLOAD:
        return encode_module_unload(to, at, ns, e->module.id);
    case REC_THREAD_BEGIN:
        return encode_thread_begin(to, at, ns, e->thread.tid, text_of(e->thread.name), e->thread.nested);
    case REC_THREAD_END:
        return encode_thread_end(to, at, ns);
    case REC_THREAD_NAME:
        return encode_thread_name(to, at, ns, text_of(e->thread.name));
    case REC_PROCESS_START:
        return write_start(to, at, e, ns);
    case REC_PROCESS_END:
        return encode_process_end(to, at, ns, e->end.pid, (enum rec_end)e->end.how, e->end.wait_status);
    case REC_LOST:
        return encode_lost(to, at, ns, e->lost.count, e->lost.reason);
    case REC_SESSION_START:
        return encode_session_start(to, at, ns, e->session.realtime_ns, text_of(e->session.command), text_of(e->session.host),
                                    text_of(e->session.version), e->session.first, e->session.flags);
    case REC_UNTRACED:
        return encode_untraced(to, at, ns, e->untraced.pid, (enum rec_untraced)e->untraced.reason, text_of(e->untraced.path));
    case REC_MARK:
        return encode_mark(to, at, ns, text_of(e->mark.name));
    case REC_RECORDING:
        return encode_recording(to, at, ns, e->recording.on, (enum rec_switch)e->recording.by);
    case REC_DEEPBIND:
        return encode_deepbind(to, at, ns, text_of(e->deepbind.path));
    case REC_OWN_HEAP:
        return encode_own_heap(to, at, ns, text_of(e->own_heap.path));
    case REC_TRIMMED:
        return encode_trimmed(to, at, ns, e->trimmed.from_ns, e->trimmed.to_ns, e->trimmed.left_out, e->trimmed.flags);
    }
    return at;
}

static enum rec_alloc which_of(const struct encoder *to, const struct event *e, uint64_t ns, bool alone)
{
    /* Nothing but zeros would be no records (REC_HOLE_BYTES). */
    if (!e->size && e->address == to->address && ns <= to->ticks && e->function == REC_FN_MALLOC && (e->type == EVENT_ALLOC || alone))
        return REC_ALLOC_ALIGNED;
    if (e->type == EVENT_REALLOC_END && !alone)
        return e->function == REC_FN_REALLOCARRAY ? REC_ALLOC_REALLOCARRAY_END : REC_ALLOC_REALLOC_END;
    return e->function <= REC_FN_REALLOCARRAY ? (enum rec_alloc)e->function : REC_ALLOC_ALIGNED;
}

static uint8_t *write_heap(struct encoder *to, uint8_t *at, const struct event *e, uint64_t ns, bool alone,
                           const struct encode_stack *how)
{
    switch (e->type) {
    case EVENT_ALLOC:
    case EVENT_REALLOC_END:
        return encode_alloc(to, at, which_of(to, e, ns, alone), e->address, e->size, ns, (enum rec_function)e->function, e->alignment, how);
    case EVENT_FREE:
        return e->function == REC_FN_FREE ? encode_free(to, at, REC_FREE, e->address, ns)
                                          : encode_free_by(to, at, (enum rec_function)e->function, e->address, ns);
    case EVENT_REALLOC_BEGIN:
        return encode_free(to, at, REC_REALLOC_BEGIN, e->address, ns);
    case EVENT_REALLOC_FAILED:
        return encode_realloc_failed(to, at, (enum rec_function)e->function, e->size, ns);
    case EVENT_REALLOC_FREED:
        return encode_realloc_freed(to, at, ns);
    case EVENT_ALLOC_FAILED:
        return encode_alloc_failed(to, at, (enum rec_function)e->function, e->size, e->alignment, ns);
    default:
        return at;
    }
}

void rewriter_pass(struct rewriter *r, const struct timed_event *e)
{
    if (e->event.type == EVENT_ALLOC || e->event.type == EVENT_REALLOC_END)
        stack_path_follow(&r->paths[e->stream], &r->stacks, e->chunk, &e->event);
}

static void write_record(struct rewriter *r, const struct timed_event *e)
{
    const struct event *event = &e->event;
    struct out *out = room(r, e->stream, ENCODE_EVENT_MAX + ENCODE_TEXTS_MAX + text_bytes_of(event), e->ns);

    out->used = (size_t)(write_other(&out->encoder, out->bytes + out->used, event, e->ns) - out->bytes);
    if (event->other == REC_PC)
        index_add(&r->announced, e->process, event->pc.id, 0);
}

bool rewriter_write(struct rewriter *r, const struct timed_event *e, bool alone)
{
    const struct event *event = &e->event;
    struct encode_stack how = { 0 };

    if (event->type == EVENT_OTHER) {
        bool is_known = rec_other_name(event->other) && text_bytes_of(event) <= REC_CHUNK_PAYLOAD_MAX / 2; /* no recorder writes more */
        if (is_known)
            write_record(r, e);
        return is_known;
    }
    const struct stack_place *stack = &r->paths[e->stream].at;
    bool has_stack = event->type == EVENT_ALLOC || event->type == EVENT_REALLOC_END;
    size_t frames = has_stack ? depth_of(&r->stacks, stack->node) : 0;
    struct out *out = room(r, e->stream, ENCODE_EVENT_MAX + frames * ENCODE_PUSH_MAX + 8, e->ns);
    if (has_stack)
        tell_stack(r, out, r->sequences[e->stream], stack, &how);
    out->used = (size_t)(write_heap(&out->encoder, out->bytes + out->used, event, e->ns, alone, &how) - out->bytes);
    return true;
}

void rewriter_write_record(struct rewriter *r, uint32_t stream, const struct event *e, uint64_t ns)
{
    const struct timed_event in_stream = { .event = *e, .ns = ns, .stream = stream, .process = r->log->streams[stream].process };

    rewriter_write(r, &in_stream, false);
}

void rewriter_leave_realloc(struct rewriter *r, uint32_t stream, uint64_t ns)
{
    rewriter_write_record(r, stream, &(struct event){ .type = EVENT_REALLOC_BEGIN, .function = REC_FN_REALLOC }, ns);
}

void rewriter_end_stream(struct rewriter *r, uint32_t stream)
{
    flush(r, stream);
    if (r->outs[stream])
        free(r->outs[stream]->bytes);
    free(r->outs[stream]);
    r->outs[stream] = NULL;
    stack_path_release(&r->paths[stream]);
}

/* --- code ---------------------------------------------------------------------------- */

/* The process of each node, from its parent's: parents come before their children. */
size_t rewriter_missing_code(struct rewriter *r)
{
    const struct stacks *s = &r->stacks;
    _cleanup_free_ uint32_t *processes = alloc_zeroed(s->node_count, sizeof *processes);

    for (uint32_t i = 1; i < s->node_count; i++) {
        const struct stack_node *node = &s->nodes[i];
        processes[i] = node->parent == i ? node->pc : processes[node->parent];
        if (node->parent == i || !rewriter_has_process(r, processes[i]) ||
            index_find(&r->announced, processes[i], node->pc) != UINT32_MAX || index_find(&r->missing, processes[i], node->pc) != UINT32_MAX)
            continue;
        index_add(&r->missing, processes[i], node->pc, 0);
        r->missing_count++;
    }
    return r->missing_count;
}

bool rewriter_take_code(struct rewriter *r, const struct timed_event *e, uint64_t ns)
{
    if (index_find(&r->missing, e->process, e->event.pc.id) == UINT32_MAX ||
        index_find(&r->announced, e->process, e->event.pc.id) != UINT32_MAX)
        return false;
    rewriter_write_record(r, e->stream, &e->event, ns);
    return true;
}

/* --- session ------------------------------------------------------------------------- */

static void write_session(struct rewriter *r, struct rec_chunk_header header, uint32_t process, const struct event *e, uint64_t ns)
{
    size_t bytes = e ? ENCODE_EVENT_MAX + ENCODE_TEXTS_MAX + text_bytes_of(e) : 0;
    _cleanup_free_ struct rec_chunk_header *chunk = alloc_zeroed(1, sizeof *chunk + bytes);
    uint8_t *records = (uint8_t *)(chunk + 1), *at = records;
    struct encoder encoder;

    *chunk = header;
    chunk->type = REC_CHUNK_SESSION;
    chunk->flags = REC_CHUNK_TICKS_ARE_NS;
    chunk->pid = process == UINT32_MAX ? 0 : r->log->processes[process].pid;
    chunk->image = process == UINT32_MAX ? 0 : r->log->processes[process].image;
    chunk->ticks = ns;
    chunk->clock_ns = clock_of(r, ns);
    encoder_begin(&encoder, ns);
    if (e)
        at = write_other(&encoder, at, e, ns);
    put(r, chunk, (size_t)(at - records));
}

void rewriter_write_session(struct rewriter *r, uint32_t process, uint32_t sequence, const struct event *e, uint64_t ns)
{
    /* Numbered, so that none is taken for another that says the same of the same time. */
    write_session(r, (struct rec_chunk_header){ .sequence = sequence, .stream = r->session_chunks++ }, process, e, ns);
}

bool rewriter_has_process(const struct rewriter *r, uint32_t process)
{
    return r->chunks[process] != 0;
}

int rewriter_end(struct rewriter *r)
{
    for (uint32_t i = 0; i < r->log->stream_count; i++)
        flush(r, i);
    for (uint32_t i = 0; i < r->log->process_count; i++)
        if (r->chunks[i])
            write_session(r, (struct rec_chunk_header){ .sequence = REC_SESSION_SUM, .stream = r->chunks[i] }, i, NULL, r->log->first_ns);
    return r->error;
}

struct rewriter *rewriter_make(const struct log *log, int (*put_chunk)(void *data, const struct rec_chunk_header *chunk, size_t bytes),
                               void *data)
{
    struct rewriter *r = alloc_zeroed(1, sizeof *r);
    _cleanup_free_ uint32_t *roots = alloc_zeroed(log->process_count, sizeof *roots);

    r->log = log;
    r->put = put_chunk;
    r->data = data;
    r->paths = alloc_zeroed(log->stream_count, sizeof *r->paths);
    r->outs = alloc_zeroed(log->stream_count, sizeof *r->outs);
    r->sequences = alloc_zeroed(log->stream_count, sizeof *r->sequences);
    r->chunks = alloc_zeroed(log->process_count, sizeof *r->chunks);
    for (uint32_t i = 0; i < log->process_count; i++)
        roots[i] = stacks_root(&r->stacks, i);
    for (size_t i = 0; i < log->stream_count; i++)
        r->paths[i].root = roots[log->streams[i].process];
    return r;
}

void rewriter_free(struct rewriter *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->log->stream_count; i++) {
        if (r->outs[i])
            free(r->outs[i]->bytes);
        free(r->outs[i]);
        stack_path_release(&r->paths[i]);
    }
    stacks_release(&r->stacks);
    index_release(&r->announced);
    index_release(&r->missing);
    free(r->paths);
    free(r->outs);
    free(r->sequences);
    free(r->chunks);
    free(r->ids);
    free(r);
}
