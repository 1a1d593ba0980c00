#include "analyze/render/call_walk.h"
#include "analyze/render/flame.h"
#include "analyze/render/text.h"

#include <inttypes.h>
#include <string.h>

struct path {
    char *text;
    size_t capacity;
    size_t *ends; /* by level: where its name ends */
    size_t end_capacity;
};

/* The characters that mean something in this format become others. */
static void add_name(struct path *p, const struct call_tree *t, uint32_t node, size_t level)
{
    _cleanup_free_ char *name = call_frame_text(t, t->nodes[node].frame);
    size_t used = p->ends[level - 1], bytes = strlen(name);
    _cleanup_free_ char *plain = text_make_safe(copy_text(name, bytes));

    p->text = grow(p->text, &p->capacity, used + bytes + 1, 1);
    if (used)
        p->text[used++] = ';';
    for (size_t i = 0; i < bytes; i++)
        p->text[used + i] = plain[i] == ';' ? ',' : plain[i];
    p->ends = grow(p->ends, &p->end_capacity, level + 1, sizeof *p->ends);
    p->ends[level] = used + bytes;
}

/* Its own, and that of what it calls and that is left out. */
static uint64_t cost_here(const struct call_tree *t, uint32_t node, enum cost cost, uint64_t least)
{
    uint64_t sum = call_node_self(t, node, cost);

    for (uint32_t child = t->nodes[node].child; child; child = t->nodes[child].next)
        if (call_node_total(t, child, cost) < least)
            sum += call_node_total(t, child, cost);
    return sum;
}

void flame_write_folded(FILE *to, const struct call_tree *t, const struct tree_view *view, struct flame_pruned *ret_pruned)
{
    struct call_walk w = { .tree = t, .cost = view->cost, .least = tree_least(t, view), .top = SIZE_MAX, .depth = SIZE_MAX };
    struct path path = { 0 };

    path.ends = grow(NULL, &path.end_capacity, 1, sizeof *path.ends);
    do {
        uint64_t cost = cost_here(t, w.node, view->cost, w.least);
        if (w.level)
            add_name(&path, t, w.node, w.level);
        if (cost)
            fprintf(to, "%.*s %" PRIu64 "\n", w.level ? (int)path.ends[w.level] : 20, w.level ? path.text : "(too little to show)", cost);
    } while (call_walk_next(&w));
    free(path.text);
    free(path.ends);
    *ret_pruned = flame_prune(t, view);
}

struct flame_pruned flame_prune(const struct call_tree *t, const struct tree_view *view)
{
    uint64_t least = tree_least(t, view);
    struct flame_pruned pruned = { 0 };

    for (uint32_t node = 1; node < t->node_count; node++) {
        uint64_t total = call_node_total(t, node, view->cost);
        pruned.frames += total >= least;
        pruned.hidden += total && total < least;
        if (total < least && call_node_total(t, t->nodes[node].parent, view->cost) >= least)
            pruned.hidden_cost += total;
    }
    return pruned;
}
