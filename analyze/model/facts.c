/* Events -> facts. Comes after log/reader.c, which has put the events of all
 * threads in one order. The one hard part is realloc: between its begin and its
 * end the old block is still counted as live, but its address may already be
 * another block's. So it waits in its stream until the end says what became of
 * it, or the process ends without one, and it lives on. */
#include "analyze/model/facts.h"

#include "analyze/log/reader.h"
#include "analyze/model/waiting.h"

#include <string.h>

struct stream_state {
    struct stack_path path;
    struct block reallocating; /* address 0: none */
    uint64_t last_alloc;       /* address of the thread's last allocation, not freed yet */
    uint32_t last_pauses;      /* of its process, then: after another one it may not be the last */
    bool ended;
};

struct collector {
    struct facts *f;
    const struct log *log;
    struct stream_state *streams;
    uint64_t live_bytes, live_blocks; /* of all processes */
    struct waiting waiting;
    struct unfinished *unfinished;
    size_t unfinished_count, unfinished_capacity;
};

/* The old block of a realloc that its thread did not live to see the end of. It lives on, unless its address
 * is given out again: then it had been moved. */
struct unfinished {
    struct facts_process *process;
    struct block block;
};

static char *text_copy(struct text text)
{
    char *copy = copy_text(text.data, text.bytes);
    for (size_t i = 0; i + 1 < text.bytes; i++) /* arguments are separated by 0 */
        if (!copy[i])
            copy[i] = ' ';
    return copy;
}

static struct node_counts *counts_of(struct facts *f, uint32_t node)
{
    f->nodes = grow(f->nodes, &f->node_capacity, node + 1, sizeof *f->nodes);
    return &f->nodes[node];
}

/* What an allocation of this size counts for, in units. */
static uint64_t units_of(const struct collector *c, const struct facts_process *p, uint64_t size)
{
    return settings_units(&c->f->settings, (uint32_t)(p - c->f->processes), size);
}

static void block_lives(struct collector *c, struct facts_process *p, uint64_t size, uint64_t units)
{
    p->live_bytes += size * units;
    c->live_bytes += size * units;
    c->live_blocks += units;
}

static void block_dies(struct collector *c, struct facts_process *p, uint64_t size, uint64_t units)
{
    p->live_bytes -= size * units;
    c->live_bytes -= size * units;
    c->live_blocks -= units;
}

static void note_peak(struct collector *c, uint64_t ns)
{
    if (c->live_bytes > c->f->peak_bytes) {
        c->f->peak_bytes = c->live_bytes;
        c->f->peak_blocks = c->live_blocks;
        c->f->peak_ns = ns - c->log->first_ns;
    }
}

static void count_stack(struct facts *f, unsigned flags)
{
    f->partial_stacks += flags & REC_STACK_PARTIAL ? 1 : 0;
    f->cut_stacks += flags & REC_STACK_CUT ? 1 : 0;
    f->guessed_stacks += flags & REC_STACK_GUESSED ? 1 : 0;
    f->fallback_stacks += flags & REC_STACK_FALLBACK ? 1 : 0;
    f->differing_stacks += flags & REC_STACK_DIFFERS ? 1 : 0;
}

static void end_unfinished(struct collector *c, struct facts_process *p, uint64_t address)
{
    for (size_t i = 0; i < c->unfinished_count; i++) {
        const struct unfinished u = c->unfinished[i];
        if (u.process != p || u.block.address != address)
            continue;
        block_dies(c, p, u.block.size, units_of(c, p, u.block.size));
        c->unfinished[i--] = c->unfinished[--c->unfinished_count];
    }
}

static void add_variance(const struct collector *c, uint32_t process, uint64_t size, double *count, double *bytes)
{
    double weight = settings_weight(&c->f->settings, process, size), one = weight * (weight - 1);

    *count += one;
    *bytes += one * (double)size * (double)size;
}

