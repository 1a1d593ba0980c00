#include "analyze/model/ends.h"

#define CLOCKS_APART_NS 10000000000u /* more: the log is of another machine, or of another boot of this one */

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_pid(const void *left, const void *right, void *data)
{
    const struct log *log = data;
    const struct log_process *a = &log->processes[*(const uint32_t *)left], *b = &log->processes[*(const uint32_t *)right];
    return a->pid != b->pid ? compare(a->pid, b->pid) : compare(a->image, b->image);
}

static int by_end(const void *left, const void *right, void *data)
{
    const struct ends *e = data;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return e->told_ns[a] != e->told_ns[b] ? compare(e->told_ns[a], e->told_ns[b]) : compare(a, b);
}

static bool is_same_process(const struct process_settings *a, const struct process_settings *b)
{
    bool same_namespace = a->pid_namespace == b->pid_namespace || !a->pid_namespace || !b->pid_namespace;
    return same_namespace && (a->began == b->began || !a->began || !b->began);
}

/* A program ends when the next one of its process begins. */
static void find_replaced(struct ends *e, const struct settings *settings)
{
    uint32_t *order = e->order;
    size_t count = e->log->process_count;

    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    if (count)
        qsort_r(order, count, sizeof *order, by_pid, (void *)e->log);
    for (size_t i = 1; i < count; i++) {
        const struct process_settings *before = &settings->of[order[i - 1]], *now = &settings->of[order[i]];
        if (e->log->processes[order[i]].pid == e->log->processes[order[i - 1]].pid && before->found && now->found &&
            now->is_exec && is_same_process(before, now)) {
            e->told_ns[order[i - 1]] = now->start_ns;
            e->is_replaced[order[i - 1]] = true;
        }
    }
}

static void take_awaited(void *data, const struct timed_event *event)
{
    struct ends *e = data;

    if (event->event.type == EVENT_OTHER && event->event.other == REC_PROCESS_END && !e->told_ns[event->process])
        e->told_ns[event->process] = event->ns;
}

/* The log's clock when it was opened; 0: it is not this machine's. */
static uint64_t opened_ns(const struct log *log)
{
    uint64_t image = UINT64_MAX, passed = log->opened_ns > log->first_ns ? log->opened_ns - log->first_ns : 0;

    for (size_t i = 0; i < log->process_count; i++)
        if (log->processes[i].stream_count && log->processes[i].image < image)
            image = log->processes[i].image;
    uint64_t passed_by_day = log->opened_realtime_ns > image ? log->opened_realtime_ns - image : 0;
    uint64_t apart = passed > passed_by_day ? passed - passed_by_day : passed_by_day - passed;
    return apart < CLOCKS_APART_NS ? log->opened_ns : 0;
}

static void find_running(struct ends *e)
{
    uint64_t ns = opened_ns(e->log);

    for (size_t i = 0; ns && i < e->log->live_count; i++)
        if (e->log->lives[i].running) {
            e->told_ns[e->log->lives[i].process] = ns;
            e->runs[e->log->lives[i].process] = true;
        }
}

static void look_at_next(struct ends *e)
{
    e->next_ns = e->next < e->count ? e->told_ns[e->order[e->next]] : UINT64_MAX;
}

void ends_find(const struct log *log, const struct settings *settings, struct ends *ret_ends)
{
    struct ends e = { .log = log };

    e.told_ns = alloc_zeroed(log->process_count, sizeof *e.told_ns);
    e.open_streams = alloc_zeroed(log->process_count, sizeof *e.open_streams);
    e.has_ended = alloc_zeroed(log->process_count, sizeof *e.has_ended);
    e.is_known = alloc_zeroed(log->process_count, sizeof *e.is_known);
    e.is_replaced = alloc_zeroed(log->process_count, sizeof *e.is_replaced);
    e.runs = alloc_zeroed(log->process_count, sizeof *e.runs);
    e.order = alloc_zeroed(log->process_count, sizeof *e.order);
    for (size_t i = 0; i < log->stream_count; i++)
        e.open_streams[log->streams[i].process]++;
    find_replaced(&e, settings);
    reader_session_records(log, take_awaited, &e);
    find_running(&e);
    for (uint32_t i = 0; i < log->process_count; i++) {
        e.is_known[i] = e.told_ns[i] != 0;
        if (e.told_ns[i] && e.open_streams[i] && !log->processes[i].left_out)
            e.order[e.count++] = i;
    }
    if (e.count)
        qsort_r(e.order, e.count, sizeof *e.order, by_end, &e);
    look_at_next(&e);
    *ret_ends = e;
}

void ends_release(struct ends *e)
{
    free(e->told_ns);
    free(e->open_streams);
    free(e->has_ended);
    free(e->is_known);
    free(e->is_replaced);
    free(e->runs);
    free(e->order);
    *e = (struct ends){ 0 };
}

uint32_t ends_next(struct ends *e, uint64_t before_ns, uint64_t *ret_ns)
{
    while (e->next_ns < before_ns) {
        uint32_t process = e->order[e->next++];
        uint64_t ns = e->told_ns[process];
        look_at_next(e);
        if (e->open_streams[process]) { /* its records go on: it ends with them */
            e->told_ns[process] = 0;
        } else if (!e->has_ended[process]) {
            e->has_ended[process] = true;
            *ret_ns = ns;
            return process;
        }
    }
    return ENDS_NONE;
}

void ends_take(struct ends *e, const struct timed_event *event)
{
    uint32_t process = event->process;

    switch (event->event.other) {
    case REC_PROCESS_END:
        e->told_ns[process] = 0;
        e->is_known[process] = true;
        return;
    case REC_TRIMMED: /* the log that this one is a part of knew it */
        e->is_known[process] |= e->open_streams[process] == 1;
        return;
    case REC_UNTRACED: /* it executes a program that is not recorded */
        if (event->event.untraced.pid == e->log->processes[process].pid && !e->told_ns[process])
            e->is_known[process] = event->event.untraced.reason != REC_UNTRACED_WITHDRAWN;
        return;
    }
}

bool ends_of_stream(struct ends *e, const struct timed_event *last)
{
    uint32_t process = last->process;

    if (--e->open_streams[process] || e->told_ns[process] > last->ns || e->has_ended[process])
        return false;
    e->has_ended[process] = true;
    return true;
}
