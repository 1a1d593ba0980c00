/* A call tree in the terminal and as JSON. */
#ifndef MALLOSCOPE_RENDER_TREE_H
#define MALLOSCOPE_RENDER_TREE_H

#include "analyze/render/call_tree.h"

#include <jansson.h>

struct tree_view {
    enum cost cost;
    bool inverted;
    double min_share; /* 0 to 1, of all: frames with less are left out */
    size_t depth;     /* frames from the root that are shown */
    size_t top;       /* children shown of each frame */
};

/* "1,234 allocations", "2.1 MiB at the peak"; good until the next call. */
const char *tree_amount(enum cost cost, uint64_t all);

/* The least cost that is shown; at least 1. */
uint64_t tree_least(const struct call_tree *tree, const struct tree_view *view);

/* The tree is sorted by view->cost. Chains of frames that share all their cost stand on one line, as
 * far as it goes. */
void tree_print(const struct call_tree *tree, const struct log *log, const struct facts *facts, const struct tree_view *view);

/* Schema malloscope-tree/1, to stdout: nodes in one list, each after its parent. */
void tree_print_json(const struct call_tree *tree, const struct log *log, const struct facts *facts,
                     const struct tree_view *view);

#endif
