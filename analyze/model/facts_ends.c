/* The ends of streams and processes: what a process has not freed then is a leak. */
#include "analyze/model/facts_inside.h"

struct leak_taker {
    struct collector *c;
    uint32_t process;
    uint64_t end_us; /* of the process, since the session's start */
    bool has_exited;
    struct growth_process *growth; /* NULL: not wanted */
    uint64_t *sizes; /* of sampled ones */
    size_t size_count, size_capacity;
};

static void add_units(struct leak_list *list, uint32_t leaf, uint64_t blocks, uint64_t bytes)
{
    list->of = grow(list->of, &list->capacity, leaf + 1, sizeof *list->of);
    list->of[leaf].blocks += blocks;
    list->of[leaf].bytes += bytes;
}

static void note_leak(struct facts *f, const struct leak_taker *t, const struct block *block, uint64_t units)
{
    f->leak_times = grow(f->leak_times, &f->leak_times_capacity, block->leaf + 1, sizeof *f->leak_times);
    struct leak_times *times = &f->leak_times[block->leaf];
    bool is_first = !f->costs.of[block->leaf].leaked_blocks && !leak_list_at(&f->left, block->leaf).blocks;
    if (is_first || block->born_us < times->first_us)
        times->first_us = block->born_us;
    if (t->end_us > block->born_us && t->end_us - block->born_us > times->age_us)
        times->age_us = t->end_us - block->born_us;
    if (!t->has_exited && !f->processes[t->process].goes_on)
        add_units(&f->unended, block->leaf, units, block->size * units);
}

static void take_leak(void *data, const struct block *block)
{
    struct leak_taker *t = data;
    struct facts *f = t->c->f;
    struct facts_process *p = &f->processes[t->process];

    if (block->leaf == LEAF_LEFT_OUT)
        return;
    struct stack_costs *costs = &f->costs.of[block->leaf];
    uint64_t units = units_of(t->c, t->process, block->size);
    note_leak(f, t, block, units);
    costs->leaked_blocks += units;
    costs->leaked_bytes += block->size * units;
    p->leaked_blocks += units;
    p->leaked_bytes += block->size * units;
    costs_die(&f->costs, block->leaf, block->size, units);
    if (t->growth)
        growth_take(&f->growth, t->growth, block->leaf, block->born_us, block->size * units);
    if (f->settings.sample_bytes) {
        t->sizes = grow(t->sizes, &t->size_capacity, t->size_count + 1, sizeof *t->sizes);
        t->sizes[t->size_count++] = block->size;
    }
}

static int by_size(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

/* Blocks come in no order, and how a sum of fractions is rounded depends on theirs. */
static void add_leak_variance(struct leak_taker *t)
{
    struct facts *f = t->c->f;

    if (t->size_count)
        qsort(t->sizes, t->size_count, sizeof *t->sizes, by_size);
    for (size_t i = 0; i < t->size_count; i++)
        add_variance(t->c, t->process, t->sizes[i], &f->variance.leaked_blocks, &f->variance.leaked_bytes);
    free(t->sizes);
}

/* So that the timeline goes on until then; of nothing there is none. */
static void reach(struct collector *c, uint64_t ns)
{
    if (c->f->timeline.count)
        now(c, ns);
}

static void lower_timeline(struct collector *c, uint64_t ns)
{
    struct timeline_bucket *bucket = now(c, ns);

    bucket->live_bytes = c->f->costs.live_bytes;
    bucket->live_blocks = c->f->costs.live_blocks;
    if (bucket->least_live > bucket->live_bytes)
        bucket->least_live = bucket->live_bytes;
}

/* As endings_find() will tell. */
static bool has_exited(const struct collector *c, uint32_t process)
{
    return !c->ends->is_replaced[process] && told_has_exited(&c->f->told.processes[process]);
}

/* is_at_end: of the time that is told of. What lives then shows as alive. */
static void end_process(struct collector *c, uint32_t process, uint64_t ns, bool is_at_end)
{
    struct process_state *p = &c->processes[process];
    struct leak_taker taker = { .c = c, .process = process, .end_us = since_start(c, ns) / 1000, .has_exited = has_exited(c, process) };
    uint64_t from_ns = p->began_ns > c->options->from_ns ? p->began_ns : c->options->from_ns;

    reach(c, ns); /* till now all this lived */
    collector_reinstate_unfinished(c, process, ns);
    if (floors_have_risen(&p->floors, c->log->first_ns + from_ns, ns))
        taker.growth = growth_begin(&c->f->growth, process, from_ns / 1000, since_start(c, ns) / 1000, live_bytes_of(p));
    blocks_each(&p->blocks, take_leak, &taker);
    add_leak_variance(&taker);
    if (--c->running && !is_at_end && c->f->processes[process].leaked_blocks)
        lower_timeline(c, ns);
    c->f->leaked_blocks += c->f->processes[process].leaked_blocks;
    c->f->leaked_bytes += c->f->processes[process].leaked_bytes;
    floors_release(&p->floors);
    p->has_ended = true;
    p->end_ns = ns;
    blocks_release(&p->blocks);
}

void collector_end_stream(struct collector *c, uint32_t stream, uint64_t ns)
{
    uint32_t process = c->log->streams[stream].process;
    struct stream_state *s = &c->streams[stream];

    if (s->ended)
        return;
    s->ended = true;
    collector_leave_unfinished(c, process, stream, ns);
}

void collector_end_process(struct collector *c, uint32_t process, uint64_t ns)
{
    if (!c->processes[process].has_ended)
        end_process(c, process, ns, c->f->told.processes[process].running);
}

/* What has leaked so far does not live when the part ends: its processes do not. */
static void set_left_apart(struct facts *f)
{
    for (uint32_t leaf = 0; leaf < f->costs.capacity; leaf++) {
        struct stack_costs *costs = &f->costs.of[leaf];
        if (costs->leaked_blocks)
            add_units(&f->left, leaf, costs->leaked_blocks, costs->leaked_bytes);
        costs->leaked_blocks = costs->leaked_bytes = 0;
    }
    f->left_blocks = f->leaked_blocks;
    f->left_bytes = f->leaked_bytes;
    f->leaked_blocks = f->leaked_bytes = 0;
    f->variance.leaked_blocks = f->variance.leaked_bytes = 0;
}

void collector_end_all(struct collector *c, uint64_t ns)
{
    if (c->f->goes_on)
        set_left_apart(c->f);
    reach(c, ns);
    for (uint32_t i = 0; i < c->log->stream_count; i++)
        collector_end_stream(c, i, ns);
    for (uint32_t i = 0; i < c->log->process_count; i++)
        if (c->log->processes[i].stream_count && !c->log->processes[i].left_out && !c->processes[i].has_ended) {
            c->f->processes[i].goes_on = c->f->goes_on;
            end_process(c, i, ns, true);
        }
}
