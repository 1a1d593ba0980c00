#include "interpose/outside/remark.h"

#include "interpose/inside/nested.h"
#include "interpose/inside/start.h"

struct context *remark_begin(const struct walk_start *start, size_t bytes)
{
    struct context *c = current_context;

    if (c == &context_none)
        c = start_thread(NULL);
    else if (c->busy)
        c = nested_context(c, start);
    if (!c)
        return NULL;
    c->busy = start->sp | CONTEXT_RECORDING;
    context_fence();
    struct context *now = context_room(c, bytes);
    if (!now)
        c->busy = CONTEXT_IDLE;
    return now;
}

void remark_end(struct context *c, uint8_t *at)
{
    context_publish(c, at);
    context_fence();
    c->busy = CONTEXT_IDLE;
}
