/* The tree of all stacks: a node is a frame together with all its callers. The
 * log has differences between stacks; a path per stream turns them into nodes.
 * A tree of the session's code is of all processes: whatever runs the same stack has the same
 * node. Without code, nodes have the processes' own pc numbers, and each process has a root of its own.
 *
 * A leaf is a node at which an allocation's stack ends, with the function that allocated; leaves are numbered from 0,
 * so that what is counted for each stack lies side by side. Nearly all stacks have one: code calls two functions
 * from one address by a pointer only, or where no frames were recorded. Memory: 24 to 36 bytes
 * for each node, after stacks_end() 16; 12 for each leaf. */
#ifndef MALLOSCOPE_MODEL_STACKS_H
#define MALLOSCOPE_MODEL_STACKS_H

#include "analyze/model/code.h"
#include "analyze/util.h"
#include "format/decode.h"

#define LEAF_NONE UINT32_MAX

struct stack_node {
    uint32_t parent; /* index; a root is its own parent */
    uint32_t pc;     /* the session's number for it (code.h), or the process's; of a root: what it was made for */
    uint32_t leaf;   /* number of the first; LEAF_NONE: no stack ends here */
    uint32_t child;  /* that was looked for last; most often it lies beside its parent in memory. 0: none */
};

struct stack_leaf {
    uint32_t node;
    uint32_t next;    /* of the same stack, of another function, a larger number; LEAF_NONE: there is none */
    uint8_t flags;    /* rec_stack_flags of stacks that end here */
    uint8_t function; /* rec_function */
};

/* Where a few frames lead, looked up not long ago: most stacks differ from the one
 * before by frames that have followed this node before. */
#define STACK_STEP_FRAMES 3
struct stack_step {
    uint32_t from, whose; /* from 0: none; whose: process << 2 | number of pcs */
    uint32_t pcs[STACK_STEP_FRAMES]; /* the process's numbers; then 0 */
    uint32_t to;
};

struct stacks {
    struct code *code; /* whose numbers nodes have; NULL: the processes' own. To be set before the first stack */
    struct stack_node *nodes; /* 0 is no node */
    size_t node_count, node_capacity;
    struct stack_leaf *leaves;
    size_t leaf_count, leaf_capacity;
    uint32_t *table; /* nodes by (parent, pc), open addressing; 0: an empty place */
    size_t table_capacity;
    struct stack_step *steps; /* a cache, by all that leads to `to` */
};

/* One stream's place in the tree. */
struct stack_path {
    size_t chunk; /* in which it is; another chunk starts from the root */
    uint32_t root, process;
    struct stack_place {
        uint32_t node;
        uint8_t flags;
    } at, *given; /* now; and by the chunk's numbers */
    size_t given_capacity;
};

void stacks_release(struct stacks *s);
uint32_t stacks_root(struct stacks *s, uint32_t what_for);
/* No more stacks come: gives back what only they need. */
void stacks_end(struct stacks *s);

void stack_path_release(struct stack_path *p);
/* For the next ones. */
uint32_t stack_path_go(struct stack_path *p, struct stacks *s, size_t chunk, const struct event *event);
uint32_t stack_path_find_leaf(const struct stack_path *p, struct stacks *s, uint8_t function);

/* The node of the stack of an allocation event. Mostly it is one that the chunk has had. */
static inline uint32_t stack_path_follow(struct stack_path *p, struct stacks *s, size_t chunk, const struct event *event)
{
    bool is_again = event->stack_mode == REC_STACK_AGAIN && event->stack_number < p->given_capacity;

    if (p->chunk != chunk + 1 || !(is_again || event->stack_mode == REC_STACK_SAME))
        return stack_path_go(p, s, chunk, event);
    if (is_again)
        p->at = p->given[event->stack_number];
    return p->at.node;
}

/* The function's leaf where the path is, made if there is none. */
static inline uint32_t stack_path_leaf(const struct stack_path *p, struct stacks *s, uint8_t function)
{
    uint32_t leaf = s->nodes[p->at.node].leaf;

    return leaf != LEAF_NONE && s->leaves[leaf].function == function && !p->at.flags ? leaf : stack_path_find_leaf(p, s, function);
}

/* Of all stacks each has one such leaf. */
static inline bool stack_leaf_is_first(const struct stacks *s, uint32_t leaf)
{
    return s->nodes[s->leaves[leaf].node].leaf == leaf;
}

static inline bool stack_is_root(const struct stacks *s, uint32_t node)
{
    return s->nodes[node].parent == node;
}

#endif
