/* A node at a time: a tree of a large program has hundreds of thousands. They are in a flat
 * list, as many readers of JSON refuse what is nested deeper than some hundred levels. */
#include "analyze/render/call_walk.h"
#include "analyze/render/coverage.h"
#include "analyze/render/part.h"
#include "analyze/render/text.h"
#include "analyze/render/tree.h"
#include "analyze/render/trust.h"

#include <inttypes.h>

static json_t *costs_json(const struct call_tree *t, uint32_t node, uint64_t (*of)(const struct call_tree *, uint32_t, enum cost),
                          const struct facts *f)
{
    json_t *object = json_object();

    for (enum cost cost = 0; cost < COST_COUNT; cost++)
        json_object_set_new(object, cost_name(cost), cost == COST_TEMPORARY && !settings_all_recorded(&f->settings)
                                                         ? json_null() : json_integer((json_int_t)of(t, node, cost)));
    return object;
}

/* parent: its place in the list; of the root -1. */
static json_t *node_json(const struct call_tree *t, const struct facts *facts, const struct call_walk *w, json_int_t parent)
{
    const struct call_node *n = &t->nodes[w->node];
    char buffer[CALL_NAME_BYTES];
    json_t *object = json_pack("{s:o, s:I, s:o, s:o}", "parent", parent < 0 ? json_null() : json_integer(parent), "depth",
                               (json_int_t)w->level, "total", costs_json(t, w->node, call_node_total, facts), "self",
                               costs_json(t, w->node, call_node_self, facts));

    if (!w->node)
        return object;
    const struct call_frame *f = &t->frames[n->frame];
    json_object_set_new(object, "name", text_json(call_frame_name(t, n->frame, buffer)));
    json_object_set_new(object, "function", f->function ? text_json(f->function) : json_null());
    json_object_set_new(object, "signature", f->signature ? text_json(f->signature) : json_null());
    json_object_set_new(object, "module", text_json(call_frame_module_path(t, n->frame)));
    json_object_set_new(object, "file", f->source ? text_json(f->source) : json_null());
    json_object_set_new(object, "line", n->line ? json_integer(n->line) : json_null());
    json_object_set_new(object, "inlined", json_boolean(f->is_inlined));
    return object;
}

static void print_nodes(const struct call_tree *t, const struct facts *f, const struct tree_view *view)
{
    struct call_walk w = { .tree = t, .cost = view->cost, .least = view->min_share > 0 ? tree_least(t, view) : 0, .top = view->top,
                           .depth = view->depth };
    _cleanup_free_ json_int_t *places = NULL; /* by level: of the last node */
    size_t capacity = 0;
    json_int_t count = 0;

    do {
        places = grow(places, &capacity, w.level + 1, sizeof *places);
        json_t *object = node_json(t, f, &w, w.level ? places[w.level - 1] : -1);
        places[w.level] = count++;
        fputs(w.node ? ",\n    " : "\n    ", stdout);
        json_dumpf(object, stdout, JSON_COMPACT);
        json_decref(object);
    } while (call_walk_next(&w));
}

void tree_print_json(const struct call_tree *t, const struct log *log, const struct facts *f, const struct tree_view *view)
{
    const struct coverage coverage = { &f->settings, f->recorded, f->told.was_paused };
    json_t *tail = json_object();
    struct trust trust;

    printf("{\n  \"schema\": \"malloscope-tree/1\",\n  \"cost\": \"%s\",\n  \"inverted\": %s,\n  \"stacks\": %" PRIu64
           ",\n  \"nodes\": [", cost_name(view->cost), view->inverted ? "true" : "false", t->stack_count);
    print_nodes(t, f, view);
    printf("\n  ],\n  \"about\": ");
    json_object_set_new(tail, "part", part_json(f));
    coverage_json(tail, &coverage, json_null());
    trust_of_facts(log, f, &trust);
    json_object_set_new(tail, "trust", trust_json(&trust));
    json_dumpf(tail, stdout, JSON_INDENT(2));
    puts("\n}");
    json_decref(tail);
}
