#include "analyze/model/waiting.h"

#include <string.h>

void waiting_release(struct waiting *w)
{
    free(w->frees);
    *w = (struct waiting){ 0 };
}

void waiting_add(struct waiting *w, const struct waiting_free *free_event)
{
    w->frees = grow(w->frees, &w->capacity, w->count + 1, sizeof *w->frees);
    w->frees[w->count++] = *free_event;
}

static void remove_at(struct waiting *w, size_t at)
{
    w->count--;
    memmove(w->frees + at, w->frees + at + 1, (w->count - at) * sizeof *w->frees);
}

bool waiting_take(struct waiting *w, uint32_t process, uint32_t stream, uint64_t address, struct waiting_free *ret_free)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->frees[i].address == address && w->frees[i].process == process && w->frees[i].stream != stream) {
            *ret_free = w->frees[i];
            remove_at(w, i);
            return true;
        }
    return false;
}

bool waiting_expired(struct waiting *w, uint64_t ns, struct waiting_free *ret_free)
{
    if (!w->count || (w->count <= WAITING_MAX && ns < w->frees[0].ns + WAITING_NS))
        return false;
    *ret_free = w->frees[0];
    remove_at(w, 0);
    return true;
}
