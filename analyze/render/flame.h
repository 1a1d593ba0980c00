/* A call tree as folded stacks, a line for each, for other tools; or as a picture that
 * shows it whole: an SVG that needs nothing beside it, with a script in it to zoom and search.
 * The tree is sorted by view->cost; frames below view->min_share of all are left out, and
 * their cost counts as their caller's own. */
#ifndef MALLOSCOPE_RENDER_FLAME_H
#define MALLOSCOPE_RENDER_FLAME_H

#include "analyze/render/tree.h"

struct flame_pruned {
    uint64_t frames;              /* shown, the root not counted */
    uint64_t hidden, hidden_cost; /* frames left out, and their cost */
};

struct flame_pruned flame_prune(const struct call_tree *tree, const struct tree_view *view);

/* "main;read;grow 123": names have no semicolons nor newlines. Names that are the same in two
 * modules may give the same line twice: readers add them up. */
void flame_write_folded(FILE *to, const struct call_tree *tree, const struct tree_view *view, struct flame_pruned *ret_pruned);

struct flame_picture {
    const char *title, *note; /* note: how complete the data are */
};

void flame_write_svg(FILE *to, const struct call_tree *tree, const struct tree_view *view, const struct flame_picture *picture,
                     struct flame_pruned *ret_pruned);

#endif
