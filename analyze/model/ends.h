/* When processes end. A process says so itself where it calls exit() or _exit(): that is the last record of its
 * streams. Else the log may tell it otherwise: the launcher has awaited it, another program has taken its place, it
 * still ran when the log was opened. Where nothing tells, it ends with its last record.
 *
 * To be told of the events in the reader's order. */
#ifndef MALLOSCOPE_MODEL_ENDS_H
#define MALLOSCOPE_MODEL_ENDS_H

#include "analyze/log/reader.h"
#include "analyze/model/settings.h"

struct ends {
    const struct log *log;
    uint64_t *told_ns;      /* by process; CLOCK_MONOTONIC; 0: not told, or the process itself does */
    uint32_t *open_streams; /* by process */
    bool *has_ended;        /* by process */
    bool *is_known;         /* by process: when it ended, or that it still runs */
    bool *is_replaced;      /* by process: another program has taken its place */
    bool *runs;             /* by process: still, when the log was opened */
    uint32_t *order;        /* those with told_ns, by that */
    size_t count, next;
    uint64_t next_ns;       /* of order[next] */
};

#define ENDS_NONE UINT32_MAX

void ends_find(const struct log *log, const struct settings *settings, struct ends *ret_ends);
void ends_release(struct ends *e);

uint32_t ends_next(struct ends *e, uint64_t before_ns, uint64_t *ret_ns);

/* A process that has ended before this moment, at *ret_ns, and after all its events; ENDS_NONE: there is none, or no more. */
static inline uint32_t ends_before(struct ends *e, uint64_t ns, uint64_t *ret_ns)
{
    return e->next_ns < ns ? ends_next(e, ns, ret_ns) : ENDS_NONE;
}

/* A record that is no allocation and no free. */
void ends_take(struct ends *e, const struct timed_event *event);
/* The stream of this event, its last, has no more. True: its process has ended with it. */
bool ends_of_stream(struct ends *e, const struct timed_event *last);

#endif
