/* Decoded events -> the bytes that say the same: what decode.h has taken apart is given to encode.h again, field by
 * field. The rewriter has found room for them, and knows how a stack is said. */
#include "analyze/model/rewrite_record.h"

static struct encode_text text_of(struct text text)
{
    return (struct encode_text){ text.data, text.bytes };
}

size_t rewrite_text_bytes(const struct event *e)
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
    case REC_TRIMMED:
        return e->trimmed.origin.bytes;
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

uint8_t *rewrite_other(struct encoder *to, uint8_t *at, const struct event *e, uint64_t ns)
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
        return encode_trimmed(to, at, ns, e->trimmed.from_ns, e->trimmed.to_ns, e->trimmed.left_out, e->trimmed.flags,
                              text_of(e->trimmed.origin));
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

uint8_t *rewrite_heap(struct encoder *to, uint8_t *at, const struct event *e, uint64_t ns, bool alone,
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
