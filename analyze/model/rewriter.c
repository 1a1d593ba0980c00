#include "analyze/model/rewriter.h"

#include "analyze/model/rewrite_record.h"
#include "analyze/model/stacks.h"
#include "format/chunk.h"

#define CHUNK_BYTES 60000 /* of records; about what recorders write */
#define AGAIN 1024        /* stacks that a chunk remembers; others are said again */

/* Of streams that run at one time, beyond so many each has less of both. */
#define CHUNKS_BYTES ((size_t)16 << 20)
#define CHUNK_LEAST 4096
#define AGAIN_STREAMS 256
#define AGAIN_LEAST 256

/* The chunk of a stream that is being filled. */
struct out {
    uint8_t *bytes; /* header and records */
    size_t used, capacity; /* used 0: none has begun */
    struct encoder encoder;
    uint32_t node; /* of the last stack in the chunk */
    uint8_t flags;
    uint32_t again; /* of said */
    struct said { uint32_t sequence, node, number; uint8_t flags; } said[]; /* sequence: 1 + the chunk's */
};

struct rewriter {
    const struct log *log;
    int (*put)(void *data, const struct rec_chunk_header *chunk, size_t bytes);
    void *data;
    int error;
    struct code code;
    struct stacks stacks; /* of all processes; what is written are each process's own numbers */
    struct stack_path *paths; /* by stream */
    struct out **outs;        /* by stream; NULL: nothing in it now */
    uint32_t out_count;       /* that are not NULL */
    uint32_t *sequences;      /* by stream: chunks so far */
    uint32_t *chunks;         /* by process */
    uint32_t *ids;            /* of the frames to push */
    size_t id_capacity;
    struct index missing; /* by process and pc number; 0: still, 1: not any more */
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

static size_t chunk_most(const struct rewriter *r)
{
    size_t share = CHUNKS_BYTES / (r->out_count + 1);

    return share < CHUNK_LEAST ? CHUNK_LEAST : share < CHUNK_BYTES ? share : CHUNK_BYTES;
}

static void flush(struct rewriter *r, uint32_t stream)
{
    struct out *out = r->outs[stream];

    if (!out || !out->used)
        return;
    put(r, (struct rec_chunk_header *)(void *)out->bytes, out->used - sizeof(struct rec_chunk_header));
    out->used = 0;
    if (out->capacity / 2 > chunk_most(r)) {
        free(out->bytes);
        out->bytes = NULL;
        out->capacity = 0;
    }
}

static struct out *make_out(struct rewriter *r)
{
    uint32_t again = ++r->out_count > AGAIN_STREAMS ? AGAIN_LEAST : AGAIN;
    struct out *out = alloc_zeroed(1, sizeof *out + again * sizeof *out->said);

    out->again = again;
    return out;
}

static void free_out(struct rewriter *r, uint32_t stream)
{
    if (!r->outs[stream])
        return;
    free(r->outs[stream]->bytes);
    free(r->outs[stream]);
    r->outs[stream] = NULL;
    r->out_count--;
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
        r->outs[stream] = make_out(r);
    struct out *out = r->outs[stream];
    if (out->used && out->used + bytes > chunk_most(r))
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
static void differ(struct rewriter *r, uint32_t process, const struct out *out, const struct stack_place *to, struct encode_stack *how)
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
        r->ids[--wanted] = code_number(&r->code, process, s->nodes[to_node].pc);
        to_node = s->nodes[to_node].parent;
        how->pushes++;
    }
    how->ids = r->ids + wanted;
}

static void tell_stack(struct rewriter *r, struct out *out, uint32_t stream, struct encode_stack *how)
{
    const struct stack_place *to = &r->paths[stream].at;
    const uint32_t sequence = r->sequences[stream]; /* 1 + the chunk's */
    struct said *said = &out->said[(to->node * 31 + to->flags) % out->again];

    *how = (struct encode_stack){ 0 };
    if (to->node == out->node && to->flags == out->flags)
        return;
    if (said->sequence == sequence && said->node == to->node && said->flags == to->flags) {
        how->again = true;
        how->number = said->number;
    } else {
        differ(r, r->paths[stream].process, out, to, how);
        if (out->encoder.stacks < REC_STACK_NUMBERS)
            *said = (struct said){ sequence, to->node, out->encoder.stacks, to->flags };
    }
    out->node = to->node;
    out->flags = to->flags;
}

/* --- events -------------------------------------------------------------------------- */

