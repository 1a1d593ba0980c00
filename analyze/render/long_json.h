/* JSON to stdout whose lists are too long to be in memory: the other members of its root come first, then
 * the lists, a row at a time and on a line of its own. */
#ifndef MALLOSCOPE_RENDER_LONG_JSON_H
#define MALLOSCOPE_RENDER_LONG_JSON_H

#include <jansson.h>
#include <stddef.h>

struct long_list {
    const char *name;
    size_t count;
    json_t *(*row)(const void *data, size_t number); /* from 0 up; it is released when it is written */
    const void *data;
};

/* A root with these members, which are released, and this list. */
void long_json_print(json_t *members, const struct long_list *list);

/* The parts of that, for lists that are in an object: a root that has not ended, and one list. What parts the
 * members and what ends them is the caller's. */
void long_json_begin(json_t *members);
void long_json_list(const struct long_list *list);

#endif
