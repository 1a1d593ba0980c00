/* The same rules as those of facts.c, for nothing but which blocks live. */
#include "analyze/model/living.h"

#include "analyze/model/blocks.h"
#include "analyze/model/ends.h"
#include "analyze/model/waiting.h"

#define ASKED_EVERY 65536

/* A realloc whose end has not come. */
struct begun {
    struct block old; /* address 0: it was not known */
    uint64_t number;  /* of its begin; 0: none is under way */
};

struct finder {
    const struct log *log;
    struct living *living;
    struct blocks *blocks;      /* by process */
    struct ends ends;
    struct begun *reallocs;     /* by stream */
    struct blocks **unfinished; /* by process, NULL: none yet; whose end will not come: the block lives on. born_us: the
                                 * begin's number */
    struct waiting waiting;
    uint64_t number;
};

static void keep(struct living *l, uint64_t number)
{
    l->numbers = grow(l->numbers, &l->capacity, l->count + 1, sizeof *l->numbers);
    l->numbers[l->count++] = number;
}

static void keep_block(void *data, const struct block *block)
{
    keep(data, block->number);
}

static void leave_unfinished(struct finder *f, uint32_t process, uint32_t stream)
{
    struct begun *begun = &f->reallocs[stream];
    struct block left = begun->old, old;

    left.born_us = begun->number;
    if (begun->number && left.address) {
        if (!f->unfinished[process])
            f->unfinished[process] = alloc_zeroed(1, sizeof *f->unfinished[process]);
        blocks_put(f->unfinished[process], &left, &old);
    }
    begun->number = 0;
}

static void forget_unfinished(struct finder *f, uint32_t process)
{
    if (f->unfinished[process])
        blocks_release(f->unfinished[process]);
    free(f->unfinished[process]);
    f->unfinished[process] = NULL;
}

static void take_alloc(struct finder *f, const struct timed_event *e)
{
    const struct block block = { .address = e->event.address, .size = e->event.size, .number = f->number };
    struct waiting_free lone;
    struct block old;

    if (e->event.type == EVENT_REALLOC_END)
        f->reallocs[e->stream].number = 0;
    if (!block.address)
        return;
    if (f->unfinished[e->process])
        blocks_take(f->unfinished[e->process], block.address, &old);
    blocks_put(&f->blocks[e->process], &block, &old);
    if (waiting_take(&f->waiting, e->process, e->stream, block.address, &lone))
        blocks_take(&f->blocks[e->process], block.address, &old);
}

static bool take_out(struct finder *f, const struct timed_event *e, struct block *ret_block)
{
    if (blocks_take(&f->blocks[e->process], e->event.address, ret_block))
        return true;
    waiting_add(&f->waiting, &(struct waiting_free){ .address = e->event.address, .ns = e->ns, .process = e->process,
                                                     .stream = e->stream, .number = f->number });
    return false;
}

static void take(struct finder *f, const struct timed_event *e)
{
    struct begun *begun = &f->reallocs[e->stream];
    struct waiting_free gone;
    struct block old = { 0 };

    while (waiting_expired(&f->waiting, e->ns, &gone))
        ;
    f->number += living_is_counted(&e->event);
    switch (e->event.type) {
    case EVENT_ALLOC:
    case EVENT_REALLOC_END:
        take_alloc(f, e);
        return;
    case EVENT_FREE:
        take_out(f, e, &old);
        return;
    case EVENT_REALLOC_BEGIN:
        leave_unfinished(f, e->process, e->stream);
        if (!e->event.address || !take_out(f, e, &old))
            old.address = 0;
        *begun = (struct begun){ old, f->number };
        return;
    case EVENT_REALLOC_FAILED:
        if (begun->number && begun->old.address && !blocks_has(&f->blocks[e->process], begun->old.address))
            blocks_put(&f->blocks[e->process], &begun->old, &old);
        begun->number = 0;
        return;
    case EVENT_REALLOC_FREED:
        begun->number = 0;
        return;
    default:
        if (e->event.type == EVENT_OTHER)
            ends_take(&f->ends, e);
        if (e->event.type == EVENT_OTHER && (e->event.other == REC_THREAD_BEGIN || e->event.other == REC_THREAD_END))
            leave_unfinished(f, e->process, e->stream);
    }
}

