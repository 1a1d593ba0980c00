#include "analyze/model/threads.h"

#include "analyze/hash.h"
#include "analyze/util.h"

#include <string.h>

static const char *name_of(struct threads *t, const char *name, size_t bytes)
{
    bytes = strnlen(name, bytes);
    uint64_t hash = hash_add_bytes(0, name, bytes);
    struct hash_search s = hash_table_search(&t->name_table, hash);

    while (hash_table_next(&t->name_table, &s))
        if (strlen(t->names[s.number]) == bytes && memcmp(t->names[s.number], name, bytes) == 0)
            return t->names[s.number];
    t->names = grow(t->names, &t->name_capacity, t->name_count + 1, sizeof *t->names);
    t->names[t->name_count] = copy_text(name, bytes);
    hash_table_add(&t->name_table, hash, (uint32_t)t->name_count);
    return t->names[t->name_count++];
}

static uint32_t *place_of(const struct threads *t, uint32_t process, uint32_t tid)
{
    size_t at = (size_t)hash_add(0, (uint64_t)process << 32 | tid) & (t->by_tid_capacity - 1);

    for (; t->by_tid[at]; at = (at + 1) & (t->by_tid_capacity - 1)) {
        const struct thread *thread = &t->of[t->by_tid[at] - 1];
        if (thread->process == process && thread->tid == tid)
            break;
    }
    return &t->by_tid[at];
}

static void enlarge(struct threads *t)
{
    uint32_t *old = t->by_tid;
    size_t old_capacity = t->by_tid_capacity;

    t->by_tid_capacity = old_capacity ? old_capacity * 2 : 64;
    t->by_tid = alloc_zeroed(t->by_tid_capacity, sizeof *t->by_tid);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i])
            *place_of(t, t->of[old[i] - 1].process, t->of[old[i] - 1].tid) = old[i];
    free(old);
}

uint32_t threads_begin(struct threads *t, uint32_t process, uint32_t tid, bool nested, const char *name, size_t name_bytes)
{
    if (t->by_tid_used * 4 >= t->by_tid_capacity * 3)
        enlarge(t);
    uint32_t *place = place_of(t, process, tid);
    if (nested && *place)
        return *place - 1;
    t->of = grow(t->of, &t->capacity, t->count + 1, sizeof *t->of);
    t->of[t->count] = (struct thread){ .process = process, .tid = tid, .name = name_of(t, name, name_bytes) };
    t->by_tid_used += !*place;
    *place = (uint32_t)++t->count;
    return *place - 1;
}

void threads_name(struct threads *t, uint32_t thread, const char *name, size_t bytes)
{
    t->of[thread].name = name_of(t, name, bytes);
}

void threads_release(struct threads *t)
{
    for (size_t i = 0; i < t->name_count; i++)
        free(t->names[i]);
    free(t->names);
    hash_table_release(&t->name_table);
    free(t->of);
    free(t->by_tid);
    *t = (struct threads){ 0 };
}
