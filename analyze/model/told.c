#include "analyze/model/told.h"

#include <string.h>
#include <sys/wait.h>

static char *text_copy(struct text text)
{
    return copy_words(text.data, text.bytes); /* arguments are separated by 0 */
}

static void switch_recording(struct told *t, struct told_process *p, uint64_t ns, bool on)
{
    if (p->paused && on)
        p->paused_ns += ns > p->paused_since_ns ? ns - p->paused_since_ns : 0;
    if (!p->paused && !on)
        p->paused_since_ns = ns;
    p->paused = !on;
    t->was_paused |= p->paused;
}

static void take_start(struct told *t, struct told_process *p, const struct timed_event *e)
{
    const struct event *event = &e->event;

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
    t->stacks_checked |= strstr(p->call_graph, "checked") != NULL;
    if (event->process.max_depth > t->max_depth)
        t->max_depth = event->process.max_depth;
    if (event->process.thread_bytes > t->recorder_thread_bytes)
        t->recorder_thread_bytes = event->process.thread_bytes;
    if (event->process.flags & REC_PROCESS_PAUSED)
        switch_recording(t, p, e->ns, false);
}

void told_take(struct told *t, const struct timed_event *e)
{
    struct told_process *p = &t->processes[e->process];
    const struct event *event = &e->event;

    code_take(&t->code, e->process, event, e->ns);
    switch (event->other) {
    case REC_PROCESS_START:
        take_start(t, p, e);
        return;
    case REC_RECORDING:
        switch_recording(t, p, e->ns, event->recording.on);
        return;
    case REC_MARK:
    case REC_UNTRACED:
    case REC_DEEPBIND:
        notes_take(&t->notes, e);
        return;
    case REC_OWN_HEAP:
        if (!p->own_heap)
            p->own_heap = text_copy(event->own_heap.path);
        return;
    case REC_PROCESS_END:
        p->exited |= event->end.how == REC_END_EXIT;
        p->quick |= event->end.how == REC_END_QUICK;
        p->left |= event->end.how == REC_END_LEFT || p->quick;
        p->awaited |= event->end.how == REC_END_AWAITED;
        if (event->end.how == REC_END_AWAITED || (event->end.how == REC_END_LEFT && !p->awaited)) {
            p->status_known = true;
            p->wait_status = event->end.wait_status;
        }
        return;
    case REC_LOST:
        t->lost_events += event->lost.count;
        return;
    case REC_THREAD_BEGIN:
        p->threads += !event->thread.nested;
        t->thread_count += !event->thread.nested;
        return;
    }
}

static void take_session_record(void *data, const struct timed_event *e)
{
    if (e->event.type == EVENT_OTHER)
        told_take(data, e);
}

void told_begin(struct told *t, const struct log *log)
{
    t->process_count = log->process_count;
    t->processes = alloc_zeroed(t->process_count, sizeof *t->processes);
    code_init(&t->code);
    t->stacks.code = &t->code;
    t->root = stacks_root(&t->stacks, 0);
    for (uint32_t i = 0; i < t->process_count; i++) {
        t->processes[i].pid = log->processes[i].pid;
        t->processes[i].image = log->processes[i].image;
    }
    for (size_t i = 0; i < log->live_count; i++)
        t->processes[log->lives[i].process].running |= log->lives[i].running;
    t->lost_events = log->lost_events;
    reader_session_records(log, take_session_record, t);
}

bool told_has_exited(const struct told_process *p)
{
    if (p->left || (p->status_known && WIFSIGNALED(p->wait_status)))
        return false;
    return p->status_known || (p->exited && !p->running);
}

/* Of the session's own notes on untraced programs, whose process they were: that was executed by
 * the last one with its pid, or in a process that never was in the log, for which the first one stands. */
static void find_untraced(struct told *t)
{
    struct index last = { 0 }; /* by pid */
    uint32_t first = 0;

    for (uint32_t i = 0; i < t->process_count; i++) {
        const struct told_process *p = &t->processes[i];
        uint32_t known = index_find(&last, p->pid, 0);
        if (!p->started)
            continue;
        if (known == UINT32_MAX || p->image > t->processes[known].image)
            index_add(&last, p->pid, 0, i);
        if (!t->processes[first].started || p->image < t->processes[first].image)
            first = i;
    }
    for (size_t i = 0; i < t->notes.untraced_count; i++) {
        struct note_untraced *n = &t->notes.untraced[i];
        uint32_t known = index_find(&last, n->pid, 0);
        if (!t->processes[n->process].pid)
            n->process = known != UINT32_MAX ? known : first;
    }
    index_release(&last);
}

void told_end(struct told *t)
{
    if (t->notes.untraced_count)
        find_untraced(t);
    for (size_t i = 0; i < t->process_count; i++)
        switch_recording(t, &t->processes[i], t->processes[i].last_ns, true);
    notes_end(&t->notes);
    stacks_end(&t->stacks);
}

void told_release(struct told *t)
{
    for (size_t i = 0; i < t->process_count; i++) {
        struct told_process *p = &t->processes[i];
        free(p->exe);
        free(p->arguments);
        free(p->allocator);
        free(p->call_graph);
        free(p->other_malloc);
        free(p->own_heap);
    }
    free(t->processes);
    threads_release(&t->threads);
    stacks_release(&t->stacks);
    code_release(&t->code);
    notes_release(&t->notes);
}
