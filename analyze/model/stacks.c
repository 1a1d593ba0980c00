#include "analyze/model/stacks.h"

#include "analyze/hash.h"

#include <string.h>

void stacks_release(struct stacks *s)
{
    free(s->nodes);
    free(s->leaves);
    free(s->table);
    free(s->steps);
    *s = (struct stacks){ 0 };
}

void stacks_end(struct stacks *s)
{
    free(s->table);
    free(s->steps);
    s->table = NULL;
    s->table_capacity = 0;
    s->steps = NULL;
    s->nodes = shrink(s->nodes, &s->node_capacity, s->node_count, sizeof *s->nodes);
    s->leaves = shrink(s->leaves, &s->leaf_capacity, s->leaf_count, sizeof *s->leaves);
}

/* --- the table ------------------------------------------------------------------
 * A place's low bits are a node's number, the bits above those the node's hash's: so others' nodes, which mostly are
 * in no cache, are hardly ever looked at. */

static uint32_t hash_of(uint32_t parent, uint32_t pc)
{
    return (uint32_t)hash_add(0, (uint64_t)parent << 32 | pc);
}

static uint32_t *place_of(const struct stacks *s, uint32_t parent, uint32_t pc)
{
    const uint32_t hash = hash_of(parent, pc), mask = (uint32_t)(s->table_capacity - 1);
    uint32_t at = hash & mask;

    for (; s->table[at]; at = (at + 1) & mask) {
        if ((s->table[at] ^ hash) & ~mask)
            continue;
        const struct stack_node *node = &s->nodes[s->table[at] & mask];
        if (node->parent == parent && node->pc == pc)
            break;
    }
    return &s->table[at];
}

static void set_place(const struct stacks *s, uint32_t *place, uint32_t node)
{
    const uint32_t mask = (uint32_t)(s->table_capacity - 1);
    *place = (hash_of(s->nodes[node].parent, s->nodes[node].pc) & ~mask) | node;
}

/* All nodes' numbers, those of roots too, are below the capacity then. */
static void enlarge_table(struct stacks *s)
{
    do
        s->table_capacity = s->table_capacity ? s->table_capacity * 2 : 4096;
    while (s->node_count * 4 >= s->table_capacity * 3);
    free(s->table);
    s->table = alloc_zeroed(s->table_capacity, sizeof *s->table);
    for (uint32_t node = 1; node < s->node_count; node++)
        if (!stack_is_root(s, node))
            set_place(s, place_of(s, s->nodes[node].parent, s->nodes[node].pc), node);
}

static uint32_t add_node(struct stacks *s, uint32_t parent, uint32_t pc)
{
    if (s->node_count == 0)
        s->node_count = 1;
    s->nodes = grow(s->nodes, &s->node_capacity, s->node_count + 1, sizeof *s->nodes);
    s->nodes[s->node_count] = (struct stack_node){ .parent = parent, .pc = pc, .leaf = LEAF_NONE };
    return (uint32_t)s->node_count++;
}

uint32_t stacks_root(struct stacks *s, uint32_t what_for)
{
    uint32_t node = add_node(s, 0, what_for);
    s->nodes[node].parent = node;
    return node;
}

