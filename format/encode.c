/* The rare records: kind 3, "tag, varint length, body". The length is not known
 * before the body is written, so every body is written behind a fixed gap and
 * moved down to its length's real size. */
#include "format/encode.h"

struct body {
    struct encoder *e;
    uint8_t *tag, *at;
};

#define LENGTH_GAP 5 /* a varint of 32 bits */

static struct body body_begin(struct encoder *e, uint8_t *at, enum rec_other other)
{
    *at = (uint8_t)(REC_OTHER | (unsigned)other << 2);
    return (struct body){ e, at, at + 1 + LENGTH_GAP };
}

static void body_number(struct body *b, uint64_t value)
{
    b->at = encode_varint(b->at, value);
}

static void body_ticks(struct body *b, uint64_t ticks)
{
    body_number(b, encode_tick_difference(b->e, ticks));
}

static void body_text(struct body *b, struct encode_text text)
{
    body_number(b, text.bytes);
    if (text.bytes)
        memcpy(b->at, text.data, text.bytes);
    b->at += text.bytes;
}

static uint8_t *body_end(struct body *b)
{
    uint8_t *from = b->tag + 1 + LENGTH_GAP;
    size_t bytes = (size_t)(b->at - from);
    uint8_t *to = encode_varint(b->tag + 1, bytes);

    memmove(to, from, bytes);
    return to + bytes;
}

uint8_t *encode_stack_long(uint8_t *at, const struct encode_stack *stack)
{
    at = encode_varint(at, stack->flags);
    at = encode_varint(at, stack->pops);
    at = encode_varint(at, stack->pushes);
    for (uint32_t i = 0; i < stack->pushes; i++)
        at = encode_varint(at, stack->ids[i]);
    return at;
}

uint8_t *encode_pc(struct encoder *e, uint8_t *at, uint32_t id, uint32_t module, uint64_t pc, bool exact)
{
    struct body b = body_begin(e, at, REC_PC);

    body_number(&b, id);
    body_number(&b, module);
    body_number(&b, rec_zigzag((int64_t)(pc - e->pc)));
    body_number(&b, exact ? REC_PC_EXACT : 0);
    e->pc = pc;
    return body_end(&b);
}

uint8_t *encode_alloc_failed(struct encoder *e, uint8_t *at, enum rec_function function, uint64_t size,
                             uint64_t alignment, uint64_t ticks)
{
    struct body b = body_begin(e, at, REC_ALLOC_FAILED);

    body_ticks(&b, ticks);
    body_number(&b, function);
    body_number(&b, size);
    body_number(&b, alignment);
    return body_end(&b);
}

uint8_t *encode_realloc_failed(struct encoder *e, uint8_t *at, enum rec_function function,
                               uint64_t size, uint64_t ticks)
{
    struct body b = body_begin(e, at, REC_REALLOC_FAILED);

    body_ticks(&b, ticks);
    body_number(&b, function);
    body_number(&b, size);
    return body_end(&b);
}

uint8_t *encode_realloc_freed(struct encoder *e, uint8_t *at, uint64_t ticks)
{
    struct body b = body_begin(e, at, REC_REALLOC_FREED);

    body_ticks(&b, ticks);
    return body_end(&b);
}

uint8_t *encode_free_by(struct encoder *e, uint8_t *at, enum rec_function function, uint64_t address,
                        uint64_t ticks)
{
    struct body b = body_begin(e, at, REC_FREE_BY);

    body_ticks(&b, ticks);
    body_number(&b, function);
    body_number(&b, encode_address_difference(e, address));
    return body_end(&b);
}

uint8_t *encode_thread_end(struct encoder *e, uint8_t *at, uint64_t ticks)
{
    struct body b = body_begin(e, at, REC_THREAD_END);

    body_ticks(&b, ticks);
    return body_end(&b);
}

uint8_t *encode_process_end(struct encoder *e, uint8_t *at, uint64_t ticks, uint32_t pid, enum rec_end how,
                            uint32_t wait_status)
{
    struct body b = body_begin(e, at, REC_PROCESS_END);

    body_ticks(&b, ticks);
    body_number(&b, pid);
    body_number(&b, how);
    body_number(&b, wait_status);
    return body_end(&b);
}

uint8_t *encode_module_unload(struct encoder *e, uint8_t *at, uint64_t ticks, uint32_t id)
{
    struct body b = body_begin(e, at, REC_MODULE_UNLOAD);

    body_ticks(&b, ticks);
    body_number(&b, id);
    return body_end(&b);
}

uint8_t *encode_lost(struct encoder *e, uint8_t *at, uint64_t ticks, uint64_t count, uint32_t reason)
{
    struct body b = body_begin(e, at, REC_LOST);

    body_ticks(&b, ticks);
    body_number(&b, count);
    body_number(&b, reason);
    return body_end(&b);
}

