#include "analyze/symbols/source_path.h"

#include "analyze/hash.h"
#include "analyze/util.h"

#include <string.h>

/* In place. A leading `..` of a relative path stays. */
static void tidy(char *path)
{
    char *to = path, *floor = path; /* what `..` may take away begins at floor */
    const char *from = path;

    if (*from == '/') {
        to = floor = path + 1;
        from++;
    }
    while (*from) {
        size_t length = strcspn(from, "/");
        if (length == 0 || (length == 1 && *from == '.')) {
            /* nothing */
        } else if (length == 2 && from[0] == '.' && from[1] == '.' && to > floor) {
            for (to--; to > floor && to[-1] != '/'; to--)
                ;
        } else if (length == 2 && from[0] == '.' && from[1] == '.' && *path == '/') {
            /* above the root is the root */
        } else {
            bool up = length == 2 && from[0] == '.' && from[1] == '.';
            memmove(to, from, length);
            to += length;
            *to++ = '/';
            if (up)
                floor = to;
        }
        from += length;
        from += *from == '/';
    }
    if (to > path + 1 && to[-1] == '/')
        to--;
    *to = 0;
}

char *source_path_join(const char *directory, const char *file)
{
    char *path = *file == '/' || !directory ? copy_text(file, strlen(file)) : format_text("%s/%s", directory, file);
    size_t length = strlen(path);
    char *room = alloc_zeroed(length + 2, 1); /* tidy() ends each part with a slash first */

    memcpy(room, path, length);
    free(path);
    tidy(room);
    return room;
}

static struct source_path *place_of(const struct source_paths *p, const char *file)
{
    size_t at = (size_t)hash_add(0, (uintptr_t)file) & (p->capacity - 1);

    while (p->table[at].file && p->table[at].file != file)
        at = (at + 1) & (p->capacity - 1);
    return &p->table[at];
}

const char *source_path(struct source_paths *p, const char *file, const char *directory)
{
    if (p->count * 2 >= p->capacity) {
        struct source_paths bigger = { .capacity = p->capacity ? p->capacity * 2 : 256, .count = p->count };
        bigger.table = alloc_zeroed(bigger.capacity, sizeof *bigger.table);
        for (size_t i = 0; i < p->capacity; i++)
            if (p->table[i].file)
                *place_of(&bigger, p->table[i].file) = p->table[i];
        free(p->table);
        *p = bigger;
    }
    struct source_path *place = place_of(p, file);
    if (!place->file) {
        *place = (struct source_path){ file, source_path_join(directory, file) };
        p->count++;
    }
    return place->shown;
}

void source_paths_release(struct source_paths *p)
{
    for (size_t i = 0; i < p->capacity; i++)
        free(p->table[i].shown);
    free(p->table);
    *p = (struct source_paths){ 0 };
}
