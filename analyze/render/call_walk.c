#include "analyze/render/call_walk.h"

static bool is_wanted(const struct call_walk *w, uint32_t node)
{
    return node && call_node_total(w->tree, node, w->cost) >= w->least;
}

bool call_walk_next(struct call_walk *w)
{
    const struct call_node *nodes = w->tree->nodes;
    uint32_t child = nodes[w->node].child;

    w->before = grow(w->before, &w->capacity, w->level + 2, sizeof *w->before);
    if (is_wanted(w, child) && w->level < w->depth && w->top) {
        w->node = child;
        w->before[++w->level] = 0;
        return true;
    }
    for (; w->level; w->level--, w->node = nodes[w->node].parent) {
        uint32_t next = nodes[w->node].next;
        if (!is_wanted(w, next) || w->before[w->level] + 1 >= w->top)
            continue;
        w->node = next;
        w->before[w->level]++;
        return true;
    }
    free(w->before);
    w->before = NULL;
    return false;
}
