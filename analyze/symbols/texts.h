/* Texts, each kept once. */
#ifndef MALLOSCOPE_SYMBOLS_TEXTS_H
#define MALLOSCOPE_SYMBOLS_TEXTS_H

#include <stddef.h>

struct texts {
    char **table;
    size_t capacity, count;
};

/* The text, ended by a 0, as long as t lives; NULL for one of no bytes. What follows a 0 in it is dropped. */
const char *texts_keep(struct texts *t, const char *text, size_t bytes);
void texts_release(struct texts *t);

#endif
