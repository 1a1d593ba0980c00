#include "analyze/model/contents.h"

#include "analyze/log/reader.h"

#include <string.h>

const char *contents_kind_name(size_t kind)
{
    static const char *const names[] = { "allocation", "free", "realloc-begin" };
    return kind < CONTENTS_OTHERS ? names[kind] : rec_other_name((unsigned)(kind - CONTENTS_OTHERS));
}

static void take_other(struct contents *c, const struct log *log, const struct log_chunk *chunk, const struct event *e)
{
    switch (e->other) {
    case REC_MODULE_LOAD:
        code_take(&c->code, chunk->process, e, log_ns(log, chunk->ticks_are_ns, e->ticks));
        return;
    case REC_PROCESS_START:
        if (!c->version && (!c->began_ns || e->process.realtime_ns < c->began_ns))
            c->began_ns = e->process.realtime_ns;
        return;
    case REC_SESSION_START:
        if (c->version)
            return;
        c->command = copy_words(e->session.command.data, e->session.command.bytes);
        c->host = copy_text(e->session.host.data, e->session.host.bytes);
        c->version = copy_text(e->session.version.data, e->session.version.bytes);
        c->began_ns = e->session.realtime_ns;
        return;
    case REC_MARK:
        if (c->marks_seen++ >= CONTENTS_MARKS_MAX)
            return;
        c->marks = grow(c->marks, &c->mark_capacity, c->mark_count + 1, sizeof *c->marks);
        c->marks[c->mark_count++] = (struct contents_mark){
            .name = copy_text(e->mark.name.data, e->mark.name.bytes), .ns = log_ns(log, chunk->ticks_are_ns, e->ticks),
            .process = chunk->process };
        return;
    }
}

static void take_record(struct contents *c, const struct log *log, const struct log_chunk *chunk, uint8_t tag, size_t bytes,
                        const struct event *e)
{
    unsigned kind = tag & 3;
    struct contents_kind *of = &c->kinds[kind == REC_OTHER ? (unsigned)CONTENTS_OTHERS + (tag >> 2) : kind];
    uint64_t ns = log_ns(log, chunk->ticks_are_ns, e->ticks);

    of->count++;
    of->bytes += bytes;
    if (chunk->stream != UINT32_MAX && ns > c->last_ns)
        c->last_ns = ns;
    if (e->type == EVENT_OTHER) {
        take_other(c, log, chunk, e);
        return;
    }
    if (e->type == EVENT_ALLOC || e->type == EVENT_FREE || e->type == EVENT_REALLOC_END || e->type == EVENT_REALLOC_FREED)
        c->by_function[e->function < REC_FN_COUNT ? e->function : 0]++;
    c->heap_events += e->type <= EVENT_REALLOC_END;
}

static void take_chunk(struct contents *c, const struct log *log, const struct log_chunk *chunk, const uint8_t *payload,
                       struct decoder *decoder)
{
    struct event event;
    int got;

    log_decoder_begin(decoder, chunk, payload);
    for (const uint8_t *before = decoder->now.at; (got = decoding_next(&decoder->now, &event)) > 0; before = decoder->now.at)
        take_record(c, log, chunk, *before, (size_t)(decoder->now.at - before), &event);
    if (got < 0 && !chunk->torn && c->bad_chunks++ == 0)
        c->bad_offset = chunk->offset;
}

static void count_chunk(struct contents *c, struct contents_chunks *of, const struct log_chunk *chunk)
{
    of->count++;
    of->payload_bytes += chunk->payload_bytes;
    of->stored_bytes += chunk->packed_bytes ? chunk->packed_bytes : chunk->payload_bytes;
    c->packed_chunks += chunk->packed_bytes != 0;
    c->header_bytes += sizeof(struct rec_chunk_header);
}

static void count_names(struct contents *c, const struct log *log)
{
    for (size_t i = 0; i < log->names_count; i++)
        count_chunk(c, &c->names, &log->names[i].chunk);
}

static int by_time(const void *left, const void *right)
{
    uint64_t a = ((const struct contents_mark *)left)->ns, b = ((const struct contents_mark *)right)->ns;
    return a < b ? -1 : a > b;
}

void contents_read(const struct log *log, bool (*goes_on)(void *data, double progress), void *data, struct contents *ret_contents)
{
    struct contents c = { .header_bytes = log->header.header_bytes };
    _cleanup_free_ struct decoder *decoder = alloc_zeroed(1, sizeof *decoder);
    _cleanup_free_ uint8_t *payload = NULL;
    size_t capacity = 0;

    code_init(&c.code);
    for (size_t i = 0; i < log->chunk_count; i++) {
        const struct log_chunk *chunk = &log->chunks[i];
        if (goes_on && !goes_on(data, (double)i / (double)log->chunk_count)) {
            c.interrupted = true;
            break;
        }
        payload = grow(payload, &capacity, chunk->payload_bytes + 1, 1);
        count_chunk(&c, chunk->stream == UINT32_MAX ? &c.session : &c.events, chunk);
        c.ticks_are_ns += chunk->ticks_are_ns;
        if (log_load(log, chunk, payload) == 0)
            take_chunk(&c, log, chunk, payload, decoder);
        else if (c.bad_chunks++ == 0)
            c.bad_offset = chunk->offset;
    }
    count_names(&c, log);
    if (c.mark_count)
        qsort(c.marks, c.mark_count, sizeof *c.marks, by_time);
    *ret_contents = c;
}

void contents_release(struct contents *c)
{
    for (size_t i = 0; i < c->mark_count; i++)
        free(c->marks[i].name);
    free(c->marks);
    free(c->command);
    free(c->host);
    free(c->version);
    code_release(&c->code);
    *c = (struct contents){ 0 };
}
