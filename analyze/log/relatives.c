#include "analyze/log/relatives.h"

#include "format/decode.h"

/* Processes by image, and by pid and image. */
struct relatives {
    const struct log *log;
    const struct log_process **by_image, **by_pid;
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

/* True: that was how the process started, and the chunk tells nothing more. */
static bool take(struct relatives *r, const struct log_process *p, const struct event *e)
{
    if (e->type != EVENT_OTHER)
        return false;
    switch (e->other) {
    case REC_SESSION_START:
        r->lacks |= e->session.first && !has_pid(r, e->session.first);
        return false;
    case REC_TRIMMED:
        r->is_part = true;
        return false;
    case REC_PROCESS_START:
        r->lacks |= e->process.start == REC_START_FORK && e->process.parent_image && !has_image(r, e->process.parent_image);
        r->lacks |= e->process.start == REC_START_EXEC && !has_earlier_program(r, p);
        return true;
    }
    return false;
}

static void look_into(struct relatives *r, const struct log_chunk *chunk, struct decoder *decoder)
{
    _cleanup_free_ void *payload = alloc_zeroed(1, (size_t)chunk->payload_bytes + 1);
    struct event event;

    if (log_load(r->log, chunk, payload) != 0)
        return;
    log_decoder_begin(decoder, chunk, payload);
    while (decoder_next(decoder, &event) == 1)
        if (take(r, &r->log->processes[chunk->process], &event))
            return;
}

bool relatives_lack(const struct log *log)
{
    _cleanup_free_ struct decoder *decoder = alloc_zeroed(1, sizeof *decoder);
    _cleanup_free_ const struct log_process **images = alloc_zeroed(log->process_count, sizeof *images);
    _cleanup_free_ const struct log_process **pids = alloc_zeroed(log->process_count, sizeof *pids);
    struct relatives r = { .log = log, .by_image = images, .by_pid = pids };

    for (size_t i = 0; i < log->process_count; i++)
        images[i] = pids[i] = &log->processes[i];
    if (!log->process_count)
        return false;
    qsort(images, log->process_count, sizeof *images, by_image);
    qsort(pids, log->process_count, sizeof *pids, by_pid);
    for (size_t i = 0; i < log->chunk_count; i++) /* a process says how it started in a stream's first chunk */
        if (log->chunks[i].stream == UINT32_MAX || log->chunks[i].sequence == 0)
            look_into(&r, &log->chunks[i], decoder);
    return r.lacks && !r.is_part;
}
