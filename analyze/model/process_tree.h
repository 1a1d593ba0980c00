/* Who started whom: each process of a session under the one that forked it, each
 * program under the one that executed it. Places are those in facts->by_start. */
#ifndef MALLOSCOPE_MODEL_PROCESS_TREE_H
#define MALLOSCOPE_MODEL_PROCESS_TREE_H

#include "analyze/model/facts.h"

#define TREE_NONE UINT32_MAX

struct tree_node {
    uint32_t parent, first_child, next; /* next: child of the same parent; TREE_NONE: none */
    uint32_t last_child;
};

struct process_tree {
    struct tree_node *nodes;
    uint32_t first_root; /* the others are its nexts */
    size_t count;
};

/* A parent always comes before its children, so there are no circles. */
void process_tree_make(const struct facts *facts, struct process_tree *ret_tree);
void process_tree_release(struct process_tree *tree);

#endif
