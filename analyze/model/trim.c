#include "analyze/model/trim.h"

#include "analyze/model/living.h"
#include "analyze/model/rewriter.h"
#include "format/chunk.h"

#include <errno.h>

#define ASKED_EVERY 65536

struct trimmer {
    const struct log *log;
    const struct trim_options *options;
    struct living living;
    size_t living_at;      /* of its numbers, the next */
    uint64_t number;
    uint32_t *open_streams; /* by process */
    bool *has_begin;       /* by stream: a realloc's begin was written, and no end yet */
    struct rewriter *to;
};

static uint64_t since_start(const struct trimmer *t, uint64_t ns)
{
    return ns > t->log->first_ns ? ns - t->log->first_ns : 0;
}

static bool is_living(struct trimmer *t)
{
    const struct living *l = &t->living;

    if (t->living_at == l->count || l->numbers[t->living_at] != t->number)
        return false;
    while (t->living_at < l->count && l->numbers[t->living_at] == t->number)
        t->living_at++;
    return true;
}

/* Of a process that had ended before the part. */
static bool is_kept_of_ended(unsigned other)
{
    return other == REC_PROCESS_START || other == REC_PROCESS_END || other == REC_MARK || other == REC_LOST ||
           other == REC_UNTRACED || other == REC_DEEPBIND;
}

static bool is_kept(struct trimmer *t, const struct timed_event *e, bool is_before)
{
    if (!t->log->processes[e->process].pid) /* damage: only the session itself has none */
        return false;
    if (!is_before)
        return true;
    if (e->event.type == EVENT_OTHER)
        return !t->living.has_ended[e->process] || is_kept_of_ended(e->event.other);
    return living_is_counted(&e->event) && is_living(t);
}

static void take(struct trimmer *t, const struct timed_event *e)
{
    bool is_before = since_start(t, e->ns) < t->options->from_ns, *has_begin = &t->has_begin[e->stream];

    rewriter_pass(t->to, e);
    t->number += living_is_counted(&e->event);
    if (!is_kept(t, e, is_before))
        return;
    rewriter_write(t->to, e, is_before && !*has_begin);
    if (e->event.type == EVENT_REALLOC_BEGIN)
        *has_begin = true;
    else if (e->event.type != EVENT_OTHER)
        *has_begin = false;
}

/* A number is used at times before another thread announces it. */
static void take_late_code(struct trimmer *t, struct reader *reader, struct timed_event *e)
{
    size_t missing = rewriter_missing_code(t->to);

    do
        if (e->event.type == EVENT_OTHER && e->event.other == REC_PC && rewriter_take_code(t->to, e))
            missing--;
    while (missing && reader_next(reader, e));
}

static struct event trimmed_event(const struct trimmer *t)
{
    return (struct event){ .type = EVENT_OTHER, .other = REC_TRIMMED,
                           .trimmed = { .from_ns = t->options->from_ns, .to_ns = t->options->to_ns } };
}

/* Of those that go on, or whose end is damaged, so that what they have lives to the end of the part. */
static void end_processes(struct trimmer *t, uint64_t ns)
{
    const struct event trimmed = trimmed_event(t);

    for (uint32_t i = 0; i < t->log->process_count; i++)
        if (t->open_streams[i] && rewriter_has_process(t->to, i))
            rewriter_write_process(t->to, i, &trimmed, ns + 1); /* after all else */
}

static int take_events(struct trimmer *t, struct reader *reader)
{
    const struct trim_options *o = t->options;
    uint64_t last_ns = t->log->first_ns;
    struct timed_event e;

    for (uint64_t i = 1; reader_next(reader, &e); i++) {
        if (o->to_ns && since_start(t, e.ns) > o->to_ns) {
            end_processes(t, t->log->first_ns + o->to_ns);
            take_late_code(t, reader, &e);
            return 0;
        }
        last_ns = e.ns;
        take(t, &e);
        if (reader_stream_ended(reader)) {
            rewriter_end_stream(t->to, e.stream);
            t->open_streams[e.process]--;
        }
        if (i % ASKED_EVERY == 0 && !o->goes_on(o->goes_on_data, reader_progress(reader)))
            return -EINTR;
    }
    end_processes(t, last_ns);
    return 0;
}

