/* Steps -> facts. Comes after model/feed.c, which has put the events of all
 * threads in one order. The one hard part is realloc: between its begin and its
 * end the old block is still counted as live, but its address may already be
 * another block's. So it waits in its stream until the end says what became of
 * it, or the process ends without one, and it lives on. */
#include "analyze/model/facts.h"

#include "analyze/model/blocks.h"
#include "analyze/model/feed.h"
#include "analyze/model/rounding.h"
#include "analyze/model/waiting.h"

#include <string.h>

/* Blocks that options leave out: they live, so that their frees are known, and count nowhere. */
#define LEAF_LEFT_OUT UINT32_MAX

struct process_state {
    struct blocks blocks; /* live ones */
    /* Old blocks of reallocs that their threads did not live to see the end of. One lives on, unless its address is
     * given out again: then it had been moved. */
    struct blocks unfinished;
    uint64_t live_bytes;  /* in units */
    uint64_t began_ns;    /* since the session's start */
    uint32_t open_streams, pauses;
    bool is_fork, has_rounding;
};

struct thread_state {
    uint64_t last_number; /* of the thread's last allocation, not freed yet; 0: none */
    uint32_t last_pauses; /* of its process, then: after another one it may not be the last */
    bool left_out;
};

struct stream_state {
    struct block reallocating; /* address 0: none */
    bool ended;
};

struct collector {
    struct facts *f;
    const struct log *log;
    const struct facts_options *options;
    struct process_state *processes;
    struct stream_state *streams;
    struct thread_state *threads;
    size_t running; /* processes that have not ended */
    size_t thread_capacity, facts_thread_capacity;
    uint64_t number; /* allocations so far */
    struct waiting waiting;
    size_t unfinished_count; /* in all processes */
    uint64_t *mark_bytes; /* live in the mark's process */
    size_t mark_capacity;
};

static uint64_t since_start(const struct collector *c, uint64_t ns)
{
    return ns > c->log->first_ns ? ns - c->log->first_ns : 0;
}

/* What an allocation of this size counts for, in units. */
static uint64_t units_of(const struct collector *c, uint32_t process, uint64_t size)
{
    return settings_units(&c->f->settings, process, size);
}

static struct timeline_bucket *now(struct collector *c, uint64_t ns)
{
    return timeline_at(&c->f->timeline, since_start(c, ns), c->f->costs.live_bytes, c->f->costs.live_blocks);
}

static void block_lives(struct collector *c, uint32_t process, const struct block *block, uint64_t units, uint64_t ns)
{
    struct timeline_bucket *bucket = now(c, ns);
    const struct costs *all = &c->f->costs;

    c->processes[process].live_bytes += block->size * units;
    costs_live(&c->f->costs, block->leaf, block->size, units, ns);
    bucket->live_bytes = all->live_bytes;
    bucket->live_blocks = all->live_blocks;
    if (bucket->most_live < all->live_bytes)
        bucket->most_live = all->live_bytes;
}

static void block_dies(struct collector *c, uint32_t process, const struct block *block, uint64_t units, uint64_t ns)
{
    if (block->leaf == LEAF_LEFT_OUT)
        return;
    struct timeline_bucket *bucket = now(c, ns);
    c->processes[process].live_bytes -= block->size * units;
    costs_die(&c->f->costs, block->leaf, block->size, units);
    bucket->live_bytes = c->f->costs.live_bytes;
    bucket->live_blocks = c->f->costs.live_blocks;
    if (bucket->least_live > bucket->live_bytes)
        bucket->least_live = bucket->live_bytes;
}

static void count_free(struct collector *c, const struct step *s, uint64_t units)
{
    c->f->frees += units;
    c->f->threads[s->thread].frees += units;
    now(c, s->ns)->frees += units;
}

static unsigned lifetime_class(uint64_t length)
{
    unsigned class = length ? 64 - (unsigned)__builtin_clzll(length) : 0;
    return class < FACTS_LIFETIMES ? class : FACTS_LIFETIMES - 1;
}