/* A free has been counted as one before its block was known. */
static void count_late_free(struct collector *c, uint64_t units, const struct waiting_free *lone)
{
    c->f->frees += units - c->f->settings.unit;
    if (lone->function != REC_FN_REALLOC)
        c->f->by_function[lone->function] += units - c->f->settings.unit;
}

static void take_alloc(struct collector *c, const struct timed_event *e)
{
    struct facts *f = c->f;
    struct facts_process *p = &f->processes[e->process];
    struct stream_state *s = &c->streams[e->stream];
    uint32_t node = stack_path_follow(&s->path, &f->stacks, e->chunk, &e->event);
    struct node_counts *counts = counts_of(f, node);
    uint64_t units = units_of(c, p, e->event.size), bytes = e->event.size * units;
    bool fresh;

    f->recorded++;
    f->allocations += units;
    f->by_function[e->event.function] += units;
    f->allocated_bytes += bytes;
    count_stack(f, s->path.at.flags);
    p->allocations += units;
    p->allocated_bytes += bytes;
    counts->allocations += units;
    counts->bytes += bytes;
    sizes_add(&f->sizes, e->event.size, units);
    if (f->settings.sample_bytes)
        add_variance(c, e->process, e->event.size, &f->variance.allocations, &f->variance.bytes);

    if (!e->event.address)
        return;
    if (c->unfinished_count)
        end_unfinished(c, p, e->event.address);
    struct block *block = blocks_insert(&p->blocks, e->event.address, &fresh);
    if (!fresh) {
        f->unseen_frees++;
        block_dies(c, p, block->size, units_of(c, p, block->size));
    }
    block->size = e->event.size;
    block->node = node;
    block->stream = e->stream;
    block_lives(c, p, block->size, units);
    note_peak(c, e->ns);
    struct waiting_free lone;
    if (c->waiting.count && waiting_take(&c->waiting, e->process, e->stream, e->event.address, &lone)) {
        struct block gone;
        blocks_remove(&p->blocks, e->event.address, &gone);
        block_dies(c, p, gone.size, units);
        count_late_free(c, units, &lone);
        return;
    }
    s->last_alloc = e->event.address;
    s->last_pauses = p->pauses;
}

static bool take_out(struct collector *c, const struct timed_event *e, struct block *ret_block)
{
    if (blocks_remove(&c->f->processes[e->process].blocks, e->event.address, ret_block))
        return true;
    waiting_add(&c->waiting, &(struct waiting_free){
        .address = e->event.address, .ns = e->ns, .process = e->process, .stream = e->stream,
        .function = e->event.function });
    return false;
}

/* Counts the frees for which no allocation has come. */
static void expire(struct collector *c, uint64_t ns)
{
    struct waiting_free lone;

    while (waiting_expired(&c->waiting, ns, &lone)) {
        if (c->f->processes[lone.process].start == REC_START_FORK)
            c->f->inherited_frees++;
        else
            c->f->unmatched_frees++;
    }
}

static void take_free(struct collector *c, const struct timed_event *e)
{
    struct facts *f = c->f;
    struct facts_process *p = &f->processes[e->process];
    struct stream_state *s = &c->streams[e->stream];
    struct block block;
    bool known = take_out(c, e, &block);
    uint64_t units = known ? units_of(c, p, block.size) : f->settings.unit;

    f->frees += units;
    f->by_function[e->event.function] += units;
    if (!known)
        return;
    block_dies(c, p, block.size, units);
    if (s->last_alloc == e->event.address && block.stream == e->stream && s->last_pauses == p->pauses) {
        f->temporary += units;
        counts_of(f, block.node)->temporary += units;
    }
    if (s->last_alloc == e->event.address)
        s->last_alloc = 0;
}

/* The old block of a realloc, if one is under way. */
static bool end_realloc(struct stream_state *s, struct block *ret_block)
{
    *ret_block = s->reallocating;
    s->reallocating.address = 0;
    return ret_block->address != 0;
}

