#include "interpose/inside/reach.h"

#include "interpose/inside/memory_map.h"
#include "interpose/inside/sys.h"

#define PAGE_BYTES 4096u /* the smallest: a larger one is asked about more than once */

extern void *__libc_stack_end __attribute__((weak));

static uint64_t page_end(uint64_t address)
{
    return (address | (PAGE_BYTES - 1)) + 1;
}

/* The top of the thread's own stack, if it can be sp's. The first stack grows, so it
 * may be asked for again; nothing else is mapped that close below it. */
static uint64_t own_end(const struct reach *own, uint64_t sp)
{
    enum { THREAD_STACK_BYTES = 1 << 30, GROWTH_BYTES = 128 << 20 };
    uint64_t thread = (uint64_t)__builtin_thread_pointer();
    uint64_t first = &__libc_stack_end ? (uint64_t)__libc_stack_end + 256 : 0;

    if (own->end)
        return own->end == first && own->start - sp < GROWTH_BYTES ? first : 0;
    if (thread - sp < THREAD_STACK_BYTES)
        return thread;
    return first - sp < THREAD_STACK_BYTES ? first : 0;
}

uint64_t reach_find(struct reach *own, uint64_t sp)
{
    struct memory_range range;
    uint64_t end = own_end(own, sp);

    /* They are the same stack if they are in the same mapping. */
    if (end && memory_find(sp, &range) && end > range.start && end <= range.end) {
        *own = (struct reach){ range.start, end };
        return end;
    }
    return page_end(sp);
}

bool reach_can_read(uint64_t from, uint64_t to)
{
    return sys_can_read(from) && (page_end(from) >= to || sys_can_read(page_end(from)));
}

bool reach_extend(const struct reach *own, uint64_t *limit, uint64_t from, uint64_t to)
{
    if (reach_is_own(own, *limit) || !reach_can_read(from, to))
        return false;
    *limit = page_end(to - 1);
    return true;
}
