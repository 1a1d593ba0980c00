#include "interpose/inside/guess.h"

#include "interpose/inside/context.h"
#include "interpose/inside/process.h"

bool guess_frame(struct context *c, uint64_t sp, uint64_t fp)
{
    struct memory_range *stack = &c->guessed_stack;

    if ((sp < stack->start || sp >= stack->end) && !memory_find(sp, stack))
        return false;
    return fp >= sp && fp % 8 == 0 && fp <= stack->end - 16;
}

bool guess_code(struct context *c, uint64_t pc)
{
    if (!rule_cache_takes(pc))
        return false;
    return rule_cache_get(&c->rules, pc) != ~0ull || pc_is_known(&process->pcs, pc) || memory_is_code(pc, 1);
}