/* A block whose free was seen. */
static void note_lifetime(struct collector *c, const struct block *block, uint64_t units, uint64_t ns)
{
    if (block->leaf == LEAF_LEFT_OUT)
        return;
    struct stack_costs *costs = &c->f->costs.of[block->leaf];
    uint64_t now_us = since_start(c, ns) / 1000, us = now_us > block->born_us ? now_us - block->born_us : 0;
    uint64_t allocations = c->number - block->number;

    costs->freed += units;
    costs->lifetime_us += us * units;
    costs->lifetime_allocations += allocations * units;
    c->f->lifetimes_us[lifetime_class(us)] += units;
    c->f->lifetimes_allocations[lifetime_class(allocations)] += units;
}

static void count_stack(struct facts *f, unsigned flags)
{
    if (!flags)
        return;
    f->partial_stacks += flags & REC_STACK_PARTIAL ? 1 : 0;
    f->cut_stacks += flags & REC_STACK_CUT ? 1 : 0;
    f->guessed_stacks += flags & REC_STACK_GUESSED ? 1 : 0;
    f->fallback_stacks += flags & REC_STACK_FALLBACK ? 1 : 0;
    f->differing_stacks += flags & REC_STACK_DIFFERS ? 1 : 0;
}

static void add_variance(const struct collector *c, uint32_t process, uint64_t size, double *count, double *bytes)
{
    double weight = settings_weight(&c->f->settings, process, size), one = weight * (weight - 1);

    *count += one;
    *bytes += one * (double)size * (double)size;
}

static void end_unfinished(struct collector *c, uint32_t process, uint64_t address, uint64_t ns)
{
    struct block old;

    if (!blocks_take(&c->processes[process].unfinished, address, &old))
        return;
    block_dies(c, process, &old, units_of(c, process, old.size), ns);
    c->unfinished_count--;
}

/* A free has been counted as one before its block was known. */
static void count_late_free(struct collector *c, const struct step *s, uint64_t units, const struct waiting_free *lone)
{
    c->f->frees += units - c->f->settings.unit;
    now(c, s->ns)->frees += units - c->f->settings.unit;
    if (lone->function != REC_FN_REALLOC)
        c->f->by_function[lone->function] += units - c->f->settings.unit;
}

static bool is_left_out(const struct collector *c, const struct step *s)
{
    return (c->options->from_ns && since_start(c, s->ns) < c->options->from_ns) ||
           (c->options->tids && c->threads[s->thread].left_out);
}

static void count_allocation(struct collector *c, const struct step *s, uint64_t units)
{
    struct facts *f = c->f;
    struct facts_process *p = &f->processes[s->process];
    struct stack_costs *costs = &f->costs.of[s->leaf];
    struct timeline_bucket *bucket = now(c, s->ns);
    uint64_t bytes = s->size * units;

    f->recorded++;
    f->allocations += units;
    f->by_function[s->function] += units;
    f->allocated_bytes += bytes;
    count_stack(f, s->stack_flags);
    p->allocations += units;
    p->allocated_bytes += bytes;
    f->threads[s->thread].allocations += units;
    f->threads[s->thread].allocated_bytes += bytes;
    costs->allocations += units;
    costs->bytes += bytes;
    if (c->processes[s->process].has_rounding)
        costs->rounding += rounding_of(s->size) * units;
    costs->least = s->size < costs->least ? s->size : costs->least;
    costs->most = s->size > costs->most ? s->size : costs->most;
    bucket->allocations += units;
    bucket->bytes += bytes;
    sizes_add(&f->sizes, s->size, units);
    if (f->settings.sample_bytes)
        add_variance(c, s->process, s->size, &f->variance.allocations, &f->variance.bytes);
}

static void take_alloc(struct collector *c, const struct step *s)
{
    struct process_state *p = &c->processes[s->process];
    uint64_t units = units_of(c, s->process, s->size);
    bool left_out = is_left_out(c, s);
    const struct block block = { .address = s->address, .size = s->size, .number = ++c->number,
                                 .born_us = since_start(c, s->ns) / 1000, .leaf = left_out ? LEAF_LEFT_OUT : s->leaf };
    struct block old;

    if (!left_out)
        count_allocation(c, s, units);
    if (!s->address)
        return;
    if (c->unfinished_count)
        end_unfinished(c, s->process, s->address, s->ns);
    if (blocks_put(&p->blocks, &block, &old)) {
        c->f->unseen_frees++;
        block_dies(c, s->process, &old, units_of(c, s->process, old.size), s->ns);
    }
    if (!left_out)
        block_lives(c, s->process, &block, units, s->ns);
    struct waiting_free lone;
    if (c->waiting.count && waiting_take(&c->waiting, s->process, s->stream, s->address, &lone)) {
        blocks_take(&p->blocks, s->address, &old);
        block_dies(c, s->process, &block, units, s->ns);
        if (!left_out)
            count_late_free(c, s, units, &lone);
        return;
    }
    c->threads[s->thread].last_number = block.number;
    c->threads[s->thread].last_pauses = p->pauses;
}

