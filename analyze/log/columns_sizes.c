/* Columns -> sizes, without the records. */
#include "analyze/log/columns_inside.h"

#include <errno.h>

/* Records of kind 3 that are nothing to a reader of sizes. */
static bool is_of_no_size(unsigned other)
{
    return other == REC_PC || other == REC_MODULE_LOAD || other == REC_MODULE_UNLOAD || other == REC_THREAD_BEGIN ||
           other == REC_THREAD_END || other == REC_THREAD_NAME || other == REC_ALLOC_FAILED ||
           other == REC_REALLOC_FAILED || other == REC_REALLOC_FREED || other == REC_FREE_BY || other == REC_CHUNK_BEGIN;
}

/* Before any size is given out. */
static int look_at_operations(struct columns *c, uint32_t chunks, uint64_t *ret_events)
{
    const uint8_t *other = c->column[COLUMN_OTHER].start, *end = c->column[COLUMN_OTHER].end;
    uint64_t events = 0, sizes_bytes = 0, sizes_there = 0, begun = 1;

    for (const uint8_t *at = c->column[COLUMN_OPERATION].start; at < c->column[COLUMN_OPERATION].end; at++) {
        events++;
        if (*at < OPERATION_KIND) {
            sizes_bytes += (*at & 7) + 1;
            if (*at >> 5 == REC_ALLOC_ALIGNED)
                other = skip_alignment(other, end);
        } else if (*at == OPERATION_KIND + REC_OTHER) {
            unsigned number = other < end ? *other >> 2 : 0;
            other = other < end ? skip_other(other + 1, end) : NULL;
            if (other && !is_of_no_size(number))
                return -EAGAIN;
            events -= number != REC_FREE_BY;
            begun += number == REC_CHUNK_BEGIN;
        }
        if (!other)
            return -EBADMSG;
    }
    for (unsigned i = 0; i < 3; i++)
        sizes_there += (uint64_t)(c->column[COLUMN_SIZE + i].end - c->column[COLUMN_SIZE + i].start);
    *ret_events = events;
    return other == end && sizes_bytes == sizes_there && begun == chunks ? 0 : -EBADMSG;
}

/* The flags of the next stack, and what is kept of it. False: it is not there. */
static bool take_flags(struct columns *c, unsigned mode, uint32_t *stacks, uint8_t *flags)
{
    const uint8_t *at = c->column[COLUMN_STACK].at, *end = c->column[COLUMN_STACK].end;
    const uint8_t *next = skip_stack(at, end, mode);
    uint64_t given;

    if (!next)
        return false;
    c->column[COLUMN_STACK].at = (uint8_t *)next;
    if (mode == REC_STACK_AGAIN) {
        unsigned number = at[0] | (unsigned)at[1] << 8;
        if (number >= *stacks || number >= REC_STACK_NUMBERS)
            return false;
        *flags = c->flags_of[number];
    } else if (mode != REC_STACK_SAME) {
        if (mode == REC_STACK_LONG && skip_varint(at, end, &given))
            *flags = (uint8_t)given;
        if (*stacks < REC_STACK_NUMBERS)
            c->flags_of[*stacks] = *flags;
        ++*stacks;
    }
    return true;
}

int columns_sizes(struct columns *c, uint32_t chunks, columns_add *add, void *data, uint64_t *ret_events)
{
    const uint8_t *other = c->column[COLUMN_OTHER].start, *end = c->column[COLUMN_OTHER].end; /* whole, by look_at_operations() */
    uint32_t stacks = 0;
    uint8_t flags = 0;
    uint64_t size;
    unsigned operation;
    int error = look_at_operations(c, chunks, ret_events);

    if (error)
        return error;
    for (unsigned i = 0; i < COLUMNS_FOR_SIZES; i++)
        c->column[i].at = c->column[i].start;
    while (take(c, COLUMN_OPERATION, &operation))
        if (operation < OPERATION_KIND) {
            if (!take_planes(c, COLUMN_SIZE, 3, (operation & 7) + 1, &size) ||
                !take_flags(c, operation >> 3 & 3, &stacks, &flags))
                return -EBADMSG;
            add(data, rec_size_counted(size), flags);
            if (operation >> 5 == REC_ALLOC_ALIGNED)
                other = skip_alignment(other, end);
        } else if (operation == OPERATION_KIND + REC_OTHER) {
            if (*other >> 2 == REC_CHUNK_BEGIN)
                stacks = flags = 0;
            other = skip_other(other + 1, end);
        }
    return 0;
}
