/* Steps -> facts. Comes after model/feed.c, which has put the events of all threads in one order. This begins
 * and ends the pass; what a step changes is in facts_pass.c, what is hard about reallocs in
 * facts_reallocs.c, and leaks are in facts_ends.c. */
#include "analyze/model/facts.h"

#include "analyze/model/facts_inside.h"
#include "analyze/model/rounding.h"

static void take_all(struct collector *c, struct feed *feed)
{
    struct facts *f = c->f;
    const struct step *steps;
    uint64_t last_ns = c->log->first_ns;
    bool goes_on = true;

    for (size_t count; goes_on && (count = feed_next(feed, &steps)) > 0;) {
        costs_reserve(&f->costs, feed_leaves(feed));
        f->threads = grow(f->threads, &c->facts_thread_capacity, feed_threads(feed), sizeof *f->threads);
        c->threads = grow(c->threads, &c->thread_capacity, feed_threads(feed), sizeof *c->threads);
        goes_on = collector_take_steps(c, steps, count, &last_ns);
        if (c->options->goes_on && !c->options->goes_on(c->options->data, feed_progress(feed))) {
            f->interrupted = true;
            goes_on = false;
        }
    }
    collector_expire(c, UINT64_MAX);
    for (uint32_t i = 0; i < c->log->stream_count; i++)
        collector_end_stream(c, i, last_ns); /* where it ended in damage, or we do */
    f->duration_ns = since_start(c, last_ns);
}

static int by_image(const void *left, const void *right, void *data)
{
    const struct log *log = data;
    uint64_t a = log->processes[*(const uint32_t *)left].image, b = log->processes[*(const uint32_t *)right].image;
    return a < b ? -1 : a > b;
}

static void order_processes(struct facts *f, struct log const *log)
{
    f->by_start = alloc_zeroed(log->process_count, sizeof *f->by_start);
    for (uint32_t i = 0; i < log->process_count; i++)
        if (log->processes[i].stream_count && !log->processes[i].left_out)
            f->by_start[f->by_start_count++] = i;
    qsort_r(f->by_start, f->by_start_count, sizeof *f->by_start, by_image, (void *)log);
}

/* From units to numbers; the stacks' and the buckets' are left to those who sum them. */
static void round_all(struct facts *f, size_t process_count)
{
    uint64_t *const totals[] = { &f->allocations, &f->frees, &f->temporary, &f->allocated_bytes, &f->peak_bytes,
                                 &f->peak_blocks, &f->leaked_bytes, &f->leaked_blocks };

    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++)
        *totals[i] = settings_rounded(&f->settings, *totals[i]);
    for (size_t i = 0; i < REC_FN_COUNT; i++)
        f->by_function[i] = settings_rounded(&f->settings, f->by_function[i]);
    for (size_t i = 0; i < process_count; i++) {
        struct facts_process *p = &f->processes[i];
        p->allocations = settings_rounded(&f->settings, p->allocations);
        p->allocated_bytes = settings_rounded(&f->settings, p->allocated_bytes);
        p->leaked_blocks = settings_rounded(&f->settings, p->leaked_blocks);
        p->leaked_bytes = settings_rounded(&f->settings, p->leaked_bytes);
    }
    for (size_t i = 0; i < f->told.threads.count; i++) {
        struct facts_thread *t = &f->threads[i];
        t->allocations = settings_rounded(&f->settings, t->allocations);
        t->allocated_bytes = settings_rounded(&f->settings, t->allocated_bytes);
        t->frees = settings_rounded(&f->settings, t->frees);
        t->temporary = settings_rounded(&f->settings, t->temporary);
    }
}

struct facts *facts_collect(const struct log *log, const struct facts_options *options)
{
    static const struct facts_options everything;
    struct facts *f = alloc_zeroed(1, sizeof *f);
    struct collector c = { .f = f, .log = log, .options = options ? options : &everything,
                           .bytes_left = INT64_MAX };

    f->processes = alloc_zeroed(log->process_count, sizeof *f->processes);
    c.processes = alloc_zeroed(log->process_count, sizeof *c.processes);
    c.streams = alloc_zeroed(log->stream_count, sizeof *c.streams);
    for (size_t i = 0; i < log->stream_count; i++)
        c.running += c.processes[log->streams[i].process].open_streams++ == 0;
    settings_read(log, &f->settings);
    for (size_t i = 0; i < log->process_count; i++)
        c.processes[i].has_rounding = rounding_is_known(f->settings.of[i].allocator);
    f->sizes.unit = f->settings.unit;
    timeline_begin(&f->timeline, c.options->from_ns);
    f->part = (struct facts_part){ c.options->from_ns, c.options->to_ns, c.options->tid_count };
    f->lost_reason = reader_lost_events(log).reason;
    f->told.notes.untraced_programs += log->untraced;
    order_processes(f, log);
    told_begin(&f->told, log);

    struct feed *feed = feed_open(log, &f->told);
    take_all(&c, feed);
    f->bad_chunks = feed_close(feed, &f->bad_offset);
    f->told.lost_events += c.uncounted;
    told_end(&f->told);
    for (size_t i = 0; i < log->process_count; i++)
        f->processes[i].told = &f->told.processes[i];
    /* The feed may have been further than we were. */
    costs_reserve(&f->costs, f->told.stacks.leaf_count);
    costs_end(&f->costs, f->told.stacks.leaf_count);
    f->threads = grow(f->threads, &c.facts_thread_capacity, f->told.threads.count, sizeof *f->threads);
    for (size_t i = 0; i < f->told.notes.mark_count && i < c.mark_capacity; i++)
        f->told.notes.marks[i].live_bytes = c.mark_bytes[i];
    f->peak_bytes = f->costs.peak_bytes;
    f->peak_blocks = f->costs.peak_blocks;
    f->peak_ns = f->peak_bytes ? since_start(&c, f->costs.peak_ns) : 0;
    round_all(f, log->process_count);
    waiting_release(&c.waiting);
    free(c.processes);
    free(c.streams);
    free(c.threads);
    free(c.mark_bytes);
    return f;
}

void facts_free(struct facts *f)
{
    if (!f)
        return;
    free(f->processes);
    free(f->threads);
    free(f->by_start);
    free(f->first_leak_us);
    costs_release(&f->costs);
    growth_release(&f->growth);
    sizes_release(&f->sizes);
    settings_release(&f->settings);
    told_release(&f->told);
    free(f);
}

uint64_t lifetimes_quantile(const uint64_t classes[FACTS_LIFETIMES], double share)
{
    double sum = 0, through = 0;

    for (unsigned i = 0; i < FACTS_LIFETIMES; i++)
        sum += (double)classes[i];
    for (unsigned i = 0; i < FACTS_LIFETIMES; i++) {
        through += (double)classes[i];
        if (sum > 0 && through >= share * sum)
            return (1ull << i) - 1;
    }
    return 0;
}
