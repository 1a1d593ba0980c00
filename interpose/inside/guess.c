#include "interpose/inside/guess.h"

#include "interpose/inside/context.h"
#include "interpose/inside/memory_map.h"
#include "interpose/inside/process.h"

bool guess_frame_beyond(struct context *c, uint64_t *limit, uint64_t sp, uint64_t fp)
{
    enum { FRAME_BYTES_MAX = 1 << 20 }; /* of a stack that is not the thread's own */

    return fp >= sp && fp % 8 == 0 && fp - sp < FRAME_BYTES_MAX &&
           reach_extend(&c->own_stack, limit, fp, fp + GUESS_RECORD_BYTES);
}

#define REFUSALS_MAX 32 /* then no more is asked for a while */

/* Words that looked like return addresses are often the same: code that uses the
 * frame pointer for data. To ask the kernel each time would be slow. */
static uint64_t *place_of_refused(struct context *c, uint64_t pc)
{
    return &c->refused[pc * 0x9e3779b97f4a7c15ull >> (64 - GUESS_REFUSED_BITS)];
}

bool guess_code(struct context *c, uint64_t pc)
{
    if (!rule_cache_takes(pc))
        return false;
    if (rule_cache_get(&c->rules, pc) != ~0ull || pc_is_known(&process->pcs, pc))
        return true;
    if (*place_of_refused(c, pc) == pc || c->refusals >= REFUSALS_MAX)
        return false;
    if (memory_is_code(&c->own_stack.text, pc, 1))
        return true;
    *place_of_refused(c, pc) = pc;
    c->refusals++;
    return false;
}

void guess_forget(struct context *c)
{
    memset(c->refused, 0, sizeof c->refused);
    c->refusals = 0;
}
