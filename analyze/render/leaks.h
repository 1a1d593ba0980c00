/* What is still allocated when its process ends, or in those that live when a part of the session does, by stack: a site here is one stack of functions
 * and lines, of all processes that have it, and the allocation function that was called from there; where the line
 * is unknown, a stack of functions, and where these are, of addresses. What a process had when it was
 * killed, was replaced by another program or still ran is no leak: it is counted apart. */
#ifndef MALLOSCOPE_RENDER_LEAKS_H
#define MALLOSCOPE_RENDER_LEAKS_H

#include "analyze/model/endings.h"
#include "analyze/render/call_tree.h"
#include "analyze/render/filter.h"
#include "analyze/render/suppressions.h"

struct leak_sum {
    uint64_t sites, blocks, bytes;
};

struct leak_site {
    uint32_t node;             /* in the tree, where the stack ends */
    uint8_t function;          /* rec_function that was called there */
    bool has_twin;             /* with the same stack, of another function */
    uint64_t blocks, bytes;    /* all that is not freed; of it, in ... */
    uint64_t unended_blocks, unended_bytes; /* ... processes that ended, but not by themselves */
    uint64_t at_end_blocks, at_end_bytes;   /* ... processes that did; the rest is alive at the moment */
    uint64_t first_us;         /* since the session's start: when the first of them was allocated */
    uint64_t age_us;           /* the most that one of them has lived */
};

struct leaks {
    struct call_tree tree;     /* by line, of all stacks that have such blocks and pass the filter */
    struct leak_site *sites;   /* not suppressed, the most bytes first */
    size_t count;
    struct leak_sum leaked, unended, suppressed; /* leaked and unended: not suppressed */
    struct leak_sum alive, at_end; /* of `leaked`: in processes that live at_moment; of those that came to their own end */
    enum ending *endings;      /* by process */
    bool at_moment;            /* it is of a part (--to, trim, or an interruption); what of `alive` is freed later is not told */
};

struct leaks_view {
    const char *log_name;
    size_t top;      /* sites shown */
    size_t depth;    /* frames shown of each stack */
    bool is_filtered; /* not all stacks */
};

/* The code locations of all stacks that leak, some more than once: names are wanted of no others. The caller
 * frees them. */
size_t leaks_locations(struct facts *facts, uint32_t **ret_locations);

void leaks_collect(struct facts *facts, const struct namer *namer, struct filter *filter,
                   struct suppressions *rules, struct leaks *ret_leaks);
/* By leaf: whether what it leaked is suppressed. To be freed. */
bool *leaks_suppressed(struct facts *facts, const struct namer *namer, struct suppressions *rules);
void leaks_release(struct leaks *leaks);

void leaks_print(const struct leaks *leaks, const struct suppressions *rules, const struct log *log, const struct facts *facts,
                 const struct leaks_view *view);
void leaks_print_tsv(const struct leaks *leaks, const struct leaks_view *view);
void leaks_print_json(const struct leaks *leaks, const struct suppressions *rules, const struct log *log,
                      const struct facts *facts, const struct leaks_view *view);

#endif
