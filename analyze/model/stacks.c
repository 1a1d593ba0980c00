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
    free(p->nodes);
}

uint32_t stack_path_follow(struct stack_path *p, struct stacks *s, size_t chunk, const struct event *event)
{
    if (p->chunk != chunk + 1) {
        p->chunk = chunk + 1; /* so that 0 is none */
        p->depth = 0;
        p->flags = 0;
    }
    if (event->stack_mode != REC_STACK_SAME) {
        if (event->stack_mode == REC_STACK_LONG)
            p->flags = event->stack_flags;
        p->depth = event->pops > p->depth ? 0 : p->depth - event->pops;
        p->nodes = grow(p->nodes, &p->capacity, p->depth + event->pushes, sizeof *p->nodes);
        for (uint32_t i = 0; i < event->pushes; i++) {
            uint32_t parent = p->depth ? p->nodes[p->depth - 1] : p->root;
            p->nodes[p->depth++] = child_of(s, parent, event->ids[i]);
        }
    }
    uint32_t node = p->depth ? p->nodes[p->depth - 1] : p->root;
    s->nodes[node].flags |= p->flags;
    return node;
}
