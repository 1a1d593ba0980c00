/* Stacks by a regular expression (POSIX extended): wanted are those with a frame whose
 * function, signature, source file or module matches; functions also where they have the text itself, in any spelling. */
#ifndef MALLOSCOPE_RENDER_FILTER_H
#define MALLOSCOPE_RENDER_FILTER_H

#include "analyze/model/facts.h"
#include "analyze/render/namer.h"

#include <regex.h>

struct filter {
    bool is_set; /* not: every stack is wanted */
    regex_t regex;
    char *spelled; /* the text, with functions spelled as they are here; NULL: it is the same */
    struct facts *facts;
    const struct namer *namer;
    uint8_t *nodes, *locations; /* 0 not asked yet, 1 matches, 2 does not; nodes: it or a caller */
    size_t location_capacity;
};

/* False: text is no regular expression, and why is in ret_failure. */
bool filter_init(struct filter *f, const char *text, struct failure *ret_failure);
void filter_release(struct filter *f);
#define _cleanup_filter_ __attribute__((cleanup(filter_release)))

/* What it is asked about from here on. */
void filter_use(struct filter *f, struct facts *facts, const struct namer *namer);
/* As call_tree_options.wanted; data: the filter. */
bool filter_wants(void *data, uint32_t leaf);

#endif
