/* The old blocks of reallocs. Between a realloc's begin and its end the old block is still counted as
 * live, but its address may already be another block's. So it waits in its stream until the end says
 * what became of it, or the process ends without one, and it lives on. */
#include "analyze/model/facts_inside.h"

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

void collector_free_old(struct collector *c, const struct step *s, struct block *ret_old)
{
    bool known = end_realloc(&c->streams[s->stream], ret_old);
    uint64_t units = known ? units_of(c, s->process, ret_old->size) : units_of_unknown(c);

    if (known)
        block_dies(c, s->process, ret_old, units, s->ns);
    if (known ? ret_old->leaf == LEAF_LEFT_OUT : !units)
        return;
    count_free(c, s, units, now(c, s->ns));
    if (known)
        note_lifetime(c, ret_old, units, since_start(c, s->ns) / 1000);
}

void collector_leave_unfinished(struct collector *c, uint32_t process, uint32_t stream, uint64_t ns)
{
    struct process_state *p = &c->processes[process];
    struct block old, older;

    if (!end_realloc(&c->streams[stream], &old))
        return;
    if (!p->unfinished)
        p->unfinished = alloc_zeroed(1, sizeof *p->unfinished);
    if (blocks_put(p->unfinished, &old, &older))
        block_dies(c, process, &older, units_of(c, process, older.size), ns);
}

void collector_end_unfinished(struct collector *c, uint32_t process, uint64_t address, uint64_t ns)
{
    struct block old;

    if (blocks_take(c->processes[process].unfinished, address, &old))
        block_dies(c, process, &old, units_of(c, process, old.size), ns);
}

struct reinstater {
    struct collector *c;
    uint32_t process;
    uint64_t ns;
};

static void reinstate_one(void *data, const struct block *block)
{
    const struct reinstater *r = data;
    reinstate(r->c, r->process, block, r->ns);
}

void collector_reinstate_unfinished(struct collector *c, uint32_t process, uint64_t ns)
{
    struct process_state *p = &c->processes[process];

    if (!p->unfinished)
        return;
    blocks_each(p->unfinished, reinstate_one, &(struct reinstater){ c, process, ns });
    blocks_release(p->unfinished);
    free(p->unfinished);
    p->unfinished = NULL;
}

void collector_take_realloc(struct collector *c, const struct step *s)
{
    struct facts *f = c->f;
    struct block old;

    switch (s->type) {
    case STEP_REALLOC_BEGIN:
        collector_leave_unfinished(c, s->process, s->stream, s->ns); /* its end was lost */
        if (s->address && take_out(c, s, &old)) {
            c->streams[s->stream].reallocating = old;
            if (old.grown == BLOCK_GROWN_MAX)
                chains_prefetch(&f->chains, old.number);
        }
        return;
    case STEP_REALLOC_FREED:
        /* Under sampling it is nearly always a realloc into a block that was not recorded:
         * the calls are estimated by their new blocks alone. */
        if (!f->settings.of[s->process].sample_bytes && !is_left_out(c, s))
            f->by_function[s->function] += f->settings.unit;
        collector_free_old(c, s, &old);
        return;
    case STEP_REALLOC_FAILED:
        f->failed += !is_left_out(c, s);
        if (end_realloc(&c->streams[s->stream], &old))
            reinstate(c, s->process, &old, s->ns);
        return;
    }
}
