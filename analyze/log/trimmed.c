#include "analyze/log/trimmed.h"

#include "analyze/log/reader.h"

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
}

struct log_trimmed log_trimmed(const struct log *log)
{
    struct log_trimmed trimmed = { 0 };

    reader_session_records(log, take, &trimmed);
    return trimmed;
}
