/* What no stream tells: the records of session chunks, and how much the session has lost. */
#include "analyze/log/reader.h"

static void read_records(const struct log *log, size_t number, struct decoder *decoder,
                         void (*use)(void *data, const struct timed_event *event), void *data)
{
    const struct log_chunk *chunk = &log->chunks[number];
    _cleanup_free_ void *payload = alloc_zeroed(1, chunk->payload_bytes);

    if (log_load(log, chunk, payload) != 0)
        return;
    struct timed_event event = { .stream = UINT32_MAX, .process = chunk->process, .chunk = number };
    log_decoder_begin(decoder, chunk, payload);
    while (decoder_next(decoder, &event.event) == 1) {
        event.ns = log_ns(log, chunk->ticks_are_ns, event.event.ticks);
        use(data, &event);
    }
}

void reader_session_records(const struct log *log, void (*use)(void *data, const struct timed_event *event), void *data)
{
    _cleanup_free_ struct decoder *decoder = alloc_zeroed(1, sizeof *decoder);

    for (size_t i = 0; i < log->chunk_count; i++)
        if (log->chunks[i].stream == UINT32_MAX)
            read_records(log, i, decoder, use, data);
}

static void count_lost(struct reader_lost *lost, uint64_t count, uint32_t reason)
{
    lost->count += count;
    if (reason == REC_STOP_LIMIT)
        lost->beyond_limit += count;
    if (reason && (!lost->reason || lost->reason == REC_STOP_LIMIT))
        lost->reason = reason;
}

struct loss {
    const struct log *log;
    struct reader_lost *sum;
};

static void add_lost(void *data, const struct timed_event *e)
{
    const struct loss *loss = data;

    if (e->event.type == EVENT_OTHER && e->event.other == REC_LOST)
        count_lost(loss->sum, e->event.lost.count, e->event.lost.reason);
}

static void add_lost_of_session(void *data, const struct timed_event *e)
{
    const struct loss *loss = data;
    const struct event *event = &e->event;

    add_lost(data, e);
    if (event->type != EVENT_OTHER)
        return;
    if (event->other == REC_UNTRACED)
        loss->sum->programs += event->untraced.reason == REC_UNTRACED_WITHDRAWN ? -1 : 1;
    /* It had no memory for a stream, nor for its own first block: nothing else tells of it. */
    if (event->other == REC_LOST && !event->lost.count && event->lost.reason && !loss->log->processes[e->process].stream_count)
        loss->sum->programs++;
}

struct reader_lost reader_lost_events(const struct log *log)
{
    _cleanup_free_ struct decoder *decoder = alloc_zeroed(1, sizeof *decoder);
    struct reader_lost lost = { .programs = (int64_t)log->untraced };
    struct loss loss = { log, &lost };

    count_lost(&lost, log->lost_events, log->stop_errno); /* of live files that are still there */
    for (size_t i = 0; i < log->chunk_count; i++)
        if (log->chunks[i].stream == UINT32_MAX || log->chunks[i].is_cut)
            read_records(log, i, decoder, log->chunks[i].is_cut ? add_lost : add_lost_of_session, &loss);
    return lost;
}
