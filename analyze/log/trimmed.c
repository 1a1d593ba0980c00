#include "analyze/log/trimmed.h"

#include "analyze/log/reader.h"

#include <string.h>

static void take(void *data, const struct timed_event *e)
{
    struct log_trimmed *t = data;
    const struct event *event = &e->event;

    if (event->type != EVENT_OTHER || event->other != REC_TRIMMED)
        return;
    t->is = true;
    if (event->trimmed.from_ns > t->from_ns)
        t->from_ns = event->trimmed.from_ns;
    if (event->trimmed.to_ns && (!t->to_ns || event->trimmed.to_ns < t->to_ns))
        t->to_ns = event->trimmed.to_ns;
    t->left_out += event->trimmed.left_out;
    t->incomplete |= event->trimmed.flags & REC_TRIMMED_INCOMPLETE;
    if (event->trimmed.origin.bytes == sizeof t->origin) /* of several times each has the same */
        memcpy(t->origin, event->trimmed.origin.data, sizeof t->origin);
}

struct log_trimmed log_trimmed(const struct log *log)
{
    struct log_trimmed trimmed = { 0 };

    memcpy(trimmed.origin, log->header.session, sizeof trimmed.origin);
    reader_session_records(log, take, &trimmed);
    return trimmed;
}
