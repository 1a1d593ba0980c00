/* Goes through a call tree, a node and then all that is below it, without the C stack:
 * a log can make trees of any depth.
 *
 *     struct call_walk w = { .tree = tree, .cost = cost, .least = least, .top = SIZE_MAX, .depth = SIZE_MAX };
 *     do
 *         ... w.node, w.level ...
 *     while (call_walk_next(&w));
 */
#ifndef MALLOSCOPE_RENDER_CALL_WALK_H
#define MALLOSCOPE_RENDER_CALL_WALK_H

#include "analyze/render/call_tree.h"

struct call_walk {
    const struct call_tree *tree; /* sorted by cost */
    enum cost cost;
    uint64_t least;    /* nodes with less are passed over, with all that is below them */
    size_t top, depth; /* children of each node; levels below the root */
    uint32_t node;     /* now; at first the root */
    size_t level;      /* of it; 0: the root */
    size_t *before;    /* by level: children of the same parent that came before */
    size_t capacity;
};

/* False: that was the last, and what the walk took is released. */
bool call_walk_next(struct call_walk *w);

#endif
