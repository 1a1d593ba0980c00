#include "analyze/model/count_sizes.h"

#include "format/decode.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define WORKERS_MAX 64

struct worker {
    const struct log *log;
    _Atomic size_t *next_chunk;
    struct sizes_counted counted;
    pthread_t thread;
};

static void add_size(void *data, uint64_t size)
{
    sizes_add(data, size);
}

static void count_chunk(struct worker *w, const struct log_chunk *chunk, void *payload, struct decoder *decoder)
{
    struct event event;
    uint64_t events = 0;
    int got = -1, error = log_load_sizes(w->log, chunk, add_size, &w->counted.sizes, &events);

    if (error == 0) {
        got = 0;
    } else if (error == -EAGAIN && log_load(w->log, chunk, payload) == 0) {
        decoder_begin(decoder, payload, chunk->payload_bytes, chunk->ticks);
        while ((got = decoder_next(decoder, &event)) == 1) {
            if (event.type == EVENT_ALLOC || event.type == EVENT_REALLOC_END)
                sizes_add(&w->counted.sizes, event.size);
            events += event.type <= EVENT_REALLOC_END;
            w->counted.own_mallocs += event.type == EVENT_OTHER && event.other == REC_PROCESS_START &&
                                      event.process.other_malloc.bytes > 0;
        }
    }
    w->counted.events += events;
    if (got < 0 && !chunk->torn && w->counted.bad_chunks++ == 0)
        w->counted.bad_offset = chunk->offset;
}

static void *work(void *data)
{
    struct worker *w = data;
    _cleanup_free_ struct decoder *decoder = alloc_zeroed(1, sizeof *decoder);
    _cleanup_free_ void *payload = NULL;
    size_t capacity = 0, at;

    while ((at = atomic_fetch_add(w->next_chunk, 1)) < w->log->chunk_count) {
        const struct log_chunk *chunk = &w->log->chunks[at];
        if (chunk->stream == UINT32_MAX)
            continue;
        payload = grow(payload, &capacity, chunk->payload_bytes + 1, 1);
        count_chunk(w, chunk, payload, decoder);
    }
    return NULL;
}

void count_sizes(const struct log *log, struct sizes_counted *ret_counted)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = cores < 1 ? 1 : cores > WORKERS_MAX ? WORKERS_MAX : (size_t)cores, started = 1;
    struct worker *workers = alloc_zeroed(count, sizeof *workers);
    _Atomic size_t next_chunk = 0;

    for (size_t i = 0; i < count; i++)
        workers[i] = (struct worker){ .log = log, .next_chunk = &next_chunk };
    while (started < count && pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0)
        started++;
    work(&workers[0]);
    *ret_counted = workers[0].counted;
    for (size_t i = 1; i < started; i++) {
        struct sizes_counted *part = &workers[i].counted;
        pthread_join(workers[i].thread, NULL);
        sizes_merge(&ret_counted->sizes, &part->sizes);
        sizes_release(&part->sizes);
        ret_counted->events += part->events;
        ret_counted->own_mallocs += part->own_mallocs;
        if (part->bad_chunks && (!ret_counted->bad_chunks || part->bad_offset < ret_counted->bad_offset))
            ret_counted->bad_offset = part->bad_offset;
        ret_counted->bad_chunks += part->bad_chunks;
    }
    free(workers);
}
