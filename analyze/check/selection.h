/* Which stacks count: those with a function (--within), and not those whose memory a module asked
 * for (--exclude-module). */
#ifndef MALLOSCOPE_CHECK_SELECTION_H
#define MALLOSCOPE_CHECK_SELECTION_H

#include "analyze/model/facts.h"
#include "analyze/render/namer.h"

#include <regex.h>

struct selection {
    const char *within; /* function, without parameters; NULL: all stacks */
    regex_t *excluded;  /* of modules' file names, without directories */
    size_t excluded_count, excluded_capacity;
    /* Of the log that is asked about: */
    struct facts *facts;
    const struct namer *namer;
    struct selection_place {
        uint8_t has_function, passes_on, is_excluded; /* 0: not asked yet, 1: yes, 2: no */
    } *places; /* by location */
    size_t place_capacity;
};

/* A POSIX extended regular expression. 0 or -EINVAL. */
int selection_exclude(struct selection *s, const char *regex, struct failure *ret_failure);
void selection_use(struct selection *s, struct facts *facts, const struct namer *namer);
/* As by_name_source.wanted; data: the selection. */
bool selection_wants(void *data, uint32_t leaf);
void selection_release(struct selection *s);

#endif