static void reinstate(struct collector *c, struct facts_process *p, const struct block *block)
{
    bool fresh;
    struct block *place = blocks_insert(&p->blocks, block->address, &fresh);

    if (fresh)
        *place = *block;
    else /* the address has another block: it was freed after all */
        block_dies(c, p, block->size, units_of(c, p, block->size));
}

/* The old block of a realloc is gone; one that was not known counts as one. */
static void free_old(struct collector *c, struct facts_process *p, struct stream_state *s)
{
    struct block old;
    bool known = end_realloc(s, &old);
    uint64_t units = known ? units_of(c, p, old.size) : c->f->settings.unit;

    c->f->frees += units;
    if (known)
        block_dies(c, p, old.size, units);
}

/* The thread is past a realloc whose end it has not seen: killed, or cancelled in its middle. */
static void leave_unfinished(struct collector *c, struct facts_process *p, struct stream_state *s)
{
    struct block old;

    if (!end_realloc(s, &old))
        return;
    c->unfinished = grow(c->unfinished, &c->unfinished_capacity, c->unfinished_count + 1, sizeof *c->unfinished);
    c->unfinished[c->unfinished_count++] = (struct unfinished){ p, old };
}

static void take_realloc(struct collector *c, const struct timed_event *e)
{
    struct facts *f = c->f;
    struct facts_process *p = &f->processes[e->process];
    struct stream_state *s = &c->streams[e->stream];
    struct block old;

    switch (e->event.type) {
    case EVENT_REALLOC_BEGIN:
        leave_unfinished(c, p, s); /* its end was lost */
        if (take_out(c, e, &old))
            s->reallocating = old;
        return;
    case EVENT_REALLOC_FREED:
        /* Under sampling it is nearly always a realloc into a block that was not recorded:
         * the calls are estimated by their new blocks alone. */
        if (!f->settings.of[e->process].sample_bytes)
            f->by_function[e->event.function] += f->settings.unit;
        free_old(c, p, s);
        return;
    case EVENT_REALLOC_FAILED:
        f->failed++;
        if (end_realloc(s, &old))
            reinstate(c, p, &old);
        return;
    default:
        free_old(c, p, s);
        take_alloc(c, e);
    }
}

static void switch_recording(struct collector *c, struct facts_process *p, uint64_t ns, bool on)
{
    if (p->paused && on)
        p->paused_ns += ns > p->paused_since_ns ? ns - p->paused_since_ns : 0;
    if (!p->paused && !on) {
        p->paused_since_ns = ns;
        p->pauses++;
    }
    p->paused = !on;
    c->f->was_paused |= p->paused;
}

static void take_other(struct collector *c, const struct timed_event *e)
{
    struct facts *f = c->f;
    struct facts_process *p = &f->processes[e->process];
    const struct event *event = &e->event;

    code_take(&f->code, e->process, event);
    switch (event->other) {
    case REC_PROCESS_START:
        if (p->started)
            return;
        p->started = true;
        p->start = event->process.start;
        p->ppid = event->process.ppid;
        p->pid_namespace = event->process.pid_namespace;
        p->began = event->process.began;
        p->parent_image = event->process.parent_image;
        p->exe = text_copy(event->process.exe);
        p->arguments = text_copy(event->process.arguments);
        p->allocator = text_copy(event->process.allocator);
        p->call_graph = text_copy(event->process.call_graph);
        p->other_malloc = text_copy(event->process.other_malloc);
        f->stacks_checked |= strstr(p->call_graph, "checked") != NULL;
        if (event->process.max_depth > f->max_depth)
            f->max_depth = event->process.max_depth;
        if (event->process.thread_bytes > f->recorder_thread_bytes)
            f->recorder_thread_bytes = event->process.thread_bytes;
        if (event->process.flags & REC_PROCESS_PAUSED)
            switch_recording(c, p, e->ns, false);
        return;
    case REC_RECORDING:
        switch_recording(c, p, e->ns, event->recording.on);
        return;
    case REC_MARK:
    case REC_UNTRACED:
    case REC_DEEPBIND:
        notes_take(&f->notes, e, settings_rounded(&f->settings, p->live_bytes));
        return;
    case REC_PROCESS_END:
        if (event->end.status_known) {
            p->status_known = true;
            p->wait_status = event->end.wait_status;
        }
        return;
    case REC_LOST:
        f->lost_events += event->lost.count;
        return;
    case REC_THREAD_BEGIN:
        if (event->thread.nested)
            return;
        p->threads++;
        f->threads++;
        return;
    }
}

