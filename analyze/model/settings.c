#include "analyze/model/settings.h"

#include "analyze/log/reader.h"

#include <math.h>
#include <string.h>

#define SAMPLED_UNIT 4096
#define WEIGHT_MAX 0x1p40 /* more is no sampling */
#define ERROR_MAX 0x1p62

static void take_start(struct settings *s, struct process_settings *of, const struct event *event, uint64_t ns)
{
    *of = (struct process_settings){
        .found = true,
        .has_own_heap = event->process.other_malloc.bytes > 0,
        .sample_bytes = event->process.sample_bytes,
        .min_size = event->process.min_size,
        .is_exec = event->process.start == REC_START_EXEC,
        .start_ns = ns,
        .pid_namespace = event->process.pid_namespace,
        .began = event->process.began,
        .starts_paused = event->process.flags & REC_PROCESS_PAUSED,
        .allocator = copy_text(event->process.allocator.data, event->process.allocator.bytes),
    };
    if (s->sample_bytes < of->sample_bytes)
        s->sample_bytes = of->sample_bytes;
    if (s->min_size < of->min_size)
        s->min_size = of->min_size;
    s->starts_paused |= of->starts_paused;
    s->own_mallocs += of->has_own_heap;
}

/* The record is among the first of the process's first stream; where that one is
 * damaged or was taken over, it is looked for in the first chunk of each. */
static void look_into(struct settings *s, const struct log *log, const struct log_stream *stream, struct decoder *decoder)
{
    struct process_settings *of = &s->of[stream->process];
    struct event event;

    if (of->found || !stream->chunk_count)
        return;
    const struct log_chunk *chunk = &log->chunks[stream->chunks[0]];
    _cleanup_free_ void *payload = alloc_zeroed(1, chunk->payload_bytes + 1);
    if (log_load(log, chunk, payload) != 0)
        return;
    log_decoder_begin(decoder, chunk, payload);
    while (!of->found && decoder_next(decoder, &event) == 1)
        if (event.type == EVENT_OTHER && event.other == REC_PROCESS_START)
            take_start(s, of, &event, log_ns(log, chunk->ticks_are_ns, event.ticks));
}

/* What the launcher has found in executables. */
static void take_own_heap(void *data, const struct timed_event *e)
{
    struct settings *s = data;
    struct process_settings *of = &s->of[e->process];

    if (e->event.type == EVENT_OTHER && e->event.other == REC_OWN_HEAP && !of->has_own_heap) {
        of->has_own_heap = true;
        s->own_mallocs++;
    }
}

void settings_read(const struct log *log, struct settings *ret_settings)
{
    struct settings s = { .count = log->process_count, .unit = 1 };
    _cleanup_free_ struct decoder *decoder = alloc_zeroed(1, sizeof *decoder);

    s.of = alloc_zeroed(s.count, sizeof *s.of);
    for (size_t i = 0; i < log->stream_count; i++)
        look_into(&s, log, &log->streams[i], decoder);
    reader_session_records(log, take_own_heap, &s);
    for (size_t i = 0; i < s.count; i++) {
        struct process_settings *of = &s.of[i];
        if (of->found) {
            s.sampling_differs |= of->sample_bytes != s.sample_bytes;
            s.min_size_differs |= of->min_size != s.min_size;
        } else { /* most likely as the others */
            of->sample_bytes = s.sample_bytes;
            of->min_size = s.min_size;
        }
    }
    if (s.sample_bytes)
        s.unit = SAMPLED_UNIT;
    *ret_settings = s;
}

void settings_release(struct settings *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->of[i].allocator);
    free(s->of);
    *s = (struct settings){ 0 };
}

double settings_weight(const struct settings *s, uint32_t process, uint64_t size)
{
    uint64_t sample_bytes = s->of[process].sample_bytes;

    if (!sample_bytes)
        return 1;
    double weight = -1 / expm1(-((double)size + 1) / (double)sample_bytes);
    return weight < WEIGHT_MAX ? weight : WEIGHT_MAX;
}

uint64_t settings_sampled_units(const struct settings *s, uint32_t process, uint64_t size)
{
    return (uint64_t)(settings_weight(s, process, size) * (double)s->unit + 0.5);
}

uint64_t settings_error(double variance)
{
    double error = variance > 0 ? sqrt(variance) : 0;
    return error < ERROR_MAX ? (uint64_t)(error + 0.5) : (uint64_t)ERROR_MAX;
}
