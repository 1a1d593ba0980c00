/* What the launcher said of a session: when it began by the clock on the wall, on which
 * machine, and what was run. */
#ifndef MALLOSCOPE_MODEL_SESSION_H
#define MALLOSCOPE_MODEL_SESSION_H

#include "analyze/log/log.h"

struct session {
    char *command;        /* words with spaces between them; "" unknown */
    char *host;           /* "" unknown */
    unsigned flags;       /* rec_session_flags */
    uint64_t realtime_ns; /* CLOCK_REALTIME at log->first_ns; 0: unknown */
};

/* A session without a launcher's record has its earliest process's begin for its own. */
void session_read(const struct log *log, struct session *ret_session);
void session_release(struct session *s);

#endif