static void take_session_record(void *data, const struct timed_event *e)
{
    struct collector *c = data;
    take_other(c, e);
}

static void end_process(struct collector *c, struct facts_process *p)
{
    struct facts *f = c->f;

    for (size_t i = 0; i < c->unfinished_count; i++) {
        if (c->unfinished[i].process != p)
            continue;
        reinstate(c, p, &c->unfinished[i].block);
        c->unfinished[i--] = c->unfinished[--c->unfinished_count];
    }
    for (size_t i = 0; i < p->blocks.capacity; i++) {
        const struct block *block = &p->blocks.places[i];
        if (!block->address)
            continue;
        struct node_counts *counts = counts_of(f, block->node);
        uint64_t units = units_of(c, p, block->size);
        counts->leaked_blocks += units;
        counts->leaked_bytes += block->size * units;
        p->leaked_blocks += units;
        p->leaked_bytes += block->size * units;
        if (f->settings.sample_bytes)
            add_variance(c, (uint32_t)(p - f->processes), block->size, &f->variance.leaked_blocks,
                         &f->variance.leaked_bytes);
    }
    switch_recording(c, p, p->last_ns, true);
    f->leaked_blocks += p->leaked_blocks;
    f->leaked_bytes += p->leaked_bytes;
    c->live_bytes -= p->live_bytes;
    c->live_blocks -= p->leaked_blocks;
    p->live_bytes = 0;
    blocks_release(&p->blocks);
}

static void end_stream(struct collector *c, uint32_t stream)
{
    struct facts_process *p = &c->f->processes[c->log->streams[stream].process];
    struct stream_state *s = &c->streams[stream];

    if (s->ended)
        return;
    s->ended = true;
    stack_path_release(&s->path);
    leave_unfinished(c, p, s);
    if (--p->open_streams == 0)
        end_process(c, p);
}

static void take(struct collector *c, const struct timed_event *e)
{
    struct facts *f = c->f;
    struct facts_process *p = &f->processes[e->process];

    if (c->waiting.count)
        expire(c, e->ns);
    if (!p->first_ns)
        p->first_ns = e->ns;
    p->last_ns = e->ns;
    switch (e->event.type) {
    case EVENT_ALLOC:
        f->events++;
        take_alloc(c, e);
        return;
    case EVENT_FREE:
        f->events++;
        take_free(c, e);
        return;
    case EVENT_REALLOC_BEGIN:
    case EVENT_REALLOC_END:
        f->events++;
        take_realloc(c, e);
        return;
    case EVENT_REALLOC_FAILED:
    case EVENT_REALLOC_FREED:
        take_realloc(c, e);
        return;
    case EVENT_ALLOC_FAILED:
        f->failed++;
        return;
    case EVENT_OTHER:
        if (e->event.other == REC_THREAD_BEGIN || e->event.other == REC_THREAD_END)
            leave_unfinished(c, p, &c->streams[e->stream]);
        take_other(c, e);
        return;
    }
}

static int by_image(const void *left, const void *right, void *data)
{
    const struct log *log = data;
    uint64_t a = log->processes[*(const uint32_t *)left].image, b = log->processes[*(const uint32_t *)right].image;
    return a < b ? -1 : a > b;
}