/* What the launcher and readers have noted, but for sums, which are made anew. */
static void take_session_record(void *data, const struct timed_event *e)
{
    struct trimmer *t = data;

    if (e->event.type != EVENT_OTHER)
        return;
    if (e->event.other == REC_SESSION_START)
        rewriter_write_session(t->to, UINT32_MAX, 0, &e->event, e->ns);
    else if (rewriter_has_process(t->to, e->process) || e->event.other == REC_TRIMMED)
        rewriter_write_session(t->to, e->process, 0, &e->event, e->ns);
    else if (e->event.other == REC_UNTRACED)
        rewriter_write_session(t->to, UINT32_MAX, REC_SESSION_UNTRACED, &e->event, e->ns);
}

/* Of processes that still run. */
static void write_live_losses(struct trimmer *t)
{
    for (size_t i = 0; i < t->log->live_count; i++) {
        const struct log_live *live = &t->log->lives[i];
        const struct log_process *process = &t->log->processes[live->process];
        struct event lost = { .type = EVENT_OTHER, .other = REC_LOST,
                              .lost = { live->header.lost_events, live->header.stop_errno } };
        if (lost.lost.count && !process->summed_up && rewriter_has_process(t->to, live->process))
            rewriter_write_session(t->to, live->process, 0, &lost, t->log->first_ns);
    }
}

/* Chunks with names are about files, not times. */
static int copy_names(const struct log *log, const struct trim_options *options)
{
    int error = 0;

    for (size_t i = 0; i < log->names_count && !error; i++) {
        const struct log_names *names = &log->names[i];
        _cleanup_free_ struct rec_chunk_header *chunk = alloc_zeroed(1, sizeof *chunk + names->chunk.payload_bytes);
        if (log_load(log, &names->chunk, chunk + 1) != 0)
            continue;
        *chunk = (struct rec_chunk_header){ .type = REC_CHUNK_NAMES, .flags = REC_CHUNK_TICKS_ARE_NS, .pid = names->pid,
                                            .image = names->image };
        error = options->put(options->put_data, chunk, chunk_seal(chunk, names->chunk.payload_bytes));
    }
    return error;
}

static uint32_t any_process(const struct trimmer *t)
{
    for (uint32_t i = 0; i < t->log->process_count; i++)
        if (rewriter_has_process(t->to, i))
            return i;
    return UINT32_MAX;
}

/* The chunk that says what this log is. It stands for the launcher's last one, but where the launcher
 * was killed and nothing else is amiss. */
static void write_trimmed(struct trimmer *t, uint64_t bad_chunks)
{
    const struct log *log = t->log;
    bool is_whole = log_events_are_whole(log) && !bad_chunks, is_ended = !log_launcher_died(log) || !is_whole;
    struct event trimmed = trimmed_event(t);

    for (size_t i = 0; i < log->process_count; i++)
        trimmed.trimmed.left_out += log->processes[i].stream_count && log->processes[i].left_out;
    if (!is_whole)
        trimmed.trimmed.flags |= REC_TRIMMED_INCOMPLETE;
    rewriter_write_session(t->to, is_ended ? UINT32_MAX : any_process(t), is_ended ? REC_SESSION_END : 0, &trimmed, log->first_ns);
}

int trim_log(const struct log *log, const struct trim_options *options, uint64_t *ret_bad_chunks, uint64_t *ret_offset)
{
    struct trimmer t = { .log = log, .options = options };
    const char *reason;

    *ret_bad_chunks = 0;
    if (!living_find(log, options->from_ns, options->goes_on, options->goes_on_data, &t.living)) {
        living_release(&t.living);
        return -EINTR;
    }
    t.open_streams = alloc_zeroed(log->process_count, sizeof *t.open_streams);
    for (size_t i = 0; i < log->stream_count; i++)
        t.open_streams[log->streams[i].process]++;
    t.has_begin = alloc_zeroed(log->stream_count, sizeof *t.has_begin);
    t.to = rewriter_make(log, options->put, options->put_data);
    struct reader *reader = reader_open(log);
    int error = take_events(&t, reader);
    *ret_bad_chunks = reader_bad_chunks(reader, ret_offset, &reason);
    reader_free(reader);
    reader_session_records(log, take_session_record, &t);
    write_live_losses(&t);
    write_trimmed(&t, *ret_bad_chunks);
    int put_error = rewriter_end(t.to);
    if (!put_error)
        put_error = copy_names(log, options);
    rewriter_free(t.to);
    free(t.open_streams);
    free(t.has_begin);
    living_release(&t.living);
    return error ? error : put_error;
}
