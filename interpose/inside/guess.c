#include "interpose/inside/guess.h"

#include "interpose/inside/context.h"
#include "interpose/inside/process.h"

const struct memory_range *guess_stack(struct context *c, uint64_t sp)
{
    struct memory_range *stack = &c->guessed_stack;

    if ((sp < stack->start || sp >= stack->end) && !memory_find(sp, stack))
        *stack = (struct memory_range){ 0 };
    return stack;
}

bool guess_code(struct context *c, uint64_t pc)
{
    if (!rule_cache_takes(pc))
        return false;
    return rule_cache_get(&c->rules, pc) != ~0ull || pc_is_known(&process->pcs, pc) || memory_is_code(pc, 1);
}