void rewriter_pass(struct rewriter *r, const struct timed_event *e)
{
    if (e->event.type == EVENT_ALLOC || e->event.type == EVENT_REALLOC_END)
        stack_path_follow(&r->paths[e->stream], &r->stacks, e->chunk, &e->event);
    else if (e->event.type == EVENT_OTHER)
        code_take(&r->code, e->process, &e->event, e->ns);
}

static void write_record(struct rewriter *r, const struct timed_event *e)
{
    const struct event *event = &e->event;
    struct out *out = room(r, e->stream, ENCODE_EVENT_MAX + ENCODE_TEXTS_MAX + rewrite_text_bytes(event), e->ns);

    out->used = (size_t)(rewrite_other(&out->encoder, out->bytes + out->used, event, e->ns) - out->bytes);
}

bool rewriter_write(struct rewriter *r, const struct timed_event *e, bool alone)
{
    const struct event *event = &e->event;
    struct encode_stack how = { 0 };

    if (event->type == EVENT_OTHER) {
        bool is_known = rec_other_name(event->other) && rewrite_text_bytes(event) <= REC_CHUNK_PAYLOAD_MAX / 2; /* no recorder writes more */
        if (is_known)
            write_record(r, e);
        return is_known;
    }
    bool has_stack = event->type == EVENT_ALLOC || event->type == EVENT_REALLOC_END;
    size_t frames = has_stack ? depth_of(&r->stacks, r->paths[e->stream].at.node) : 0;
    struct out *out = room(r, e->stream, ENCODE_EVENT_MAX + frames * ENCODE_PUSH_MAX + 8, e->ns);
    if (has_stack)
        tell_stack(r, out, e->stream, &how);
    out->used = (size_t)(rewrite_heap(&out->encoder, out->bytes + out->used, event, e->ns, alone, &how) - out->bytes);
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
    free_out(r, stream);
    stack_path_release(&r->paths[stream]);
}

/* --- code ---------------------------------------------------------------------------- */

size_t rewriter_missing_code(struct rewriter *r)
{
    size_t count = 0;

    for (uint32_t i = 1; i < r->code.pc_count; i++) {
        const struct code_pc *pc = &r->code.pcs[i];
        if (pc->is_known || !rewriter_has_process(r, pc->process) || !code_number(&r->code, pc->process, i) ||
            code_is_announced(&r->code, pc->process, pc->number))
            continue;
        index_add(&r->missing, pc->process, pc->number, 0);
        count++;
    }
    return count;
}

bool rewriter_take_code(struct rewriter *r, const struct timed_event *e, uint64_t ns)
{
    if (index_find(&r->missing, e->process, e->event.pc.id) != 0)
        return false;
    index_add(&r->missing, e->process, e->event.pc.id, 1);
    rewriter_write_record(r, e->stream, &e->event, ns);
    return true;
}

void rewriter_end_process(struct rewriter *r, uint32_t process)
{
    code_end_process(&r->code, process);
}

/* --- session ------------------------------------------------------------------------- */

static void write_session(struct rewriter *r, struct rec_chunk_header header, uint32_t process, const struct event *e, uint64_t ns)
{
    size_t bytes = e ? ENCODE_EVENT_MAX + ENCODE_TEXTS_MAX + rewrite_text_bytes(e) : 0;
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
        at = rewrite_other(&encoder, at, e, ns);
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

    r->log = log;
    r->put = put_chunk;
    r->data = data;
    r->paths = alloc_zeroed(log->stream_count, sizeof *r->paths);
    r->outs = alloc_zeroed(log->stream_count, sizeof *r->outs);
    r->sequences = alloc_zeroed(log->stream_count, sizeof *r->sequences);
    r->chunks = alloc_zeroed(log->process_count, sizeof *r->chunks);
    code_init(&r->code);
    r->code.keeps_numbers = true;
    r->stacks.code = &r->code;
    const uint32_t root = stacks_root(&r->stacks, 0);
    for (size_t i = 0; i < log->stream_count; i++) {
        r->paths[i].root = root;
        r->paths[i].process = log->streams[i].process;
    }
    return r;
}

void rewriter_free(struct rewriter *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->log->stream_count; i++) {
        free_out(r, i);
        stack_path_release(&r->paths[i]);
    }
    stacks_release(&r->stacks);
    code_release(&r->code);
    index_release(&r->missing);
    free(r->paths);
    free(r->outs);
    free(r->sequences);
    free(r->chunks);
    free(r->ids);
    free(r);
}