static bool take_out(struct collector *c, const struct step *s, struct block *ret_block)
{
    if (blocks_take(&c->processes[s->process].blocks, s->address, ret_block))
        return true;
    waiting_add(&c->waiting, &(struct waiting_free){
        .address = s->address, .ns = s->ns, .process = s->process, .stream = s->stream, .function = s->function });
    return false;
}

/* Counts the frees for which no allocation has come. */
static void expire(struct collector *c, uint64_t ns)
{
    struct waiting_free lone;

    while (waiting_expired(&c->waiting, ns, &lone)) {
        if (c->processes[lone.process].is_fork)
            c->f->inherited_frees++;
        else
            c->f->unmatched_frees++;
    }
}

static void count_temporary(struct collector *c, const struct step *s, const struct block *block, uint64_t units)
{
    struct thread_state *thread = &c->threads[s->thread];

    if (thread->last_number != block->number)
        return;
    if (thread->last_pauses == c->processes[s->process].pauses && block->leaf != LEAF_LEFT_OUT) {
        c->f->temporary += units;
        c->f->threads[s->thread].temporary += units;
        c->f->costs.of[block->leaf].temporary += units;
    }
    thread->last_number = 0;
}

static void take_free(struct collector *c, const struct step *s)
{
    struct facts *f = c->f;
    struct block block;
    bool known = take_out(c, s, &block);
    uint64_t units = known ? units_of(c, s->process, block.size) : f->settings.unit;

    if (known ? block.leaf == LEAF_LEFT_OUT : is_left_out(c, s))
        return;
    count_free(c, s, units);
    f->by_function[s->function] += units;
    if (!known)
        return;
    block_dies(c, s->process, &block, units, s->ns);
    note_lifetime(c, &block, units, s->ns);
    count_temporary(c, s, &block, units);
}

/* The old block of a realloc, if one is under way. */
static bool end_realloc(struct stream_state *stream, struct block *ret_block)
{
    *ret_block = stream->reallocating;
    stream->reallocating.address = 0;
    return ret_block->address != 0;
}

static void reinstate(struct collector *c, uint32_t process, const struct block *block, uint64_t ns)
{
    struct blocks *blocks = &c->processes[process].blocks;
    struct block none;

    if (!blocks_has(blocks, block->address))
        blocks_put(blocks, block, &none);
    else /* the address has another block: it was freed after all */
        block_dies(c, process, block, units_of(c, process, block->size), ns);
}

/* The old block of a realloc is gone; one that was not known counts as one. */
static void free_old(struct collector *c, const struct step *s, struct block *ret_old)
{
    bool known = end_realloc(&c->streams[s->stream], ret_old);
    uint64_t units = known ? units_of(c, s->process, ret_old->size) : c->f->settings.unit;

    if (known ? ret_old->leaf == LEAF_LEFT_OUT : is_left_out(c, s))
        return;
    count_free(c, s, units);
    if (known) {
        block_dies(c, s->process, ret_old, units, s->ns);
        note_lifetime(c, ret_old, units, s->ns);
    }
}

/* The thread is past a realloc whose end it has not seen: killed, or cancelled in its middle. */
static void leave_unfinished(struct collector *c, uint32_t process, uint32_t stream, uint64_t ns)
{
    struct block old, earlier;

    if (!end_realloc(&c->streams[stream], &old))
        return;
    if (blocks_put(&c->processes[process].unfinished, &old, &earlier))
        block_dies(c, process, &earlier, units_of(c, process, earlier.size), ns);
    else
        c->unfinished_count++;
}

