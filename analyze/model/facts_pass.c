/* Steps -> what they change. All steps go through here, one after the other: memory is the bottleneck, so
 * what a step will look at is asked for some steps ahead. */
#include "analyze/model/facts_inside.h"

#include "analyze/model/rounding.h"

static void block_lives(struct collector *c, const struct block *block, uint64_t units, uint64_t ns, struct timeline_bucket *bucket)
{
    struct costs *all = &c->f->costs;

    costs_live(all, block->leaf, block->size, units, ns);
    bucket->live_bytes = all->live_bytes;
    bucket->live_blocks = all->live_blocks;
    if (bucket->most_live < all->live_bytes)
        bucket->most_live = all->live_bytes;
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

/* A free has been counted before its block was known. */
static void count_late_free(struct collector *c, const struct step *s, uint64_t units, const struct waiting_free *lone)
{
    uint64_t uncounted = units - units_of_unknown(c);

    c->f->frees += uncounted;
    c->f->threads[lone->thread].frees += uncounted;
    now(c, s->ns)->frees += uncounted;
    if (lone->function != REC_FN_REALLOC)
        c->f->by_function[lone->function] += uncounted;
}

static void count_allocation(struct collector *c, const struct step *s, uint64_t units, struct timeline_bucket *bucket)
{
    struct facts *f = c->f;
    struct facts_process *p = &f->processes[s->process];
    struct facts_thread *thread = &f->threads[s->thread];
    struct stack_costs *costs = &f->costs.of[s->leaf];
    uint64_t bytes = s->size * units;

    f->recorded++;
    f->allocations += units;
    f->by_function[s->function] += units;
    f->allocated_bytes += bytes;
    if (s->ns < c->begins_ns) {
        f->carried += units;
        f->carried_bytes += bytes;
    }
    count_stack(f, s->stack_flags);
    p->allocations += units;
    p->allocated_bytes += bytes;
    thread->allocations += units;
    thread->allocated_bytes += bytes;
    costs->allocations += units;
    costs->bytes += bytes;
    if (c->processes[s->process].has_rounding)
        costs->rounding += rounding_of(s->size) * units;
    costs->least = s->size < costs->least ? s->size : costs->least;
    costs->most = s->size > costs->most ? s->size : costs->most;
    bucket->allocations += units;
    bucket->bytes += bytes;
    sizes_add(&f->sizes, s->size, units);
    if (c->is_sampled)
        add_variance(c, s->process, s->size, &f->variance.allocations, &f->variance.bytes);
}

/* No sum of bytes is larger than that of all allocations. */
static bool is_beyond_sums(struct collector *c, uint64_t size, uint64_t units)
{
    uint64_t bytes;
    bool is_beyond = __builtin_mul_overflow(size, units, &bytes) || bytes > c->bytes_left;

    if (is_beyond)
        c->uncounted++;
    else
        c->bytes_left -= bytes;
    return is_beyond;
}

/* The new block; grown: by how many reallocs. */
static void take_alloc(struct collector *c, const struct step *s, uint8_t grown)
{
    struct process_state *p = &c->processes[s->process];
    uint64_t units = units_of(c, s->process, s->size);
    bool left_out = is_left_out(c, s);
    const struct block block = { .address = s->address, .size = s->size, .number = ++c->number,
                                 .born_us = since_start(c, s->ns) / 1000, .leaf = left_out ? LEAF_LEFT_OUT : s->leaf, .grown = grown };
    struct timeline_bucket *bucket = NULL;
    struct block old;

    if (is_beyond_sums(c, s->size, units))
        return;
    if (!left_out) {
        bucket = now(c, s->ns);
        count_allocation(c, s, units, bucket);
    }
    if (!s->address)
        return;
    if (p->unfinished)
        collector_end_unfinished(c, s->process, s->address, s->ns);
    if (blocks_put(&p->blocks, &block, &old)) {
        c->f->unseen_frees++;
        block_dies(c, s->process, &old, units_of(c, s->process, old.size), s->ns);
    }
    floors_rise(&p->floors, s->ns, s->size * units);
    if (left_out)
        p->left_out_bytes += s->size * units;
    else
        block_lives(c, &block, units, s->ns, bucket);
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

void collector_expire(struct collector *c, uint64_t ns)
{
    struct waiting_free lone;

    while (waiting_expired(&c->waiting, ns, &lone)) {
        if (c->processes[lone.process].is_fork)
            c->f->inherited_frees++;
        else
            c->f->unmatched_frees++;
    }
}

static void add_temporary(struct collector *c, const struct step *s, const struct block *block, uint64_t units)
{
    c->f->temporary += units;
    c->f->threads[s->thread].temporary += units;
    c->f->costs.of[block->leaf].temporary += units;
}

static bool is_within(const struct collector *c, const struct step *s, const struct block *block, uint64_t now_us)
{
    const struct facts_threshold *within = &c->f->temporary_within;

    if (within->us)
        return now_us <= block->born_us + within->us;
    return c->number - block->number < within->allocations && block->number > c->processes[s->process].paused_at;
}

static void count_temporary(struct collector *c, const struct step *s, const struct block *block, uint64_t units, uint64_t now_us)
{
    struct thread_state *thread = &c->threads[s->thread];

    if (c->number - block->number < BRIEF_ALLOCATIONS)
        c->f->costs.of[block->leaf].brief += units;
    if (c->has_threshold) {
        if (is_within(c, s, block, now_us))
            add_temporary(c, s, block, units);
        return;
    }
    if (thread->last_number != block->number)
        return;
    if (thread->last_pauses == c->processes[s->process].pauses)
        add_temporary(c, s, block, units);
    thread->last_number = 0;
}

static void count_unknown_free(struct collector *c, const struct step *s)
{
    uint64_t units = units_of_unknown(c);

    if (!units) /* the timeline may not have begun */
        return;
    count_free(c, s, units, now(c, s->ns));
    c->f->by_function[s->function] += units;
}

static void take_free(struct collector *c, const struct step *s)
{
    struct block block;

    if (!take_out(c, s, &block)) {
        count_unknown_free(c, s);
        return;
    }
    struct process_state *p = &c->processes[s->process];
    uint64_t units = units_of(c, s->process, block.size), now_us = since_start(c, s->ns) / 1000;
    floors_fall(&p->floors, s->ns, block.size * units);
    if (block.leaf == LEAF_LEFT_OUT) {
        p->left_out_bytes -= block.size * units;
        return;
    }
    struct timeline_bucket *bucket = now(c, s->ns);
    count_death(c, &block, units, bucket);
    count_free(c, s, units, bucket);
    c->f->by_function[s->function] += units;
    note_lifetime(c, &block, units, now_us);
    count_temporary(c, s, &block, units, now_us);
}

/* A block became another one. */
static void take_growth(struct collector *c, const struct step *s, const struct block *old, uint8_t grown)
{
    const struct block block = { .address = s->address, .size = s->size, .number = c->number, .leaf = s->leaf, .grown = grown };

    if (old->size < s->size)
        c->f->costs.of[s->leaf].regrown += units_of(c, s->process, s->size);
    if (grown == BLOCK_GROWN_MAX && settings_all_recorded(&c->f->settings))
        chains_take(&c->f->chains, old, &block);
}

static void take_realloc_end(struct collector *c, const struct step *s)
{
    struct block old;
    uint8_t grown = 0;

    collector_free_old(c, s, &old);
    bool counts = old.address && old.leaf != LEAF_LEFT_OUT && !is_left_out(c, s);
    if (counts && old.size <= s->size)
        grown = old.grown + (old.size < s->size && old.grown < BLOCK_GROWN_MAX);
    take_alloc(c, s, grown);
    if (counts)
        take_growth(c, s, &old, grown);
}

static void thread_begins(struct collector *c, const struct step *s)
{
    const struct facts_options *options = c->options;
    bool wanted = !options->tids;

    for (size_t i = 0; i < options->tid_count && !wanted; i++)
        wanted = options->tids[i] == s->address;
    c->threads[s->thread].left_out = !wanted;
}

static void process_begins(struct collector *c, const struct step *s)
{
    struct process_state *p = &c->processes[s->process];
    uint64_t from_ns = c->log->first_ns + c->options->from_ns;

    p->began_ns = since_start(c, s->ns);
    floors_begin(&p->floors, s->ns > from_ns ? s->ns : from_ns);
}

static void note_mark(struct collector *c, const struct step *s)
{
    c->mark_bytes = grow(c->mark_bytes, &c->mark_capacity, s->size + 1, sizeof *c->mark_bytes);
    c->mark_bytes[s->size] = settings_rounded(&c->f->settings, live_bytes_of(&c->processes[s->process]));
}

static void take(struct collector *c, const struct step *s)
{
    if (c->waiting.count)
        collector_expire(c, s->ns);
    switch (s->type) {
    case STEP_ALLOC:
        c->f->events++;
        take_alloc(c, s, 0);
        return;
    case STEP_FREE:
        c->f->events++;
        take_free(c, s);
        return;
    case STEP_REALLOC_BEGIN:
        c->f->events++;
        collector_take_realloc(c, s);
        return;
    case STEP_REALLOC_END:
        c->f->events++;
        take_realloc_end(c, s);
        return;
    case STEP_REALLOC_FAILED:
    case STEP_REALLOC_FREED:
        collector_take_realloc(c, s);
        return;
    case STEP_ALLOC_FAILED:
        c->f->failed += !is_left_out(c, s);
        return;
    case STEP_PROCESS_STARTS:
        c->processes[s->process].is_fork = s->address;
        process_begins(c, s);
        c->processes[s->process].pauses += s->size != 0;
        return;
    case STEP_PAUSED:
        c->processes[s->process].pauses++;
        c->processes[s->process].paused_at = c->number;
        return;
    case STEP_THREAD_BEGINS:
        thread_begins(c, s);
        collector_leave_unfinished(c, s->process, s->stream, s->ns);
        return;
    case STEP_THREAD_ENDS:
        collector_leave_unfinished(c, s->process, s->stream, s->ns);
        return;
    case STEP_MARK:
        note_mark(c, s);
        return;
    case STEP_STREAM_ENDS:
        collector_end_stream(c, s->stream, s->ns);
        return;
    case STEP_PROCESS_ENDS:
        collector_end_process(c, s->process, s->ns);
        return;
    }
}

/* So many steps are looked at together, two turns before theirs: memory is asked for what leads to their blocks. When that
 * is there, a turn before, it is asked for the blocks. */
#define TURN 16

struct ahead {
    const struct step *steps[TURN];
    size_t count;
};

/* What would be the steps from here on, if there are any. */
static void search(const struct collector *c, const struct step *from, const struct step *end, struct ahead *ret_ahead)
{
    ret_ahead->count = 0;
    for (const struct step *s = from; s < from + TURN && s < end; s++) {
        if (s->type <= STEP_REALLOC_END && blocks_prefetch(&c->processes[s->process].blocks, s->address))
            ret_ahead->steps[ret_ahead->count++] = s;
        if (s->type == STEP_ALLOC)
            __builtin_prefetch(&c->f->costs.of[s->leaf]);
    }
}

static void prefetch(const struct collector *c, const struct ahead *ahead)
{
    for (size_t i = 0; i < ahead->count; i++)
        blocks_prefetch_place(&c->processes[ahead->steps[i]->process].blocks, ahead->steps[i]->address);
}

void collector_take_steps(struct collector *c, const struct step *steps, size_t count)
{
    const struct step *end = steps + count;
    struct ahead ahead = { .count = 0 };

    for (const struct step *s = steps; s < end; s++) {
        if ((s - steps) % TURN == 0) {
            prefetch(c, &ahead);
            search(c, s + 2 * TURN, end, &ahead);
        }
        take(c, s);
    }
}
