#include "analyze/model/count_sizes.h"

#include "format/decode.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#define WORKERS_MAX 64

/* The stack flags of a chunk's last allocation, and those of its numbered stacks. */
struct chunk_flags {
    uint8_t now, given[REC_STACK_NUMBERS];
};

struct worker {
    const struct log *log;
    const struct settings *settings;
    _Atomic size_t *next_chunk;
    bool (*goes_on)(void *data, double progress); /* one worker asks for all; the others' is NULL */
    void *data;
    struct sizes_counted counted;
    struct chunk_flags flags;
    pthread_t thread;
};

static bool is_partial(struct chunk_flags *flags, const struct event *e)
{
    if (e->stack_mode == REC_STACK_AGAIN) {
        flags->now = flags->given[e->stack_number];
    } else if (e->stack_mode != REC_STACK_SAME) {
        if (e->stack_mode == REC_STACK_LONG)
            flags->now = e->stack_flags;
        if (e->stack_number < REC_STACK_NUMBERS)
            flags->given[e->stack_number] = flags->now;
    }
    return flags->now & REC_STACK_PARTIAL;
}

static void count_sampled(struct worker *w, uint32_t process, uint64_t size)
{
    double weight = settings_weight(w->settings, process, size), one = weight * (weight - 1);

    sizes_add(&w->counted.sizes, size, settings_units(w->settings, process, size));
    w->counted.variance_allocations += one;
    w->counted.variance_bytes += one * (double)size * (double)size;
}

struct sizes_of_chunk {
    struct worker *worker;
    uint32_t process;
    uint64_t recorded, partial;
};

static void add_size(void *data, uint64_t size, unsigned stack_flags)
{
    struct sizes_of_chunk *s = data;
    struct worker *w = s->worker;

    s->recorded++;
    s->partial += (stack_flags & REC_STACK_PARTIAL) != 0;
    if (w->settings->of[s->process].sample_bytes)
        count_sampled(w, s->process, size);
    else
        sizes_add(&w->counted.sizes, size, w->settings->unit);
}

static void count_chunk(struct worker *w, const struct log_chunk *chunk, void *payload, struct decoder *decoder)
{
    struct event event;
    uint64_t events = 0, recorded = 0, partial = 0, decoded_bytes = 0;
    bool is_sampled = w->settings->of[chunk->process].sample_bytes;
    struct sizes_of_chunk sizes = { w, chunk->process, 0, 0 };
    int got = -1, error = log_load_sizes(w->log, chunk, add_size, &sizes, &events);

    w->flags.now = 0;
    if (error == 0) {
        recorded = sizes.recorded;
        partial = sizes.partial;
        got = 0;
    } else if (error == -EAGAIN && log_load(w->log, chunk, payload) == 0) {
        log_decoder_begin(decoder, chunk, payload);
        while ((got = decoder_next(decoder, &event)) == 1) {
            if (event.type == EVENT_ALLOC || event.type == EVENT_REALLOC_END) {
                recorded++;
                partial += is_partial(&w->flags, &event);
                if (is_sampled)
                    count_sampled(w, chunk->process, rec_size_counted(event.size));
                else
                    sizes_add(&w->counted.sizes, rec_size_counted(event.size), w->settings->unit);
            } else if (event.type == EVENT_OTHER && event.other == REC_RECORDING) {
                w->counted.was_paused |= !event.recording.on;
            }
            events += event.type <= EVENT_REALLOC_END;
        }
        decoded_bytes = (uint64_t)(decoder->now.at - decoder->now.start);
    }
    w->counted.events += events;
    w->counted.recorded += recorded;
    w->counted.partial_stacks += partial;
    if (got < 0 && !chunk->torn && w->counted.bad_chunks++ == 0)
        w->counted.bad_offset = chunk->offset + decoded_bytes;
}

static void *work(void *data)
{
    struct worker *w = data;
    _cleanup_free_ struct decoder *decoder = alloc_zeroed(1, sizeof *decoder);
    _cleanup_free_ void *payload = NULL;
    size_t capacity = 0, at;

    while ((at = atomic_fetch_add(w->next_chunk, 1)) < w->log->chunk_count) {
        const struct log_chunk *chunk = &w->log->chunks[at];
        if (w->goes_on && !w->goes_on(w->data, (double)at / (double)w->log->chunk_count)) {
            w->counted.interrupted = true;
            atomic_store(w->next_chunk, w->log->chunk_count);
            break;
        }
        if (chunk->stream == UINT32_MAX)
            continue;
        payload = grow(payload, &capacity, chunk->payload_bytes + 1, 1);
        count_chunk(w, chunk, payload, decoder);
    }
    return NULL;
}

static void add_part(struct sizes_counted *into, struct sizes_counted *part)
{
    sizes_merge(&into->sizes, &part->sizes);
    sizes_release(&part->sizes);
    into->events += part->events;
    into->recorded += part->recorded;
    into->variance_allocations += part->variance_allocations;
    into->variance_bytes += part->variance_bytes;
    into->partial_stacks += part->partial_stacks;
    into->was_paused |= part->was_paused;
    if (part->bad_chunks && (!into->bad_chunks || part->bad_offset < into->bad_offset))
        into->bad_offset = part->bad_offset;
    into->bad_chunks += part->bad_chunks;
}

void count_sizes(const struct log *log, bool (*goes_on)(void *data, double progress), void *data, struct sizes_counted *ret_counted)
{
    size_t count = usable_cores(WORKERS_MAX), started = 1;
    struct worker *workers = alloc_zeroed(count, sizeof *workers);
    _Atomic size_t next_chunk = 0;
    struct settings settings;

    settings_read(log, &settings);
    for (size_t i = 0; i < count; i++)
        workers[i] = (struct worker){ .log = log, .settings = &settings, .next_chunk = &next_chunk };
    workers[0].goes_on = goes_on;
    workers[0].data = data;
    while (started < count && pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0)
        started++;
    work(&workers[0]);
    *ret_counted = workers[0].counted;
    for (size_t i = 1; i < started; i++) {
        pthread_join(workers[i].thread, NULL);
        add_part(ret_counted, &workers[i].counted);
    }
    ret_counted->sizes.unit = settings.unit;
    sizes_end(&ret_counted->sizes);
    ret_counted->was_paused |= settings.starts_paused;
    ret_counted->settings = settings;
    free(workers);
}

void sizes_counted_release(struct sizes_counted *counted)
{
    sizes_release(&counted->sizes);
    settings_release(&counted->settings);
}
