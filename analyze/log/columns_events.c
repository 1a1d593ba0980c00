/* Columns -> events, for who wants no records. */
#include "analyze/log/columns_inside.h"

#include "format/decode_inside.h"

#define PROBLEM "a packed chunk that cannot be unpacked"

void columns_begin(struct columns *c)
{
    for (unsigned i = 0; i < REC_COLUMNS; i++)
        c->column[i].at = c->column[i].start;
    c->skew = 0;
    places_begin(&c->places);
}

static struct span span_of(const struct columns *c, unsigned column)
{
    return (struct span){ c->column[column].at, c->column[column].end, false };
}

/* A record of kind 3, which is whole in its column; or of the tail. */
static int next_record(struct columns *c, struct decoding *d, unsigned column, struct event *e)
{
    d->start = c->column[column].start;
    d->at = c->column[column].at;
    d->end = c->column[column].end;
    if (d->at < d->end)
        pass_other(&c->places, *d->at);
    int got = decoding_next(d, e);
    c->column[column].at = (uint8_t *)d->at;
    c->skew = d->address - c->places.last;
    return got;
}

/* What is left over has come to its end: so must all have. */
static int end(struct columns *c, struct decoding *d)
{
    for (unsigned i = 0; i < REC_COLUMNS; i++)
        if (c->column[i].at != c->column[i].end)
            return decoding_fail(d, PROBLEM);
    return 0;
}

/* Two functions that are not inlined, so that each saves only the registers that it needs. */
static __attribute__((noinline)) int next_allocation(struct columns *c, struct decoding *d, unsigned operation, struct event *e)
{
    struct span other = span_of(c, COLUMN_OTHER), stack = span_of(c, COLUMN_STACK);
    uint64_t stamp, address;

    if (!take_allocation(c, operation, &stamp, &address, &e->size))
        return decoding_fail(d, PROBLEM);
    e->ticks = d->ticks += stamp;
    e->address = d->address = address + c->skew;
    int got = decode_rest(d, operation, &other, &stack, e);
    c->column[COLUMN_OTHER].at = (uint8_t *)other.at;
    c->column[COLUMN_STACK].at = (uint8_t *)stack.at;
    return got;
}

static __attribute__((noinline)) int next_free(struct columns *c, struct decoding *d, unsigned operation, struct event *e)
{
    uint64_t stamp, address;

    if (!take_free(c, &stamp, &address))
        return decoding_fail(d, PROBLEM);
    e->type = operation == OPERATION_KIND + REC_FREE ? EVENT_FREE : EVENT_REALLOC_BEGIN;
    e->function = operation == OPERATION_KIND + REC_FREE ? REC_FN_FREE : REC_FN_REALLOC;
    e->alignment = 0;
    e->ticks = d->ticks += stamp;
    e->address = d->address = address + c->skew;
    return 1;
}

int columns_next(struct columns *c, struct decoding *d, struct event *e)
{
    unsigned operation;

    if (d->problem)
        return -1;
    if (!take(c, COLUMN_OPERATION, &operation)) {
        int got = next_record(c, d, COLUMN_TAIL, e);
        return got ? got : end(c, d);
    }
    if (operation < OPERATION_KIND)
        return next_allocation(c, d, operation, e);
    if (operation == OPERATION_KIND + REC_FREE || operation == OPERATION_KIND + REC_REALLOC_BEGIN)
        return next_free(c, d, operation, e);
    if (operation == OPERATION_KIND + REC_OTHER && c->column[COLUMN_OTHER].at < c->column[COLUMN_OTHER].end)
        return next_record(c, d, COLUMN_OTHER, e);
    return decoding_fail(d, PROBLEM);
}