static void take_realloc_end(struct collector *c, const struct step *s)
{
    struct block old;

    free_old(c, s, &old);
    take_alloc(c, s);
    if (old.address && old.leaf == s->leaf && old.size < s->size && !is_left_out(c, s)) {
        struct stack_costs *costs = &c->f->costs.of[s->leaf];
        uint64_t units = units_of(c, s->process, s->size);
        costs->regrown += units;
        costs->regrown_from += old.size * units;
    }
}

static void take_realloc(struct collector *c, const struct step *s)
{
    struct facts *f = c->f;
    struct block old;

    switch (s->type) {
    case STEP_REALLOC_BEGIN:
        leave_unfinished(c, s->process, s->stream, s->ns); /* its end was lost */
        if (s->address && take_out(c, s, &old))
            c->streams[s->stream].reallocating = old;
        return;
    case STEP_REALLOC_FREED:
        /* Under sampling it is nearly always a realloc into a block that was not recorded:
         * the calls are estimated by their new blocks alone. */
        if (!f->settings.of[s->process].sample_bytes && !is_left_out(c, s))
            f->by_function[s->function] += f->settings.unit;
        free_old(c, s, &old);
        return;
    case STEP_REALLOC_FAILED:
        f->failed += !is_left_out(c, s);
        if (end_realloc(&c->streams[s->stream], &old))
            reinstate(c, s->process, &old, s->ns);
        return;
    default:
        take_realloc_end(c, s);
    }
}

static void thread_begins(struct collector *c, const struct step *s)
{
    const struct facts_options *options = c->options;
    bool wanted = !options->tids;

    for (size_t i = 0; i < options->tid_count && !wanted; i++)
        wanted = options->tids[i] == s->address;
    c->threads[s->thread].left_out = !wanted;
}

static void note_mark(struct collector *c, const struct step *s)
{
    c->mark_bytes = grow(c->mark_bytes, &c->mark_capacity, s->size + 1, sizeof *c->mark_bytes);
    c->mark_bytes[s->size] = settings_rounded(&c->f->settings, c->processes[s->process].live_bytes);
}

struct leak_taker {
    struct collector *c;
    uint32_t process;
    bool has_growth;
};

static void take_leak(void *data, const struct block *block)
{
    const struct leak_taker *t = data;
    struct facts *f = t->c->f;
    struct facts_process *p = &f->processes[t->process];

    if (block->leaf == LEAF_LEFT_OUT)
        return;
    struct stack_costs *costs = &f->costs.of[block->leaf];
    uint64_t units = units_of(t->c, t->process, block->size);
    f->first_leak_us = grow(f->first_leak_us, &f->first_leak_capacity, block->leaf + 1, sizeof *f->first_leak_us);
    if (!costs->leaked_blocks || block->born_us < f->first_leak_us[block->leaf])
        f->first_leak_us[block->leaf] = block->born_us;
    costs->leaked_blocks += units;
    costs->leaked_bytes += block->size * units;
    p->leaked_blocks += units;
    p->leaked_bytes += block->size * units;
    costs_die(&f->costs, block->leaf, block->size, units);
    if (t->has_growth)
        growth_take(&f->growth, block->leaf, block->born_us, block->size * units);
    if (f->settings.sample_bytes)
        add_variance(t->c, t->process, block->size, &f->variance.leaked_blocks, &f->variance.leaked_bytes);
}

struct moved_taker {
    struct collector *c;
    uint32_t process;
    uint64_t ns;
};

/* Where its address has another block, it was freed after all. */
static bool is_moved(const struct collector *c, uint32_t process, const struct block *unfinished)
{
    return blocks_has(&c->processes[process].blocks, unfinished->address);
}

static void take_moved(void *data, const struct block *unfinished)
{
    const struct moved_taker *t = data;

    t->c->unfinished_count--;
    if (is_moved(t->c, t->process, unfinished))
        block_dies(t->c, t->process, unfinished, units_of(t->c, t->process, unfinished->size), t->ns);
}

static void take_unfinished_leak(void *data, const struct block *unfinished)
{
    const struct leak_taker *t = data;

    if (!is_moved(t->c, t->process, unfinished))
        take_leak(data, unfinished);
}

