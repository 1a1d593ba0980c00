#include "analyze/model/session.h"

#include "analyze/log/reader.h"

struct taking {
    const struct log *log;
    struct session *session;
};

static void take(void *data, const struct timed_event *e)
{
    const struct taking *t = data;
    struct session *s = t->session;

    if (e->event.type != EVENT_OTHER || e->event.other != REC_SESSION_START || s->command)
        return;
    s->command = copy_words(e->event.session.command.data, e->event.session.command.bytes);
    s->host = copy_text(e->event.session.host.data, e->event.session.host.bytes);
    s->flags = e->event.session.flags;
    s->realtime_ns = e->event.session.realtime_ns - (e->ns - t->log->first_ns);
}

/* A process's image is CLOCK_REALTIME when its first chunk was about to begin. */
static uint64_t earliest_image(const struct log *log)
{
    uint64_t earliest = 0;

    for (size_t i = 0; i < log->process_count; i++)
        if (log->processes[i].stream_count && (!earliest || log->processes[i].image < earliest))
            earliest = log->processes[i].image;
    return earliest;
}

void session_read(const struct log *log, struct session *ret_session)
{
    struct session s = { 0 };
    struct taking taking = { log, &s };

    reader_session_records(log, take, &taking);
    if (!s.command) {
        s.command = copy_text("", 0);
        s.host = copy_text("", 0);
        s.realtime_ns = earliest_image(log);
    }
    *ret_session = s;
}

void session_release(struct session *s)
{
    free(s->command);
    free(s->host);
    *s = (struct session){ 0 };
}