uint8_t *encode_module_load(struct encoder *e, uint8_t *at, uint64_t ticks, const struct encode_module *m)
{
    struct body b = body_begin(e, at, REC_MODULE_LOAD);

    body_ticks(&b, ticks);
    body_number(&b, m->id);
    body_number(&b, m->bias);
    body_number(&b, m->segment_count);
    for (uint32_t i = 0; i < m->segment_count; i++) {
        body_number(&b, m->segments[i].start);
        body_number(&b, m->segments[i].end - m->segments[i].start);
    }
    body_text(&b, m->build_id);
    body_text(&b, m->path);
    return body_end(&b);
}

uint8_t *encode_thread_begin(struct encoder *e, uint8_t *at, uint64_t ticks, uint32_t tid,
                             struct encode_text name, bool nested)
{
    struct body b = body_begin(e, at, REC_THREAD_BEGIN);

    body_ticks(&b, ticks);
    body_number(&b, tid);
    body_text(&b, name);
    body_number(&b, nested);
    return body_end(&b);
}

static uint8_t *encode_stamped_text(struct encoder *e, uint8_t *at, enum rec_other other, uint64_t ticks,
                                    struct encode_text text)
{
    struct body b = body_begin(e, at, other);

    body_ticks(&b, ticks);
    body_text(&b, text);
    return body_end(&b);
}

uint8_t *encode_thread_name(struct encoder *e, uint8_t *at, uint64_t ticks, struct encode_text name)
{
    return encode_stamped_text(e, at, REC_THREAD_NAME, ticks, name);
}

uint8_t *encode_mark(struct encoder *e, uint8_t *at, uint64_t ticks, struct encode_text name)
{
    return encode_stamped_text(e, at, REC_MARK, ticks, name);
}

uint8_t *encode_deepbind(struct encoder *e, uint8_t *at, uint64_t ticks, struct encode_text path)
{
    return encode_stamped_text(e, at, REC_DEEPBIND, ticks, path);
}

uint8_t *encode_own_heap(struct encoder *e, uint8_t *at, uint64_t ticks, struct encode_text path)
{
    return encode_stamped_text(e, at, REC_OWN_HEAP, ticks, path);
}

uint8_t *encode_process_start(struct encoder *e, uint8_t *at, uint64_t ticks, const struct encode_process *p)
{
    struct body b = body_begin(e, at, REC_PROCESS_START);

    body_ticks(&b, ticks);
    body_number(&b, p->start);
    body_number(&b, p->ppid);
    body_number(&b, p->realtime_ns);
    body_number(&b, p->page_bytes);
    body_text(&b, p->exe);
    body_text(&b, p->arguments);
    body_text(&b, p->directory);
    body_text(&b, p->environment);
    body_text(&b, p->call_graph);
    body_text(&b, p->allocator);
    body_number(&b, p->max_depth);
    body_number(&b, p->thread_bytes);
    body_number(&b, p->sample_bytes);
    body_number(&b, p->min_size);
    body_number(&b, p->flags);
    body_text(&b, p->other_malloc);
    body_number(&b, p->pid_namespace);
    body_number(&b, p->began);
    body_number(&b, p->parent_image);
    return body_end(&b);
}

uint8_t *encode_untraced(struct encoder *e, uint8_t *at, uint64_t ticks, uint32_t pid, enum rec_untraced reason,
                         struct encode_text path)
{
    struct body b = body_begin(e, at, REC_UNTRACED);
    body_ticks(&b, ticks);
    body_number(&b, pid);
    body_number(&b, reason);
    body_text(&b, path);
    return body_end(&b);
}

uint8_t *encode_recording(struct encoder *e, uint8_t *at, uint64_t ticks, bool on, enum rec_switch by)
{
    struct body b = body_begin(e, at, REC_RECORDING);
    body_ticks(&b, ticks);
    body_number(&b, on);
    body_number(&b, by);
    return body_end(&b);
}

uint8_t *encode_trimmed(struct encoder *e, uint8_t *at, uint64_t ticks, uint64_t from_ns, uint64_t to_ns,
                        uint64_t left_out, uint32_t flags, struct encode_text origin)
{
    struct body b = body_begin(e, at, REC_TRIMMED);
    body_ticks(&b, ticks);
    body_number(&b, from_ns);
    body_number(&b, to_ns);
    body_number(&b, left_out);
    body_number(&b, flags);
    body_text(&b, origin);
    return body_end(&b);
}

uint8_t *encode_chunk_begin(uint8_t *at, uint64_t ticks)
{
    struct body b = body_begin(NULL, at, REC_CHUNK_BEGIN);

    body_number(&b, ticks);
    return body_end(&b);
}

uint8_t *encode_session_start(struct encoder *e, uint8_t *at, uint64_t ticks, uint64_t realtime_ns,
                              struct encode_text command, struct encode_text host,
                              struct encode_text version, uint32_t first_pid, uint32_t flags)
{
    struct body b = body_begin(e, at, REC_SESSION_START);

    body_ticks(&b, ticks);
    body_number(&b, realtime_ns);
    body_text(&b, command);
    body_text(&b, host);
    body_text(&b, version);
    body_number(&b, first_pid);
    body_number(&b, flags);
    return body_end(&b);
}
