#include "analyze/model/feed.h"

#include <pthread.h>

#define THREAD_NONE UINT32_MAX

#define BATCH_STEPS 4096
#define BATCHES 16
#define BATCHES_TURN 8 /* so many are there or free before who waits for them is woken: each switch costs */

struct batch {
    struct step steps[BATCH_STEPS];
    size_t count; /* 0: the end */
    size_t leaves, threads;
    double progress;
};

struct feed {
    const struct log *log;
    struct told *told;
    struct reader *reader;
    struct stack_path *paths; /* by stream */
    uint32_t *threads;        /* by stream: the one that it has now */
    const struct timed_event *event; /* the next; NULL: not looked at */
    uint64_t to_ns;
    uint64_t calm_ns; /* up to here no process ends but with its events, and all is wanted; as far as it was looked at */
    struct ends *ends;
    bool at_end, was_cut;

    bool is_threaded;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stop;
    size_t filled, used; /* batches so far; the ring has filled - used */
    struct batch batches[BATCHES];
    const struct batch *now;
};

static uint32_t leaf_of(struct feed *f, const struct timed_event *e, struct step *step)
{
    struct stack_path *path = &f->paths[e->stream];

    stack_path_follow(path, &f->told->stacks, e->chunk, &e->event);
    step->stack_flags = path->at.flags;
    return stack_path_leaf(path, &f->told->stacks, (uint8_t)e->event.function);
}

/* A record of words. False: it is no step. */
static bool take_other(struct feed *f, const struct timed_event *e, struct step *step)
{
    const struct event *event = &e->event;
    struct threads *threads = &f->told->threads;
    size_t marks = f->told->notes.mark_count;

    told_take(f->told, e);
    ends_take(f->ends, e);
    switch (event->other) {
    case REC_THREAD_BEGIN:
        f->threads[e->stream] = threads_begin(threads, e->process, event->thread.tid, event->thread.nested,
                                              event->thread.name.data, event->thread.name.bytes);
        step->thread = f->threads[e->stream];
        step->address = event->thread.tid;
        step->type = STEP_THREAD_BEGINS;
        return true;
    case REC_THREAD_NAME:
        if (f->threads[e->stream] != THREAD_NONE)
            threads_name(threads, f->threads[e->stream], event->thread.name.data, event->thread.name.bytes);
        return false;
    case REC_THREAD_END:
        step->type = STEP_THREAD_ENDS;
        return true;
    case REC_PROCESS_START:
        step->type = STEP_PROCESS_STARTS;
        step->address = event->process.start == REC_START_FORK;
        step->size = (event->process.flags & REC_PROCESS_PAUSED) != 0;
        return true;
    case REC_RECORDING:
        step->type = STEP_PAUSED;
        return !event->recording.on;
    case REC_MARK:
        step->type = STEP_MARK;
        step->size = marks;
        return f->told->notes.mark_count > marks; /* else there are too many to keep */
    }
    return false;
}

static bool make_step(struct feed *f, const struct timed_event *e, struct step *step)
{
    static const uint8_t types[] = {
        [EVENT_ALLOC] = STEP_ALLOC, [EVENT_FREE] = STEP_FREE, [EVENT_REALLOC_BEGIN] = STEP_REALLOC_BEGIN,
        [EVENT_REALLOC_END] = STEP_REALLOC_END, [EVENT_REALLOC_FAILED] = STEP_REALLOC_FAILED,
        [EVENT_REALLOC_FREED] = STEP_REALLOC_FREED, [EVENT_ALLOC_FAILED] = STEP_ALLOC_FAILED,
    };
    struct told_process *p = &f->told->processes[e->process];

    if (!p->first_ns)
        p->first_ns = e->ns;
    p->last_ns = e->ns;
    step->ns = e->ns;
    step->process = e->process;
    step->stream = e->stream;
    step->thread = f->threads[e->stream];
    if (e->event.type == EVENT_OTHER)
        return take_other(f, e, step);
    if (step->thread == THREAD_NONE) /* the record of its begin was lost */
        step->thread = f->threads[e->stream] = threads_begin(&f->told->threads, e->process, 0, false, "", 0);
    step->type = types[e->event.type];
    step->function = e->event.function;
    step->address = e->event.address;
    step->size = rec_size_counted(e->event.size);
    if (e->event.type == EVENT_ALLOC || e->event.type == EVENT_REALLOC_END)
        step->leaf = leaf_of(f, e, step);
    return true;
}

static void end_stream(struct feed *f, const struct timed_event *e, struct step *step)
{
    *step = (struct step){ .ns = e->ns, .process = e->process, .stream = e->stream, .thread = f->threads[e->stream],
                           .type = STEP_STREAM_ENDS };
    stack_path_release(&f->paths[e->stream]);
}

static struct step end_process(struct feed *f, uint32_t process, uint64_t ns)
{
    code_end_process(&f->told->code, process);
    return (struct step){ .ns = ns, .process = process, .stream = UINT32_MAX, .thread = THREAD_NONE, .type = STEP_PROCESS_ENDS };
}

/* Makes the event's steps; behind the last of them. */
static struct step *take_event(struct feed *f, const struct timed_event *event, struct step *step)
{
    step += make_step(f, event, step);
    if (!reader_stream_ended(f->reader))
        return step;
    end_stream(f, event, step++);
    if (ends_of_stream(f->ends, event))
        *step++ = end_process(f, event->process, event->ns);
    return step;
}

static bool has_code(const struct feed *f, uint32_t process, uint32_t pc)
{
    return code_is_announced(&f->told->code, process, pc);
}

