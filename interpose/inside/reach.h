/* How far memory can be read upward of a stack pointer, so that a wrong unwind table,
 * a stray frame pointer or a stack that the program switched by hand cannot make us
 * read what is not there.
 *
 * A thread's own stack reaches without a gap to its control block (the thread library
 * puts it on top) or, the first one, to where the program started. Of any other stack
 * (a coroutine's, an alternate one) only pages that the kernel has been asked about
 * count. May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_REACH_H
#define MALLOSCOPE_INSIDE_REACH_H

#include "interpose/inside/hints.h"
#include "interpose/inside/memory_map.h"

#include <stdbool.h>
#include <stdint.h>

/* The calling thread's own stack, as far as it is known; all 0 in the beginning. */
struct reach {
    uint64_t start, end;
    uint64_t not_start, not_end; /* the last mapping that was found to be another */
    struct memory_text text;     /* room for who asks */
};

/* Another thread's stack is another. */
static inline void reach_forget(struct reach *own)
{
    own->start = own->end = own->not_start = own->not_end = 0;
}

uint64_t reach_find(struct reach *own, uint64_t sp);

/* Looks for all of the first thread's own stack at once, if it is the calling one. */
void reach_find_whole(struct reach *own, uint64_t sp);

/* The limit: words from sp up to it can be read. */
static inline uint64_t reach_limit(struct reach *own, uint64_t sp)
{
    if (LIKELY(sp - own->start < own->end - own->start))
        return own->end;
    return reach_find(own, sp);
}

static inline bool reach_is_own(const struct reach *own, uint64_t limit)
{
    return limit == own->end;
}

/* Whether the words of [from, to), less than a page, can be read. */
bool reach_can_read(uint64_t from, uint64_t to);

/* The same for words at or beyond *limit, on a stack that is not the thread's own;
 * *limit then grows. */
bool reach_extend(const struct reach *own, uint64_t *limit, uint64_t from, uint64_t to);

#endif