static void order_processes(struct facts *f, struct log const *log)
{
    f->by_start = alloc_zeroed(f->process_count, sizeof *f->by_start);
    for (uint32_t i = 0; i < f->process_count; i++)
        if (log->processes[i].stream_count && !log->processes[i].left_out)
            f->by_start[f->by_start_count++] = i;
    qsort_r(f->by_start, f->by_start_count, sizeof *f->by_start, by_image, (void *)log);
}

/* From units to numbers; the nodes' are left to those who sum them. */
static void round_all(struct facts *f)
{
    uint64_t *const totals[] = { &f->allocations, &f->frees, &f->temporary, &f->allocated_bytes, &f->peak_bytes,
                                 &f->peak_blocks, &f->leaked_bytes, &f->leaked_blocks };

    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++)
        *totals[i] = settings_rounded(&f->settings, *totals[i]);
    for (size_t i = 0; i < REC_FN_COUNT; i++)
        f->by_function[i] = settings_rounded(&f->settings, f->by_function[i]);
    for (size_t i = 0; i < f->process_count; i++) {
        struct facts_process *p = &f->processes[i];
        p->allocations = settings_rounded(&f->settings, p->allocations);
        p->allocated_bytes = settings_rounded(&f->settings, p->allocated_bytes);
        p->leaked_blocks = settings_rounded(&f->settings, p->leaked_blocks);
        p->leaked_bytes = settings_rounded(&f->settings, p->leaked_bytes);
    }
}

struct facts *facts_collect(const struct log *log)
{
    struct facts *f = alloc_zeroed(1, sizeof *f);
    struct collector c = { .f = f, .log = log, .streams = alloc_zeroed(log->stream_count, sizeof *c.streams) };
    struct reader *reader = reader_open(log);
    struct timed_event event;
    const char *reason;
    uint64_t last_ns = log->first_ns;

    f->process_count = log->process_count;
    f->processes = alloc_zeroed(f->process_count, sizeof *f->processes);
    code_init(&f->code, f->process_count);
    settings_read(log, &f->settings);
    f->sizes.unit = f->settings.unit;
    for (uint32_t i = 0; i < f->process_count; i++) {
        f->processes[i].pid = log->processes[i].pid;
        f->processes[i].image = log->processes[i].image;
        f->processes[i].root = stacks_root(&f->stacks, i);
    }
    for (size_t i = 0; i < log->stream_count; i++) {
        c.streams[i].path.root = f->processes[log->streams[i].process].root;
        f->processes[log->streams[i].process].open_streams++;
    }
    for (size_t i = 0; i < log->live_count; i++)
        f->processes[log->lives[i].process].running |= log->lives[i].running;
    f->lost_events = log->lost_events;
    f->lost_reason = reader_lost_events(log).reason;
    order_processes(f, log);
    reader_session_records(log, take_session_record, &c);
    while (reader_next(reader, &event)) {
        take(&c, &event);
        last_ns = event.ns;
        if (reader_stream_ended(reader))
            end_stream(&c, event.stream);
    }
    expire(&c, UINT64_MAX);
    waiting_release(&c.waiting);
    f->duration_ns = last_ns > log->first_ns ? last_ns - log->first_ns : 0;
    f->bad_chunks = reader_bad_chunks(reader, &f->bad_offset, &reason);
    reader_free(reader);
    for (uint32_t i = 0; i < log->stream_count; i++)
        end_stream(&c, i); /* where it ended in damage */
    free(c.streams);
    free(c.unfinished);
    counts_of(f, (uint32_t)f->stacks.node_count);
    notes_end(&f->notes);
    round_all(f);
    return f;
}

void facts_free(struct facts *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->process_count; i++) {
        struct facts_process *p = &f->processes[i];
        free(p->exe);
        free(p->arguments);
        free(p->allocator);
        free(p->call_graph);
        free(p->other_malloc);
        blocks_release(&p->blocks);
    }
    free(f->processes);
    free(f->by_start);
    free(f->nodes);
    sizes_release(&f->sizes);
    settings_release(&f->settings);
    notes_release(&f->notes);
    stacks_release(&f->stacks);
    code_release(&f->code);
    free(f);
}
