#include "analyze/model/trim.h"

#include "analyze/log/trimmed.h"
#include "analyze/model/ends.h"
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
    struct ends ends;
    bool *is_open;         /* by stream: the log has more of it */
    uint32_t *last_stream; /* by process: that ended last */
    uint64_t to_ns;        /* as in the options, or before that the end of the part that the log is; 0: to the log's end */
    bool is_of_part;       /* the log is one that has an end */
    bool was_cut;          /* the log, or what it is a part of, goes on after the part */
    uint64_t still_ran_ns; /* processes, when the log was opened; 0: none that was still there at the part's end */
    uint64_t last_ns;      /* of what was read */
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

    while (t->living_at < l->count && l->numbers[t->living_at] < t->number)
        t->living_at++;
    return t->living_at < l->count && l->numbers[t->living_at] == t->number;
}

/* Of a process that had ended before the part: what it was. */
static bool is_kept_of_ended(unsigned other)
{
    return other == REC_PROCESS_START || other == REC_PROCESS_END || other == REC_MARK || other == REC_LOST ||
           other == REC_UNTRACED || other == REC_DEEPBIND || other == REC_OWN_HEAP || other == REC_RECORDING ||
           other == REC_THREAD_BEGIN || other == REC_THREAD_NAME;
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

static bool ends_realloc(enum event_type type)
{
    return type == EVENT_REALLOC_END || type == EVENT_REALLOC_FAILED || type == EVENT_REALLOC_FREED;
}

/* False: the event is not in the part. */
static bool take(struct trimmer *t, const struct timed_event *e)
{
    bool is_before = since_start(t, e->ns) < t->options->from_ns, *has_begin = &t->has_begin[e->stream];

    rewriter_pass(t->to, e);
    t->number += living_is_counted(&e->event);
    if (!is_kept(t, e, is_before)) {
        if (e->event.type == EVENT_REALLOC_BEGIN && *has_begin)
            rewriter_leave_realloc(t->to, e->stream, e->ns);
        *has_begin &= e->event.type != EVENT_REALLOC_BEGIN;
        return false;
    }
    *has_begin = e->event.type == EVENT_REALLOC_BEGIN || (*has_begin && !ends_realloc(e->event.type));
    return rewriter_write(t->to, e, is_before); /* what has ended by then: its begin is left out */
}

/* A number is used at times before another thread announces it. */
static void take_late_code(struct trimmer *t, struct reader *reader, struct timed_event *e, uint64_t end_ns)
{
    size_t missing = rewriter_missing_code(t->to);

    do
        if (e->event.type == EVENT_OTHER && e->event.other == REC_PC && rewriter_take_code(t->to, e, end_ns))
            missing--;
    while (missing && reader_next(reader, e));
}

static struct event trimmed_event(const struct trimmer *t)
{
    return (struct event){ .type = EVENT_OTHER, .other = REC_TRIMMED,
                           .trimmed = { .from_ns = t->options->from_ns, .to_ns = t->was_cut ? t->to_ns : 0, .origin = { "", 0 } } };
}

static void tell_of_process(struct trimmer *t, uint32_t process, uint64_t ns)
{
    const struct event trimmed = trimmed_event(t);

    if (rewriter_has_process(t->to, process))
        rewriter_write_record(t->to, t->last_stream[process], &trimmed, ns);
}

/* Of processes that go on, or whose end is damaged, one stream ends with this, after all else, so that what they
 * have lives to the end of the part; and each that is in a realloc: until it ends, the old block waits. */
static void end_streams(struct trimmer *t, uint64_t end_ns)
{
    const struct log *log = t->log;
    const struct event trimmed = trimmed_event(t);
    _cleanup_free_ bool *is_told = alloc_zeroed(log->process_count, sizeof *is_told);

    for (uint32_t i = 0; i < log->stream_count; i++) {
        uint32_t process = log->streams[i].process;
        if (!t->is_open[i] || !rewriter_has_process(t->to, process) || (is_told[process] && !t->has_begin[i]))
            continue;
        rewriter_write_record(t->to, i, &trimmed, end_ns);
        is_told[process] = true;
    }
    for (uint32_t i = 0; i < log->process_count; i++) /* those that have nothing more to tell */
        if (!is_told[i] && !t->ends.has_ended[i] && log->processes[i].stream_count && !t->ends.open_streams[i])
            tell_of_process(t, i, end_ns);
}

/* So that in the part, too, it ends at this time. */
static void end_stream(struct trimmer *t, const struct timed_event *e, bool is_in_part)
{
    const struct event trimmed = trimmed_event(t);

    if (!is_in_part && rewriter_has_process(t->to, e->process))
        rewriter_write_record(t->to, e->stream, &trimmed, e->ns);
    t->is_open[e->stream] = false;
    t->last_stream[e->process] = e->stream;
    if (!ends_of_stream(&t->ends, e) && t->has_begin[e->stream] && !t->ends.open_streams[e->process])
        rewriter_leave_realloc(t->to, e->stream, e->ns);
    rewriter_end_stream(t->to, e->stream);
    if (!t->ends.open_streams[e->process])
        rewriter_end_process(t->to, e->process);
}

/* Those that end after their last event and before this moment. False: one of them after the part. What still ran when the
 * log was opened has no end. */
static bool end_processes(struct trimmer *t, uint64_t before_ns)
{
    uint32_t process;
    uint64_t ns;

    while ((process = ends_before(&t->ends, before_ns, &ns)) != ENDS_NONE) {
        if (t->to_ns && since_start(t, ns) > t->to_ns) {
            t->ends.has_ended[process] = false;
            return false;
        }
        t->last_ns = ns;
        if (t->ends.runs[process]) {
            t->ends.has_ended[process] = false;
            t->still_ran_ns = ns;
        }
    }
    return true;
}

/* The moment after the part. */
static uint64_t after_part(const struct trimmer *t)
{
    const uint64_t first_ns = t->log->first_ns;

    return t->to_ns < UINT64_MAX - 1 - first_ns ? first_ns + t->to_ns + 1 : UINT64_MAX;
}

/* Where processes still ran when the log was opened, the part ends then, and they go on. */
static void end_with_running(struct trimmer *t, uint64_t last_ns)
{
    const uint64_t to_ns = since_start(t, last_ns > t->still_ran_ns ? last_ns : t->still_ran_ns);

    t->to_ns = to_ns ? to_ns : 1;
    t->was_cut = true;
}

static int take_events(struct trimmer *t, struct reader *reader)
{
    const struct trim_options *o = t->options;
    struct timed_event e;

    t->last_ns = t->log->first_ns;
    for (uint64_t i = 1; reader_next(reader, &e); i++) {
        if (!end_processes(t, e.ns) || (t->to_ns && since_start(t, e.ns) > t->to_ns)) {
            t->was_cut = true;
            t->last_ns = e.ns;
            end_streams(t, after_part(t));
            take_late_code(t, reader, &e, after_part(t));
            return 0;
        }
        t->last_ns = e.ns;
        if (e.event.type == EVENT_OTHER)
            ends_take(&t->ends, &e);
        bool is_in_part = take(t, &e);
        if (reader_stream_ended(reader))
            end_stream(t, &e, is_in_part);
        if (i % ASKED_EVERY == 0 && !o->goes_on(o->goes_on_data, reader_progress(reader)))
            return -EINTR;
    }
    const uint64_t last_ns = t->last_ns; /* of an event */
    t->was_cut = !end_processes(t, UINT64_MAX) || t->is_of_part;
    if (!t->was_cut && t->still_ran_ns)
        end_with_running(t, last_ns);
    end_streams(t, t->was_cut ? after_part(t) : last_ns + 1);
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

/* The chunk that says what this log is. It stands for the launcher's last one, but where there was no launcher, or it
 * was killed and nothing else is amiss. */
static void write_trimmed(struct trimmer *t, uint64_t bad_chunks)
{
    const struct log *log = t->log;
    const struct log_trimmed before = log_trimmed(log);
    bool is_empty = !log->recorded_count && !before.is; /* all may be missing */
    bool is_whole = log_events_are_whole(log) && !bad_chunks && !is_empty;
    bool is_ended = log->has_session_start ? !log_launcher_died(log) || !is_whole : log->has_session_end;
    struct event trimmed = trimmed_event(t);

    trimmed.trimmed.origin = (struct text){ (const char *)before.origin, sizeof before.origin };
    for (size_t i = 0; i < log->process_count; i++)
        trimmed.trimmed.left_out += log->processes[i].stream_count && log->processes[i].left_out;
    if (!is_whole)
        trimmed.trimmed.flags |= REC_TRIMMED_INCOMPLETE;
    rewriter_write_session(t->to, is_ended ? UINT32_MAX : any_process(t), is_ended ? REC_SESSION_END : 0, &trimmed, log->first_ns);
}

int trim_log(const struct log *log, const struct trim_options *options, uint64_t *ret_bad_chunks, uint64_t *ret_offset)
{
    struct trimmer t = { .log = log, .options = options };
    struct settings settings;
    const char *reason;

    *ret_bad_chunks = 0;
    const struct log_trimmed part = log_trimmed(log);
    t.is_of_part = part.to_ns != 0;
    t.to_ns = log_trimmed_end(&part, options->to_ns);
    settings_read(log, &settings);
    ends_find(log, &settings, &t.ends);
    bool is_good = living_find(log, &settings, options->from_ns, options->goes_on, options->goes_on_data, &t.living);
    settings_release(&settings);
    if (!is_good) {
        living_release(&t.living);
        ends_release(&t.ends);
        return -EINTR;
    }
    t.last_stream = alloc_zeroed(log->process_count, sizeof *t.last_stream);
    t.is_open = alloc_zeroed(log->stream_count, sizeof *t.is_open);
    for (size_t i = 0; i < log->stream_count; i++)
        t.is_open[i] = true;
    t.has_begin = alloc_zeroed(log->stream_count, sizeof *t.has_begin);
    t.to = rewriter_make(log, options->put, options->put_data);
    struct reader *reader = reader_open(log);
    int error = take_events(&t, reader);
    if (options->end_ns)
        *options->end_ns = since_start(&t, t.last_ns);
    *ret_bad_chunks = reader_bad_chunks(reader, ret_offset, &reason);
    reader_free(reader);
    reader_session_records(log, take_session_record, &t);
    write_live_losses(&t);
    write_trimmed(&t, *ret_bad_chunks);
    int put_error = rewriter_end(t.to);
    if (!put_error)
        put_error = copy_names(log, options);
    rewriter_free(t.to);
    free(t.is_open);
    free(t.last_stream);
    ends_release(&t.ends);
    free(t.has_begin);
    living_release(&t.living);
    return error ? error : put_error;
}
