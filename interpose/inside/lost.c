#include "interpose/inside/lost.h"

#include "interpose/inside/context.h"
#include "interpose/inside/nested.h"
#include "interpose/inside/own_code.h"
#include "interpose/inside/process.h"
#include "interpose/inside/select.h"

#include <stdlib.h>

static bool allocator_has(uint64_t address)
{
    return address - nested_allocator.start < nested_allocator.end - nested_allocator.start;
}

/* There is no context to be busy, so that an allocator's calls of itself are known by where they come from; where it
 * is libc, which is much more, glibc's reallocarray jumps to realloc, and so comes from our own code. */
static bool is_event(uint64_t pc)
{
    if (!session.live || (current_context != &context_none && current_context != &context_mute) || own_code_has(pc))
        return false;
    return !allocator_has(pc) || allocator_has((uint64_t)abort);
}

void lost_alloc(const void *block, size_t size, uint64_t pc)
{
    if (block && is_event(pc) && (!session.selection.on || select_lost_alloc(block, size)))
        process_count_lost(1);
}

bool lost_free(const void *block, uint64_t pc)
{
    const bool counts = is_event(pc) && (!session.selection.on || select_free(block));

    if (counts)
        process_count_lost(1);
    return counts;
}

void lost_free_undone(const void *block, uint64_t pc, bool counted)
{
    if (session.selection.on && is_event(pc))
        select_free_undone(block, counted);
}