static uint32_t find_child(struct stacks *s, uint32_t parent, uint32_t pc)
{
    if (s->node_count * 4 >= s->table_capacity * 3)
        enlarge_table(s);
    uint32_t *place = place_of(s, parent, pc);
    if (!*place)
        set_place(s, place, add_node(s, parent, pc));
    return *place & (uint32_t)(s->table_capacity - 1);
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

#define STEPS_BITS 13 /* 192 KiB: they stay in a core's cache */

/* No key is needed: who has steps meet in one place has others' forgotten, and no more. */
static struct stack_step *step_place(const struct stacks *s, const struct stack_step *step)
{
    uint64_t hash = ((uint64_t)step->whose << 32 | step->from) * 0x9e3779b97f4a7c15u +
                    ((uint64_t)step->pcs[1] << 32 | step->pcs[0]) * 0xc2b2ae3d27d4eb4fu + step->pcs[2] * 0x165667b19e3779f9u;

    return &s->steps[hash >> (64 - STEPS_BITS)];
}

static bool is_step(const struct stack_step *a, const struct stack_step *b)
{
    return a->from == b->from && a->whose == b->whose && a->pcs[0] == b->pcs[0] && a->pcs[1] == b->pcs[1] && a->pcs[2] == b->pcs[2];
}

/* At most STACK_STEP_FRAMES. The step is made and compared number by number, as the frames' numbers were written just now:
 * a processor waits where it reads several of them at once. */
static uint32_t step_down(struct stacks *s, uint32_t process, uint32_t node, const uint32_t *pcs, uint32_t count)
{
    struct stack_step step = {
        .from = node, .whose = process << 2 | count,
        .pcs = { count > 0 ? pcs[0] : 0, count > 1 ? pcs[1] : 0, count > 2 ? pcs[2] : 0 },
    };
    struct stack_step *place = step_place(s, &step);

    if (is_step(place, &step))
        return place->to;
    for (uint32_t i = 0; i < count; i++)
        node = child_of(s, node, s->code ? code_pc(s->code, process, pcs[i]) : pcs[i]);
    step.to = node;
    *place = step;
    return node;
}

static uint32_t descend(struct stacks *s, uint32_t process, uint32_t node, const uint32_t *pcs, uint32_t count)
{
    if (!s->steps)
        s->steps = alloc_zeroed(1u << STEPS_BITS, sizeof *s->steps);
    for (; count > STACK_STEP_FRAMES; pcs += STACK_STEP_FRAMES, count -= STACK_STEP_FRAMES)
        node = step_down(s, process, node, pcs, STACK_STEP_FRAMES);
    return step_down(s, process, node, pcs, count);
}

void stack_path_release(struct stack_path *p)
{
    free(p->given);
    p->given = NULL;
    p->given_capacity = 0;
}

static void give_number(struct stack_path *p, uint32_t number, struct stack_place place)
{
    if (number >= REC_STACK_NUMBERS)
        return;
    if (number >= p->given_capacity)
        p->given = grow(p->given, &p->given_capacity, number + 1, sizeof *p->given);
    p->given[number] = place;
}

uint32_t stack_path_go(struct stack_path *p, struct stacks *s, size_t chunk, const struct event *event)
{
    struct stack_place at = p->at;

    if (p->chunk != chunk + 1) {
        p->chunk = chunk + 1; /* so that 0 is none */
        p->at = at = (struct stack_place){ .node = p->root };
    }
    if (event->stack_mode == REC_STACK_AGAIN) {
        if (event->stack_number < p->given_capacity) /* the decoder knows it to be given */
            p->at = at = p->given[event->stack_number];
    } else if (event->stack_mode != REC_STACK_SAME) {
        if (event->stack_mode == REC_STACK_LONG)
            at.flags = event->stack_flags;
        for (uint32_t i = 0; i < event->pops; i++)
            at.node = s->nodes[at.node].parent; /* of the root: itself */
        at.node = descend(s, p->process, at.node, event->ids, event->pushes);
        p->at = at;
        give_number(p, event->stack_number, at);
    }
    return at.node;
}

static uint32_t add_leaf(struct stacks *s, uint32_t node, uint8_t function)
{
    s->leaves = grow(s->leaves, &s->leaf_capacity, s->leaf_count + 1, sizeof *s->leaves);
    s->leaves[s->leaf_count] = (struct stack_leaf){ .node = node, .next = LEAF_NONE, .function = function };
    return (uint32_t)s->leaf_count++;
}

/* Where a node's first leaf is of another function. */
static uint32_t find_next_leaf(struct stacks *s, uint32_t leaf, uint8_t function)
{
    while (s->leaves[leaf].function != function) {
        uint32_t next = s->leaves[leaf].next;
        if (next == LEAF_NONE) {
            next = add_leaf(s, s->leaves[leaf].node, function);
            s->leaves[leaf].next = next;
        }
        leaf = next;
    }
    return leaf;
}

uint32_t stack_path_find_leaf(const struct stack_path *p, struct stacks *s, uint8_t function)
{
    struct stack_node *node = &s->nodes[p->at.node];

    if (node->leaf == LEAF_NONE)
        node->leaf = add_leaf(s, p->at.node, function);
    uint32_t leaf = node->leaf;
    if (s->leaves[leaf].function != function)
        leaf = find_next_leaf(s, leaf, function);
    if (p->at.flags)
        s->leaves[leaf].flags |= p->at.flags;
    return leaf;
}
