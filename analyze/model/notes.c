#include "analyze/model/notes.h"

#include <string.h>

static void take_mark(struct notes *n, const struct timed_event *e)
{
    if (e->ns < n->marks_from_ns)
        return;
    n->marks_seen++;
    if (n->mark_count == NOTES_MARKS_MAX)
        return;
    n->marks = grow(n->marks, &n->mark_capacity, n->mark_count + 1, sizeof *n->marks);
    n->marks[n->mark_count++] = (struct note_mark){
        .name = copy_text(e->event.mark.name.data, e->event.mark.name.bytes), .ns = e->ns, .process = e->process };
}

#define WITHDRAWAL_LOOKS_AT 1000 /* it comes right after what it withdraws, but for other processes' */

static void take_untraced(struct notes *n, const struct timed_event *e)
{
    uint32_t pid = e->event.untraced.pid;

    if (e->event.untraced.reason != REC_UNTRACED_WITHDRAWN) {
        n->untraced = grow(n->untraced, &n->untraced_capacity, n->untraced_count + 1, sizeof *n->untraced);
        n->untraced[n->untraced_count++] = (struct note_untraced){
            .path = copy_text(e->event.untraced.path.data, e->event.untraced.path.bytes), .pid = pid,
            .process = e->process, .reason = e->event.untraced.reason, .count = 1 };
        return;
    }
    for (size_t i = n->untraced_count, looks = 0; i-- > 0 && looks < WITHDRAWAL_LOOKS_AT; looks++) {
        if (n->untraced[i].pid != pid)
            continue;
        free(n->untraced[i].path);
        n->untraced_count--;
        memmove(n->untraced + i, n->untraced + i + 1, (n->untraced_count - i) * sizeof *n->untraced);
        return;
    }
}

static void take_deepbind(struct notes *n, struct text path)
{
    for (size_t i = 0; i < n->deepbind_count; i++)
        if (strlen(n->deepbind[i]) == path.bytes && memcmp(n->deepbind[i], path.data, path.bytes) == 0)
            return;
    if (n->deepbind_count == NOTES_LIBRARIES_MAX)
        return;
    n->deepbind = grow(n->deepbind, &n->deepbind_capacity, n->deepbind_count + 1, sizeof *n->deepbind);
    n->deepbind[n->deepbind_count++] = copy_text(path.data, path.bytes);
}

void notes_take(struct notes *n, const struct timed_event *e)
{
    if (e->event.other == REC_MARK)
        take_mark(n, e);
    else if (e->event.other == REC_UNTRACED)
        take_untraced(n, e);
    else if (e->event.other == REC_DEEPBIND)
        take_deepbind(n, e->event.deepbind.path);
}

static int by_program(const void *left, const void *right)
{
    const struct note_untraced *a = left, *b = right;

    if (a->process != b->process)
        return a->process < b->process ? -1 : 1;
    int order = strcmp(a->path, b->path);
    if (order || a->reason != b->reason)
        return order ? order : a->reason < b->reason ? -1 : 1;
    return a->pid < b->pid ? -1 : a->pid > b->pid;
}

void notes_end(struct notes *n)
{
    size_t kept = 0;

    n->untraced_programs += n->untraced_count;
    if (n->untraced_count)
        qsort(n->untraced, n->untraced_count, sizeof *n->untraced, by_program);
    for (size_t i = 0; i < n->untraced_count; i++) {
        struct note_untraced *last = kept ? &n->untraced[kept - 1] : NULL, *mine = &n->untraced[i];
        if (last && last->process == mine->process && last->reason == mine->reason && strcmp(last->path, mine->path) == 0) {
            last->count++;
            free(mine->path);
        } else {
            n->untraced[kept++] = *mine;
        }
    }
    n->untraced_count = kept;
}

void notes_release(struct notes *n)
{
    for (size_t i = 0; i < n->mark_count; i++)
        free(n->marks[i].name);
    for (size_t i = 0; i < n->untraced_count; i++)
        free(n->untraced[i].path);
    for (size_t i = 0; i < n->deepbind_count; i++)
        free(n->deepbind[i]);
    free(n->marks);
    free(n->untraced);
    free(n->deepbind);
    *n = (struct notes){ 0 };
}