static void end_process(struct collector *c, uint32_t process, uint64_t ns)
{
    struct process_state *p = &c->processes[process];
    struct leak_taker taker = { .c = c, .process = process };
    uint64_t from_ns = p->began_ns > c->options->from_ns ? p->began_ns : c->options->from_ns;

    blocks_each(&p->unfinished, take_moved, &(struct moved_taker){ c, process, ns });
    taker.has_growth = growth_begin(&c->f->growth, process, from_ns / 1000, since_start(c, ns) / 1000, p->live_bytes);
    blocks_each(&p->unfinished, take_unfinished_leak, &taker);
    blocks_each(&p->blocks, take_leak, &taker);
    if (--c->running && c->f->processes[process].leaked_blocks) { /* what the last one leaves shows as alive at the end */
        struct timeline_bucket *bucket = now(c, ns);
        bucket->live_bytes = c->f->costs.live_bytes;
        bucket->live_blocks = c->f->costs.live_blocks;
        if (bucket->least_live > bucket->live_bytes)
            bucket->least_live = bucket->live_bytes;
    }
    c->f->leaked_blocks += c->f->processes[process].leaked_blocks;
    c->f->leaked_bytes += c->f->processes[process].leaked_bytes;
    p->live_bytes = 0;
    blocks_release(&p->blocks);
    blocks_release(&p->unfinished);
}

static void end_stream(struct collector *c, uint32_t stream, uint64_t ns)
{
    uint32_t process = c->log->streams[stream].process;
    struct stream_state *s = &c->streams[stream];

    if (s->ended)
        return;
    s->ended = true;
    leave_unfinished(c, process, stream, ns);
    if (--c->processes[process].open_streams == 0)
        end_process(c, process, ns);
}

static void take(struct collector *c, const struct step *s)
{
    if (c->waiting.count)
        expire(c, s->ns);
    switch (s->type) {
    case STEP_ALLOC:
        c->f->events++;
        take_alloc(c, s);
        return;
    case STEP_FREE:
        c->f->events++;
        take_free(c, s);
        return;
    case STEP_REALLOC_BEGIN:
    case STEP_REALLOC_END:
        c->f->events++;
        take_realloc(c, s);
        return;
    case STEP_REALLOC_FAILED:
    case STEP_REALLOC_FREED:
        take_realloc(c, s);
        return;
    case STEP_ALLOC_FAILED:
        c->f->failed += !is_left_out(c, s);
        return;
    case STEP_PROCESS_STARTS:
        c->processes[s->process].is_fork = s->address;
        c->processes[s->process].began_ns = since_start(c, s->ns);
        c->processes[s->process].pauses += s->size != 0;
        return;
    case STEP_PAUSED:
        c->processes[s->process].pauses++;
        return;
    case STEP_THREAD_BEGINS:
        thread_begins(c, s);
        leave_unfinished(c, s->process, s->stream, s->ns);
        return;
    case STEP_THREAD_ENDS:
        leave_unfinished(c, s->process, s->stream, s->ns);
        return;
    case STEP_MARK:
        note_mark(c, s);
        return;
    case STEP_STREAM_ENDS:
        end_stream(c, s->stream, s->ns);
        return;
    }
}

#define PREFETCHED 12 /* steps ahead: some hundred nanoseconds */

static void prefetch(const struct collector *c, const struct step *s)
{
    if (s->type <= STEP_REALLOC_END)
        blocks_prefetch(&c->processes[s->process].blocks, s->address);
    if (s->type == STEP_ALLOC)
        __builtin_prefetch(&c->f->costs.of[s->leaf]);
}

/* False: no further. */
static bool take_steps(struct collector *c, const struct step *steps, size_t count, uint64_t *last_ns)
{
    for (size_t i = 0; i < count; i++) {
        if (c->options->to_ns && since_start(c, steps[i].ns) > c->options->to_ns)
            return false;
        if (i + PREFETCHED < count)
            prefetch(c, &steps[i + PREFETCHED]);
        take(c, &steps[i]);
        *last_ns = steps[i].ns;
    }
    return true;
}

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
        goes_on = take_steps(c, steps, count, &last_ns);
        if (c->options->goes_on && !c->options->goes_on(c->options->data, feed_progress(feed))) {
            f->interrupted = true;
            goes_on = false;
        }
    }
    expire(c, UINT64_MAX);
    for (uint32_t i = 0; i < c->log->stream_count; i++)
        end_stream(c, i, last_ns); /* where it ended in damage, or we do */
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
    struct collector c = { .f = f, .log = log, .options = options ? options : &everything };

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
