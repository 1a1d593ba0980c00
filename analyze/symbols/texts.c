#include "analyze/symbols/texts.h"

#include "analyze/hash.h"
#include "analyze/util.h"

#include <string.h>

static char **place_of(const struct texts *t, const char *text, size_t bytes)
{
    size_t at = (size_t)hash_add_bytes(0, text, bytes) & (t->capacity - 1);

    while (t->table[at] && (strncmp(t->table[at], text, bytes) != 0 || t->table[at][bytes]))
        at = (at + 1) & (t->capacity - 1);
    return &t->table[at];
}

const char *texts_keep(struct texts *t, const char *text, size_t bytes)
{
    bytes = strnlen(text, bytes);
    if (!bytes)
        return NULL;
    if (t->count * 2 >= t->capacity) {
        struct texts bigger = { .capacity = t->capacity ? t->capacity * 2 : 1024, .count = t->count };
        bigger.table = alloc_zeroed(bigger.capacity, sizeof *bigger.table);
        for (size_t i = 0; i < t->capacity; i++)
            if (t->table[i])
                *place_of(&bigger, t->table[i], strlen(t->table[i])) = t->table[i];
        free(t->table);
        *t = bigger;
    }
    char **place = place_of(t, text, bytes);
    if (!*place) {
        *place = copy_text(text, bytes);
        t->count++;
    }
    return *place;
}

void texts_release(struct texts *t)
{
    for (size_t i = 0; i < t->capacity; i++)
        free(t->table[i]);
    free(t->table);
    *t = (struct texts){ 0 };
}
