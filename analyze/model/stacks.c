#include "analyze/model/stacks.h"

void stacks_release(struct stacks *s)
{
    free(s->nodes);
    free(s->leaves);
    free(s->table);
    *s = (struct stacks){ 0 };
}

void stacks_end(struct stacks *s)
{
    free(s->table);
    s->table = NULL;
    s->table_capacity = 0;
    s->nodes = shrink(s->nodes, &s->node_capacity, s->node_count, sizeof *s->nodes);
    s->leaves = shrink(s->leaves, &s->leaf_capacity, s->leaf_count, sizeof *s->leaves);
}

static uint64_t hash(uint32_t parent, uint32_t pc)
{
    uint64_t product = ((uint64_t)parent << 32 | pc) * 0x9e3779b97f4a7c15ull;
    return product ^ product >> 32; /* the parent is in the upper half only */
}

static uint32_t *place_of(const struct stacks *s, uint32_t parent, uint32_t pc)
{
    size_t at = (size_t)hash(parent, pc) & (s->table_capacity - 1);

    for (; s->table[at]; at = (at + 1) & (s->table_capacity - 1)) {
        const struct stack_node *node = &s->nodes[s->table[at]];
        if (node->parent == parent && node->pc == pc)
            break;
    }
    return &s->table[at];
}

static void rehash(struct stacks *s)
{
    s->table_capacity = s->table_capacity ? s->table_capacity * 2 : 4096;
    free(s->table);
    s->table = alloc_zeroed(s->table_capacity, sizeof *s->table);
    for (uint32_t node = 1; node < s->node_count; node++)
        if (!stack_is_root(s, node))
            *place_of(s, s->nodes[node].parent, s->nodes[node].pc) = node;
}

static uint32_t add_node(struct stacks *s, uint32_t parent, uint32_t pc)
{
    if (s->node_count == 0)
        s->node_count = 1;
    s->nodes = grow(s->nodes, &s->node_capacity, s->node_count + 1, sizeof *s->nodes);
    s->nodes[s->node_count] = (struct stack_node){ .parent = parent, .pc = pc, .leaf = LEAF_NONE };
    return (uint32_t)s->node_count++;
}

uint32_t stacks_root(struct stacks *s, uint32_t process)
{
    uint32_t node = add_node(s, 0, process);
    s->nodes[node].parent = node;
    return node;
}

static uint32_t find_child(struct stacks *s, uint32_t parent, uint32_t pc)
{
    if (s->node_count * 4 >= s->table_capacity * 3)
        rehash(s);
    uint32_t *place = place_of(s, parent, pc);
    if (!*place)
        *place = add_node(s, parent, pc);
    return *place;
}

static uint32_t child_of(struct stacks *s, uint32_t parent, uint32_t pc)
{
    uint32_t last = s->nodes[parent].child;

    if (last && s->nodes[last].pc == pc)
        return last;
    uint32_t child = find_child(s, parent, pc);
    s->nodes[parent].child = child;
    return child;
}

void stack_path_release(struct stack_path *p)
{
    free(p->given);
    p->given = NULL;
    p->given_capacity = 0;
}

static void give_number(struct stack_path *p, uint32_t number)
{
    if (number >= REC_STACK_NUMBERS)
        return;
    if (number >= p->given_capacity)
        p->given = grow(p->given, &p->given_capacity, number + 1, sizeof *p->given);
    p->given[number] = p->at;
}

uint32_t stack_path_follow(struct stack_path *p, struct stacks *s, size_t chunk, const struct event *event)
{
    if (p->chunk != chunk + 1) {
        p->chunk = chunk + 1; /* so that 0 is none */
        p->at = (struct stack_place){ .node = p->root };
    }
    if (event->stack_mode == REC_STACK_AGAIN) {
        if (event->stack_number < p->given_capacity) /* the decoder knows it to be given */
            p->at = p->given[event->stack_number];
    } else if (event->stack_mode != REC_STACK_SAME) {
        uint32_t node = p->at.node;
        if (event->stack_mode == REC_STACK_LONG)
            p->at.flags = event->stack_flags;
        for (uint32_t i = 0; i < event->pops; i++)
            node = s->nodes[node].parent; /* of the root: itself */
        for (uint32_t i = 0; i < event->pushes; i++)
            node = child_of(s, node, event->ids[i]);
        p->at.node = node;
        give_number(p, event->stack_number);
    }
    return p->at.node;
}

uint32_t stack_path_leaf(const struct stack_path *p, struct stacks *s)
{
    struct stack_node *node = &s->nodes[p->at.node];

    if (node->leaf == LEAF_NONE) {
        s->leaves = grow(s->leaves, &s->leaf_capacity, s->leaf_count + 1, sizeof *s->leaves);
        s->leaves[s->leaf_count] = (struct stack_leaf){ .node = p->at.node };
        node->leaf = (uint32_t)s->leaf_count++;
    }
    if (p->at.flags)
        s->leaves[node->leaf].flags |= p->at.flags;
    return node->leaf;
}

uint32_t stacks_process(const struct stacks *s, uint32_t node)
{
    while (!stack_is_root(s, node))
        node = s->nodes[node].parent;
    return s->nodes[node].pc;
}

/* A node is made after its parent, and so comes after it. */
uint32_t *stacks_processes(const struct stacks *s)
{
    uint32_t *processes = alloc_zeroed(s->node_count, sizeof *processes);

    for (uint32_t node = 1; node < s->node_count; node++)
        processes[node] = stack_is_root(s, node) ? s->nodes[node].pc : processes[s->nodes[node].parent];
    return processes;
}
