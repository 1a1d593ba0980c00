#include "analyze/log/relatives.h"

#include "format/decode.h"

/* Processes by image, and by pid and image. */
struct relatives {
    const struct log *log;
    const struct log_process **by_image, **by_pid;
    bool *ended;         /* by process: it said so */
    bool lacks, is_part; /* is_part: trimmed; what was left out is no loss */
};

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_image(const void *left, const void *right)
{
    const struct log_process *const *a = left, *const *b = right;
    return compare((*a)->image, (*b)->image);
}

static int by_pid(const void *left, const void *right)
{
    const struct log_process *const *a = left, *const *b = right;
    return (*a)->pid != (*b)->pid ? compare((*a)->pid, (*b)->pid) : by_image(left, right);
}

/* The first place in by_pid that is not before (pid, image); or in by_image, for pid 0. */
static size_t place_of(const struct relatives *r, uint32_t pid, uint64_t image)
{
    const struct log_process wanted = { .pid = pid, .image = image }, *at = &wanted;
    size_t low = 0, high = r->log->process_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((pid ? by_pid(&r->by_pid[middle], &at) : by_image(&r->by_image[middle], &at)) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has_image(const struct relatives *r, uint64_t image)
{
    size_t place = place_of(r, 0, image);
    return place < r->log->process_count && r->by_image[place]->image == image;
}

static bool has_pid(const struct relatives *r, uint32_t pid)
{
    size_t place = place_of(r, pid, 0);
    return place < r->log->process_count && r->by_pid[place]->pid == pid;
}

static bool has_earlier_program(const struct relatives *r, const struct log_process *p)
{
    size_t place = place_of(r, p->pid, p->image);
    return place > 0 && r->by_pid[place - 1]->pid == p->pid;
}

static bool has_later_program(const struct relatives *r, const struct log_process *p)
{
    size_t place = place_of(r, p->pid, p->image) + 1;
    return place < r->log->process_count && r->by_pid[place]->pid == p->pid;
}

static void take(struct relatives *r, uint32_t process, const struct event *e)
{
    const struct log_process *p = &r->log->processes[process];

    switch (e->other) {
    case REC_SESSION_START:
        r->lacks |= e->session.first && !has_pid(r, e->session.first);
        return;
    case REC_TRIMMED:
        r->is_part = true;
        return;
    case REC_PROCESS_START:
        r->lacks |= e->process.start == REC_START_FORK && e->process.parent_image && !has_image(r, e->process.parent_image);
        r->lacks |= e->process.start == REC_START_EXEC && !has_earlier_program(r, p);
        return;
    case REC_PROCESS_END:
        r->ended[process] = true;
        return;
    }
}

static void look_into(struct relatives *r, const struct log_chunk *chunk, struct decoder *decoder)
{
    _cleanup_free_ void *payload = alloc_zeroed(1, (size_t)chunk->payload_bytes + 1);
    struct event event;

    if (log_load(r->log, chunk, payload) != 0)
        return;
    decoder_begin(decoder, payload, chunk->payload_bytes, chunk->ticks);
    while (decoder_next(decoder, &event) == 1)
        if (event.type == EVENT_OTHER)
            take(r, chunk->process, &event);
}

/* A process says how it started in a stream's first chunk, and that it ended in a last one, or
 * shortly before. */
static void look_into_stream(struct relatives *r, const struct log_stream *stream, struct decoder *decoder)
{
    for (size_t i = 0; i < stream->chunk_count; i++)
        if (i == 0 || i + 2 >= stream->chunk_count)
            look_into(r, &r->log->chunks[stream->chunks[i]], decoder);
}

void relatives_find(const struct log *log, bool *ret_lacks, size_t *ret_unended)
{
    _cleanup_free_ struct decoder *decoder = alloc_zeroed(1, sizeof *decoder);
    _cleanup_free_ const struct log_process **images = alloc_zeroed(log->process_count, sizeof *images);
    _cleanup_free_ const struct log_process **pids = alloc_zeroed(log->process_count, sizeof *pids);
    _cleanup_free_ bool *ended = alloc_zeroed(log->process_count, sizeof *ended);
    struct relatives r = { .log = log, .by_image = images, .by_pid = pids, .ended = ended };

    for (size_t i = 0; i < log->process_count; i++)
        images[i] = pids[i] = &log->processes[i];
    *ret_unended = 0;
    qsort(images, log->process_count, sizeof *images, by_image);
    qsort(pids, log->process_count, sizeof *pids, by_pid);
    for (size_t i = 0; i < log->chunk_count; i++)
        if (log->chunks[i].stream == UINT32_MAX)
            look_into(&r, &log->chunks[i], decoder);
    for (size_t i = 0; i < log->stream_count; i++)
        look_into_stream(&r, &log->streams[i], decoder);
    for (size_t i = 0; i < log->process_count && !r.is_part; i++)
        *ret_unended += log->processes[i].stream_count && !ended[i] && !has_later_program(&r, &log->processes[i]);
    *ret_lacks = r.lacks && !r.is_part;
}