/* A code address is used at times before another thread announces it. */
static void take_late_code(struct feed *f)
{
    const struct code *code = &f->told->code;
    _cleanup_free_ struct late { uint32_t process, pc; } *missing = NULL;
    size_t count = 0, capacity = 0;

    for (uint32_t i = 1; i < code->pc_count; i++) {
        const struct code_pc *pc = &code->pcs[i];
        if (pc->is_known || has_code(f, pc->process, pc->number))
            continue;
        missing = grow(missing, &capacity, count + 1, sizeof *missing);
        missing[count++] = (struct late){ pc->process, pc->number };
    }
    for (const struct timed_event *e = f->event; count && e; e = reader_look(f->reader)) {
        if (e->event.type != EVENT_OTHER || e->event.other != REC_PC || has_code(f, e->process, e->event.pc.id))
            continue;
        code_take(&f->told->code, e->process, &e->event, e->ns);
        while (count && has_code(f, missing[count - 1].process, missing[count - 1].pc))
            count--;
    }
}

/* Nothing after this moment is wanted. */
static void cut(struct feed *f)
{
    f->was_cut = true;
    f->at_end = true;
    take_late_code(f);
}

/* What comes before the next event, if something does: the end of a process, or of all. */
static struct step *take_end(struct feed *f, struct step *step)
{
    uint64_t ns;
    uint32_t process = ends_before(f->ends, f->event ? f->event->ns : UINT64_MAX, &ns);

    f->calm_ns = f->ends->next_ns < f->to_ns ? f->ends->next_ns : f->to_ns;
    if (process != ENDS_NONE && ns > f->to_ns) {
        f->ends->has_ended[process] = false;
        cut(f);
    } else if (process != ENDS_NONE) {
        *step++ = end_process(f, process, ns);
    } else if (!f->event) {
        f->at_end = true;
    } else if (f->event->ns > f->to_ns) {
        cut(f);
    }
    return step;
}

static void fill(struct feed *f, struct batch *b)
{
    struct step *step = b->steps, *const most = b->steps + BATCH_STEPS - 2; /* an event makes three steps at most */

    while (!f->at_end && step < most) {
        const struct timed_event *event = f->event ? f->event : reader_look(f->reader);
        f->event = event;
        if (event && event->ns <= f->calm_ns) {
            f->event = NULL;
            step = take_event(f, event, step);
        } else {
            step = take_end(f, step);
        }
    }
    b->count = (size_t)(step - b->steps);
    b->leaves = f->told->stacks.leaf_count;
    b->threads = f->told->threads.count;
    b->progress = reader_progress(f->reader);
}

static void *run(void *data)
{
    struct feed *f = data;
    bool ended = false;

    pthread_mutex_lock(&f->lock);
    while (!ended) {
        while (!f->stop && f->filled - f->used == BATCHES)
            pthread_cond_wait(&f->changed, &f->lock);
        if (f->stop)
            break;
        struct batch *b = &f->batches[f->filled % BATCHES];
        pthread_mutex_unlock(&f->lock);
        fill(f, b);
        ended = b->count == 0;
        pthread_mutex_lock(&f->lock);
        f->filled++;
        if (ended || f->filled - f->used == BATCHES_TURN)
            pthread_cond_signal(&f->changed);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

struct feed *feed_open(const struct log *log, uint64_t to_ns, struct ends *ends, struct told *told)
{
    struct feed *f = alloc_zeroed(1, sizeof *f);

    f->log = log;
    f->told = told;
    f->to_ns = to_ns;
    f->ends = ends;
    f->reader = reader_open(log);
    f->paths = alloc_zeroed(log->stream_count, sizeof *f->paths);
    f->threads = alloc_zeroed(log->stream_count, sizeof *f->threads);
    for (size_t i = 0; i < log->stream_count; i++) {
        f->paths[i].root = told->root;
        f->paths[i].process = log->streams[i].process;
        f->threads[i] = THREAD_NONE;
    }
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    f->is_threaded = !log->one_thread && pthread_create(&f->thread, NULL, run, f) == 0;
    return f;
}

/* The batch that is there next. */
static const struct batch *take_batch(struct feed *f)
{
    if (!f->is_threaded) {
        fill(f, &f->batches[0]);
        return &f->batches[0];
    }
    pthread_mutex_lock(&f->lock);
    if (f->now) {
        f->used++;
        if (f->filled - f->used == BATCHES - BATCHES_TURN)
            pthread_cond_signal(&f->changed);
    }
    while (f->filled == f->used)
        pthread_cond_wait(&f->changed, &f->lock);
    const struct batch *b = &f->batches[f->used % BATCHES];
    pthread_mutex_unlock(&f->lock);
    return b;
}

size_t feed_next(struct feed *f, const struct step **ret_steps)
{
    if (f->now && f->now->count == 0)
        return 0;
    f->now = take_batch(f);
    *ret_steps = f->now->steps;
    return f->now->count;
}

size_t feed_leaves(const struct feed *f)
{
    return f->now->leaves;
}

size_t feed_threads(const struct feed *f)
{
    return f->now->threads;
}

double feed_progress(const struct feed *f)
{
    return f->now->progress;
}

bool feed_was_cut(const struct feed *f)
{
    return f->was_cut;
}

uint64_t feed_close(struct feed *f, uint64_t *ret_offset)
{
    const char *reason;

    if (f->is_threaded) {
        pthread_mutex_lock(&f->lock);
        f->stop = true;
        pthread_cond_signal(&f->changed);
        pthread_mutex_unlock(&f->lock);
        pthread_join(f->thread, NULL);
    }
    uint64_t bad_chunks = reader_bad_chunks(f->reader, ret_offset, &reason);
    reader_free(f->reader);
    for (size_t i = 0; i < f->log->stream_count; i++)
        stack_path_release(&f->paths[i]);
    free(f->paths);
    free(f->threads);
    free(f);
    return bad_chunks;
}
