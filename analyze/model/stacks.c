#include "analyze/model/stacks.h"

void stacks_release(struct stacks *s)
{
    free(s->nodes);
    free(s->table);
    *s = (struct stacks){ 0 };
}

static uint32_t *place_of(const struct stacks *s, uint32_t parent, uint32_t pc)
{
    uint64_t key = (uint64_t)parent << 32 | pc;
    size_t at = (size_t)(key * 0x9e3779b97f4a7c15ull >> 30) & (s->table_capacity - 1);

    while (s->table[at]) {
        const struct stack_node *node = &s->nodes[s->table[at]];
        if (node->parent == parent && node->pc == pc)
            break;
        at = (at + 1) & (s->table_capacity - 1);
    }
    return &s->table[at];
}

static void rehash(struct stacks *s)
{
    s->table_capacity = s->table_capacity ? s->table_capacity * 2 : 4096;
    free(s->table);
    s->table = alloc_zeroed(s->table_capacity, sizeof *s->table);
    for (uint32_t i = 1; i < s->node_count; i++)
        if (!stack_is_root(s, i))
            *place_of(s, s->nodes[i].parent, s->nodes[i].pc) = i;
}

static uint32_t add_node(struct stacks *s, uint32_t parent, uint32_t pc)
{
    if (s->node_count == 0)
        s->node_count = 1;
    s->nodes = grow(s->nodes, &s->node_capacity, s->node_count + 1, sizeof *s->nodes);
    s->nodes[s->node_count] = (struct stack_node){ .parent = parent, .pc = pc };
    return (uint32_t)s->node_count++;
}

uint32_t stacks_root(struct stacks *s, uint32_t process)
{
    uint32_t node = add_node(s, 0, process);
    s->nodes[node].parent = node;
    return node;
}

static uint32_t child_of(struct stacks *s, uint32_t parent, uint32_t pc)
{
    if (s->node_count * 2 >= s->table_capacity)
        rehash(s);
    uint32_t *place = place_of(s, parent, pc);
    if (!*place) {
        uint32_t node = add_node(s, parent, pc);
        *place = node;
    }
    return *place;
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
        if (event->stack_mode == REC_STACK_LONG)
            p->at.flags = event->stack_flags;
        for (uint32_t i = 0; i < event->pops; i++)
            p->at.node = s->nodes[p->at.node].parent; /* of the root: itself */
        for (uint32_t i = 0; i < event->pushes; i++)
            p->at.node = child_of(s, p->at.node, event->ids[i]);
        give_number(p, event->stack_number);
    }
    s->nodes[p->at.node].flags |= p->at.flags;
    return p->at.node;
}
