/* What a process has given numbers to, by number. It gives them one after another, but a log may have
 * any: memory goes by how many there are, not by how large their numbers are. Eight whose numbers follow each other
 * lie side by side, and take some 4 bytes more than they are large; a lone one takes the room of eight. */
#ifndef MALLOSCOPE_MODEL_NUMBERED_H
#define MALLOSCOPE_MODEL_NUMBERED_H

#include "analyze/hash_table.h"

#define NUMBERED_TOGETHER 8

struct numbered {
    size_t element_bytes; /* to be set by the owner */
    uint8_t *elements;
    size_t element_capacity;
    uint32_t *groups; /* of which numbers each group of elements is: their upper bits */
    size_t group_count, group_capacity;
    struct hash_table table; /* of groups */
};

void numbered_release(struct numbered *n);

/* NULL: there is none, nor one beside it. One that was never made is all 0. Valid until the next one is made. */
void *numbered_find(const struct numbered *n, uint32_t number);
void *numbered_make(struct numbered *n, uint32_t number);

/* All that there may be. */
void numbered_each(const struct numbered *n, void (*use)(void *data, uint32_t number, void *element), void *data);

#endif
