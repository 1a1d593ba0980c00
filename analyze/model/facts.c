/* Steps -> facts. Comes after model/feed.c, which has put the events of all threads in one order. This begins
 * and ends the pass; what a step changes is in facts_pass.c, what is hard about reallocs in
 * facts_reallocs.c, and leaks are in facts_ends.c. */
#include "analyze/model/facts.h"

#include "analyze/log/trimmed.h"
#include "analyze/model/facts_inside.h"
#include "analyze/model/rounding.h"

static void take_all(struct collector *c, struct feed *feed, uint64_t to_ns)
{
    struct facts *f = c->f;
    const struct step *steps;
    uint64_t last_ns = c->log->first_ns;
    bool goes_on = true;

    for (size_t count; goes_on && (count = feed_next(feed, &steps)) > 0;) {
        costs_reserve(&f->costs, feed_leaves(feed));
        f->threads = grow(f->threads, &c->facts_thread_capacity, feed_threads(feed), sizeof *f->threads);
        c->threads = grow(c->threads, &c->thread_capacity, feed_threads(feed), sizeof *c->threads);
        collector_take_steps(c, steps, count);
        last_ns = steps[count - 1].ns;
        if (c->options->goes_on && !c->options->goes_on(c->options->data, feed_progress(feed))) {
            f->interrupted = true;
            goes_on = false;
        }
    }
    f->goes_on |= f->interrupted || feed_was_cut(feed);
    if (f->goes_on && !f->interrupted)
        last_ns = to_ns;
    collector_expire(c, UINT64_MAX);
    collector_end_all(c, last_ns);
    f->duration_ns = since_start(c, last_ns);
}

/* When the facts end, at the latest. A part of a log has nothing that is later than its end, and what lives then goes on. */
static uint64_t find_end(const struct log *log, uint64_t to_ns, bool *ret_is_part)
{
    const struct log_trimmed trimmed = log_trimmed(log);

    *ret_is_part = trimmed.to_ns != 0;
    to_ns = log_trimmed_end(&trimmed, to_ns);
    return to_ns && to_ns < UINT64_MAX - log->first_ns ? log->first_ns + to_ns : UINT64_MAX;
}

/* What came of the processes, as far as this is told. */
static void tell_ends(struct facts *f, const struct collector *c, const struct ends *ends)
{
    for (size_t i = 0; i < c->log->process_count; i++) {
        struct told_process *told = &f->told.processes[i];
        f->processes[i].told = told;
        f->processes[i].end_known = ends->is_known[i] || f->processes[i].goes_on;
        if (told->first_ns)
            told->last_ns = c->processes[i].end_ns;
    }
}

/* In a part there are none but those that have begun. */
static void drop_later_processes(struct facts *f)
{
    size_t count = 0;

    for (size_t i = 0; i < f->by_start_count; i++)
        if (f->told.processes[f->by_start[i]].first_ns)
            f->by_start[count++] = f->by_start[i];
    f->by_start_count = count;
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
                                 &f->peak_blocks, &f->leaked_bytes, &f->leaked_blocks,
                                 &f->left_bytes, &f->left_blocks, &f->carried, &f->carried_bytes };

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
    settings_read(log, &f->settings);
    c.first_ns = log->first_ns;
    c.is_sampled = f->settings.unit != 1;
    c.has_left_out = c.options->from_ns || c.options->tids;
    for (size_t i = 0; i < log->process_count; i++) {
        c.running += log->processes[i].stream_count && !log->processes[i].left_out;
        c.processes[i].has_rounding = rounding_is_known(f->settings.of[i].allocator);
    }
    f->sizes.unit = f->settings.unit;
    const uint64_t trimmed_from_ns = log_trimmed(log).from_ns;
    c.begins_ns = trimmed_from_ns ? log->first_ns + trimmed_from_ns : 0;
    timeline_begin(&f->timeline, c.options->from_ns, c.options->timeline_buckets ? c.options->timeline_buckets : TIMELINE_BUCKETS);
    f->part = (struct facts_part){ c.options->from_ns, c.options->to_ns, c.options->tid_count };
    f->temporary_within = c.options->temporary_within;
    c.has_threshold = facts_threshold_is_set(&f->temporary_within);
    f->lost_reason = reader_lost_events(log).reason;
    f->told.notes.untraced_programs += log->untraced;
    order_processes(f, log);
    f->told.notes.marks_from_ns = c.options->from_ns ? log->first_ns + c.options->from_ns : 0;
    told_begin(&f->told, log);

    struct ends ends;
    ends_find(log, &f->settings, &ends);
    c.ends = &ends;
    const uint64_t to_ns = find_end(log, c.options->to_ns, &f->goes_on);
    struct feed *feed = feed_open(log, to_ns, &ends, &f->told);
    take_all(&c, feed, to_ns);
    f->bad_chunks = feed_close(feed, &f->bad_offset);
    f->told.lost_events += c.uncounted;
    tell_ends(f, &c, &ends);
    ends_release(&ends);
    told_end(&f->told);
    if (f->goes_on)
        drop_later_processes(f);
    /* The feed may have been further than we were. */
    costs_reserve(&f->costs, f->told.stacks.leaf_count);
    costs_end(&f->costs, f->told.stacks.leaf_count);
    f->threads = grow(f->threads, &c.facts_thread_capacity, f->told.threads.count, sizeof *f->threads);
    for (size_t i = 0; i < f->told.notes.mark_count && i < c.mark_capacity; i++)
        f->told.notes.marks[i].live_bytes = c.mark_bytes[i];
    f->peak_bytes = f->costs.peak_bytes;
    f->peak_blocks = f->costs.peak_blocks;
    f->peak_ns = f->peak_bytes ? since_start(&c, f->costs.peak_ns) : 0;
    sizes_end(&f->sizes);
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
    free(f->leak_times);
    free(f->left.of);
    free(f->unended.of);
    costs_release(&f->costs);
    growth_release(&f->growth);
    chains_release(&f->chains);
    sizes_release(&f->sizes);
    settings_release(&f->settings);
    told_release(&f->told);
    timeline_release(&f->timeline);
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
