#include "analyze/model/threads.h"

#include <string.h>

static void set_name(struct thread *thread, const char *name, size_t bytes)
{
    free(thread->name);
    thread->name = copy_text(name, bytes);
}

uint32_t threads_begin(struct threads *t, uint32_t process, uint32_t tid, bool nested, const char *name, size_t name_bytes)
{
    uint32_t known = nested ? index_find(&t->by_tid, process, tid) : UINT32_MAX;

    if (known != UINT32_MAX)
        return known;
    t->of = grow(t->of, &t->capacity, t->count + 1, sizeof *t->of);
    t->of[t->count] = (struct thread){ .process = process, .tid = tid };
    set_name(&t->of[t->count], name, name_bytes);
    index_add(&t->by_tid, process, tid, (uint32_t)t->count);
    return (uint32_t)t->count++;
}

void threads_name(struct threads *t, uint32_t thread, const char *name, size_t bytes)
{
    set_name(&t->of[thread], name, bytes);
}

void threads_release(struct threads *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->of[i].name);
    free(t->of);
    index_release(&t->by_tid);
    *t = (struct threads){ 0 };
}
