/* What facts.c's files share: the state of the one pass, and what a block's life and death change. What is
 * needed for each event is inline. */
#ifndef MALLOSCOPE_MODEL_FACTS_INSIDE_H
#define MALLOSCOPE_MODEL_FACTS_INSIDE_H

#include "analyze/model/facts.h"

#include "analyze/model/blocks.h"
#include "analyze/model/feed.h"
#include "analyze/model/floors.h"
#include "analyze/model/waiting.h"

/* Blocks that options leave out: they live, so that their frees are known, and count nowhere. */
#define LEAF_LEFT_OUT BLOCK_LEAF_MAX

struct process_state {
    struct blocks blocks; /* live ones */
    struct blocks *unfinished; /* the old blocks of reallocs that their threads did not live to see the end of; NULL:
                                * none yet. They live on, unless their addresses are given out again: then they had
                                * been moved */
    struct floors floors;    /* of all blocks */
    uint64_t left_out_bytes; /* in those that live and are left out, in units */
    uint64_t began_ns;    /* since the session's start */
    uint64_t end_ns;      /* CLOCK_MONOTONIC */
    uint64_t paused_at;   /* allocations of the session when it was last paused: what comes next is not known */
    uint32_t pauses;
    bool is_fork, has_rounding, has_ended;
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
    const struct ends *ends; /* no more of it than is_replaced, which does not change */
    struct process_state *processes;
    struct stream_state *streams;
    struct thread_state *threads;
    size_t running; /* processes that have not ended */
    uint64_t first_ns;  /* the log's */
    bool is_sampled;    /* a process at least; else each allocation counts as 1 */
    bool has_left_out;  /* options leave something out */
    bool has_threshold; /* of temporary ones */
    size_t thread_capacity, facts_thread_capacity;
    uint64_t begins_ns; /* when the part of another log does that this one is; CLOCK_MONOTONIC; 0: it is none */
    uint64_t number; /* allocations so far */
    uint64_t bytes_left; /* in units, that can still be allocated without a sum running over */
    uint64_t uncounted;  /* allocations that would have made one */
    struct waiting waiting;
    uint64_t *mark_bytes; /* live in the mark's process */
    size_t mark_capacity;
};

/* facts_pass.c */
void collector_take_steps(struct collector *c, const struct step *steps, size_t count);
/* Counts the frees for which no allocation has come. */
void collector_expire(struct collector *c, uint64_t ns);

/* facts_reallocs.c: a step of a realloc, but for its end. */
void collector_take_realloc(struct collector *c, const struct step *s);
/* The old block of a realloc is gone; one that was not known counts as one, and has address 0. */
void collector_free_old(struct collector *c, const struct step *s, struct block *ret_old);
/* The thread is past a realloc whose end it has not seen: killed, or cancelled in its middle. */
void collector_leave_unfinished(struct collector *c, uint32_t process, uint32_t stream, uint64_t ns);
/* The address is given out again: what was there had been moved. To be called where there are some. */
void collector_end_unfinished(struct collector *c, uint32_t process, uint64_t address, uint64_t ns);
/* The process ends, and with it what might become of them: they live on. */
void collector_reinstate_unfinished(struct collector *c, uint32_t process, uint64_t ns);

/* facts_ends.c. More than once is as once. */
void collector_end_stream(struct collector *c, uint32_t stream, uint64_t ns);
void collector_end_process(struct collector *c, uint32_t process, uint64_t ns);
/* All that has not ended is at its end as far as this is told, and lives until then. */
void collector_end_all(struct collector *c, uint64_t ns);

static inline uint64_t since_start(const struct collector *c, uint64_t ns)
{
    return ns > c->first_ns ? ns - c->first_ns : 0;
}

/* In units. */
static inline uint64_t live_bytes_of(const struct process_state *p)
{
    return p->floors.live_bytes - p->left_out_bytes;
}

/* What an allocation of this size counts for, in units. */
static inline uint64_t units_of(const struct collector *c, uint32_t process, uint64_t size)
{
    return c->is_sampled ? settings_units(&c->f->settings, process, size) : 1;
}

/* What a free counts for as long as nothing is known of its block. In a part that may be another's (a forked child
 * frees what its parent allocated before the part): then it counts for nothing. */
static inline uint64_t units_of_unknown(const struct collector *c)
{
    return c->has_left_out ? 0 : c->f->settings.unit;
}

static inline struct timeline_bucket *now(struct collector *c, uint64_t ns)
{
    return timeline_at(&c->f->timeline, since_start(c, ns), c->f->costs.live_bytes, c->f->costs.live_blocks);
}

static inline bool is_left_out(const struct collector *c, const struct step *s)
{
    return c->has_left_out && ((c->options->from_ns && since_start(c, s->ns) < c->options->from_ns) ||
                               (c->options->tids && c->threads[s->thread].left_out));
}

/* A block that is not left out is gone from what lives in this bucket's time. */
static inline void count_death(struct collector *c, const struct block *block, uint64_t units, struct timeline_bucket *bucket)
{
    struct costs *costs = &c->f->costs;

    costs_die(costs, block->leaf, block->size, units);
    bucket->live_bytes = costs->live_bytes;
    bucket->live_blocks = costs->live_blocks;
    if (bucket->least_live > costs->live_bytes)
        bucket->least_live = costs->live_bytes;
}

static inline void block_dies(struct collector *c, uint32_t process, const struct block *block, uint64_t units, uint64_t ns)
{
    struct process_state *p = &c->processes[process];

    floors_fall(&p->floors, ns, block->size * units);
    if (block->leaf == LEAF_LEFT_OUT)
        p->left_out_bytes -= block->size * units;
    else
        count_death(c, block, units, now(c, ns));
}

static inline void count_free(struct collector *c, const struct step *s, uint64_t units, struct timeline_bucket *bucket)
{
    c->f->frees += units;
    c->f->threads[s->thread].frees += units;
    bucket->frees += units;
}

static inline unsigned lifetime_class(uint64_t length)
{
    unsigned class = length ? 64 - (unsigned)__builtin_clzll(length) : 0;
    return class < FACTS_LIFETIMES ? class : FACTS_LIFETIMES - 1;
}

/* A block that is not left out, whose free was seen. */
static inline void note_lifetime(struct collector *c, const struct block *block, uint64_t units, uint64_t now_us)
{
    struct stack_costs *costs = &c->f->costs.of[block->leaf];
    uint64_t us = now_us > block->born_us ? now_us - block->born_us : 0, allocations = c->number - block->number;

    costs->freed += units;
    costs->lifetime_us += us * units;
    costs->lifetime_allocations += allocations * units;
    c->f->lifetimes_us[lifetime_class(us)] += units;
    c->f->lifetimes_allocations[lifetime_class(allocations)] += units;
}

static inline bool take_out(struct collector *c, const struct step *s, struct block *ret_block)
{
    if (blocks_take(&c->processes[s->process].blocks, s->address, ret_block))
        return true;
    waiting_add(&c->waiting, &(struct waiting_free){
        .address = s->address, .ns = s->ns, .process = s->process, .stream = s->stream,
        .thread = s->thread, .function = s->function });
    return false;
}

static inline void add_variance(const struct collector *c, uint32_t process, uint64_t size, double *count, double *bytes)
{
    double weight = settings_weight(&c->f->settings, process, size), one = weight * (weight - 1);

    *count += one;
    *bytes += one * (double)size * (double)size;
}

#endif
