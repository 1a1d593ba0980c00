#include "interpose/inside/reach.h"

#include "interpose/inside/context.h"

#define ASKED_BYTES 65536u /* of its own stack a thread asks for so much at once */
#define PAGE_BYTES 4096u /* the smallest: a larger one is asked about more than once */

extern void *__libc_stack_end __attribute__((weak));

/* With the room of the thread's own: other stacks are not asked about at the same time. */
static bool can_read(uint64_t address)
{
    return memory_can_read(&current_context->own_stack.text, address);
}

static uint64_t page_end(uint64_t address)
{
    return (address | (PAGE_BYTES - 1)) + 1;
}

/* The top of the thread's own stack, if it can be sp's. It is asked for again when the
 * stack has become deeper. */
static uint64_t own_end(const struct reach *own, uint64_t sp)
{
    enum { THREAD_STACK_BYTES = 1 << 30, DEEPER_BYTES = 16 << 20 };
    uint64_t thread = (uint64_t)__builtin_thread_pointer();
    uint64_t first = &__libc_stack_end ? (uint64_t)__libc_stack_end + 256 : 0;

    if (own->end)
        return own->start - sp < DEEPER_BYTES ? own->end : 0;
    if (thread - sp < THREAD_STACK_BYTES)
        return thread;
    return first - sp < THREAD_STACK_BYTES ? first : 0;
}

uint64_t reach_find(struct reach *own, uint64_t sp)
{
    struct memory_range range;
    uint64_t end = own_end(own, sp);

    if (end && sp - own->not_start >= own->not_end - own->not_start && memory_find(&own->text, sp, &range)) {
        /* They are the same stack if they are in the same mapping. What is further down
         * in it may be another's, and be unmapped: it is asked for when it is needed. */
        if (end > range.start && end <= range.end) {
            uint64_t start = sp & ~(uint64_t)(ASKED_BYTES - 1);
            own->start = start > range.start ? start : range.start;
            own->end = end;
            return end;
        }
        own->not_start = range.start;
        own->not_end = range.end;
    }
    return can_read(sp & ~7ull) ? page_end(sp) : sp;
}

void reach_find_whole(struct reach *own, uint64_t sp)
{
    struct memory_range range;
    uint64_t end = &__libc_stack_end ? (uint64_t)__libc_stack_end + 256 : 0;

    /* The kernel lets no other mapping join the first thread's stack. */
    if (end && memory_find(&own->text, sp, &range) && end > range.start && end <= range.end) {
        own->start = range.start;
        own->end = end;
    }
}

bool reach_can_read(uint64_t from, uint64_t to)
{
    return can_read(from) && (page_end(from) >= to || can_read(page_end(from)));
}

bool reach_extend(const struct reach *own, uint64_t *limit, uint64_t from, uint64_t to)
{
    if (reach_is_own(own, *limit) || !reach_can_read(from, to))
        return false;
    *limit = page_end(to - 1);
    return true;
}