static void end_process(struct finder *f, uint32_t process)
{
    blocks_release(&f->blocks[process]);
    forget_unfinished(f, process);
}

static void end_stream(struct finder *f, const struct timed_event *e)
{
    leave_unfinished(f, e->process, e->stream);
    if (ends_of_stream(&f->ends, e))
        end_process(f, e->process);
}

static void end_processes(struct finder *f, uint64_t before_ns)
{
    uint32_t process;
    uint64_t ns;

    while ((process = ends_before(&f->ends, before_ns, &ns)) != ENDS_NONE)
        end_process(f, process);
}

static int by_number(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static void keep_unfinished(void *data, const struct block *block)
{
    keep(data, block->number);
    keep(data, block->born_us);
}

/* Of a block that is not known the begin says nothing; as a free, it may wait for its allocation. */
static void keep_begun(struct living *l, const struct begun *begun)
{
    if (!begun->number || !begun->old.address)
        return;
    keep(l, begun->number);
    keep(l, begun->old.number);
}

static void collect(struct finder *f)
{
    struct living *l = f->living;

    for (size_t i = 0; i < f->log->process_count; i++) {
        blocks_each(&f->blocks[i], keep_block, l);
        if (f->unfinished[i])
            blocks_each(f->unfinished[i], keep_unfinished, l);
    }
    for (size_t i = 0; i < f->log->stream_count; i++)
        keep_begun(l, &f->reallocs[i]);
    for (size_t i = 0; i < f->waiting.count; i++) /* its allocation may come */
        if (!f->ends.has_ended[f->waiting.frees[i].process])
            keep(l, f->waiting.frees[i].number);
    if (l->count)
        qsort(l->numbers, l->count, sizeof *l->numbers, by_number);
}

bool living_find(const struct log *log, const struct settings *settings, uint64_t from_ns, bool (*goes_on)(void *data, double progress), void *data,
                 struct living *ret_living)
{
    struct living living = { 0 };
    struct finder f = { .log = log, .living = &living };
    struct reader *reader = reader_open(log);
    struct timed_event e;
    bool is_good = true;

    f.blocks = alloc_zeroed(log->process_count, sizeof *f.blocks);
    f.unfinished = alloc_zeroed(log->process_count, sizeof *f.unfinished);
    f.reallocs = alloc_zeroed(log->stream_count, sizeof *f.reallocs);
    ends_find(log, settings, &f.ends);
    for (uint64_t i = 1; is_good && reader_next(reader, &e) && (e.ns < log->first_ns || e.ns - log->first_ns < from_ns); i++) {
        end_processes(&f, e.ns);
        take(&f, &e);
        if (reader_stream_ended(reader))
            end_stream(&f, &e);
        is_good = i % ASKED_EVERY || goes_on(data, reader_progress(reader));
    }
    reader_free(reader);
    end_processes(&f, log->first_ns + from_ns);
    collect(&f);
    living.has_ended = alloc_zeroed(log->process_count, sizeof *living.has_ended);
    for (size_t i = 0; i < log->process_count; i++) {
        living.has_ended[i] = f.ends.has_ended[i] || !log->processes[i].stream_count;
        blocks_release(&f.blocks[i]);
        forget_unfinished(&f, (uint32_t)i);
    }
    free(f.blocks);
    ends_release(&f.ends);
    free(f.reallocs);
    free(f.unfinished);
    waiting_release(&f.waiting);
    *ret_living = living;
    return is_good;
}

void living_release(struct living *l)
{
    free(l->numbers);
    free(l->has_ended);
    *l = (struct living){ 0 };
}
