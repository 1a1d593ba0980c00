#include "analyze/model/costs.h"

void costs_release(struct costs *c)
{
    free(c->of);
    free(c->changed);
    *c = (struct costs){ 0 };
}

void costs_reserve(struct costs *c, size_t count)
{
    size_t had = c->capacity;

    if (count <= had)
        return;
    c->of = grow(c->of, &c->capacity, count, sizeof *c->of);
    for (size_t i = had; i < c->capacity; i++)
        c->of[i].least = UINT64_MAX;
}

void costs_end(struct costs *c, size_t leaf_count)
{
    costs_leave(c);
    free(c->changed);
    c->changed = NULL;
    c->changed_count = c->changed_capacity = 0;
    c->of = shrink(c->of, &c->capacity, leaf_count, sizeof *c->of);
}

void costs_note_change(struct costs *c, uint32_t leaf)
{
    if (c->changed_count == c->changed_capacity)
        c->changed = grow(c->changed, &c->changed_capacity, c->changed_count + 1, sizeof *c->changed);
    c->changed[c->changed_count++] = leaf;
    c->of[leaf].since_peak = true;
}

void costs_take_peak(struct costs *c)
{
    c->peak_bytes = c->live_bytes;
    c->peak_blocks = c->live_blocks;
    c->peak_ns = c->lived_ns;
    for (size_t i = 0; i < c->changed_count; i++) {
        struct stack_costs *of = &c->of[c->changed[i]];
        of->peak_blocks = of->live_blocks;
        of->peak_bytes = of->live_bytes;
        of->since_peak = false;
    }
    c->changed_count = 0;
}
