/* The tree of all stacks: a node is a frame together with all its callers. The
 * log has differences between stacks; a path per stream turns them into nodes.
 * Each process has a root of its own, so pc numbers need no translation here. */
#ifndef MALLOSCOPE_MODEL_STACKS_H
#define MALLOSCOPE_MODEL_STACKS_H

#include "analyze/util.h"
#include "format/decode.h"

struct stack_node {
    uint32_t parent; /* index; a root is its own parent */
    uint32_t pc;     /* the process's number for it; of a root: the process's index */
    uint8_t flags;   /* rec_stack_flags of stacks that end here */
};

struct stacks {
    struct stack_node *nodes; /* 0 is no node */
    size_t node_count, node_capacity;
    uint32_t *table; /* hash of (parent, pc) -> node */
    size_t table_capacity;
};

/* One stream's place in the tree. */
struct stack_path {
    size_t chunk; /* in which it is; another chunk starts from the root */
    uint32_t root;
    struct stack_place {
        uint32_t node;
        uint8_t flags;
    } at, *given; /* now; and by the chunk's numbers */
    size_t given_capacity;
};

void stacks_release(struct stacks *s);
uint32_t stacks_root(struct stacks *s, uint32_t process);

void stack_path_release(struct stack_path *p);
/* The node of the stack of an allocation event. */
uint32_t stack_path_follow(struct stack_path *p, struct stacks *s, size_t chunk, const struct event *event);

static inline bool stack_is_root(const struct stacks *s, uint32_t node)
{
    return s->nodes[node].parent == node;
}

#endif
