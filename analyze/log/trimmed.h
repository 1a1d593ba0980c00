/* Whether a log is a part of another one, and which (`malloscope trim`). */
#ifndef MALLOSCOPE_LOG_TRIMMED_H
#define MALLOSCOPE_LOG_TRIMMED_H

#include "analyze/log/log.h"

struct log_trimmed {
    bool is;
    uint64_t from_ns, to_ns; /* since the session's start; to_ns 0: to the end. Of several times what is left */
    uint64_t left_out;       /* processes */
    bool incomplete;         /* the other log was damaged, or something was missing in it */
    uint8_t origin[16];      /* session id of the recording that it is a part of, as far as it tells; else its own */
};

struct log_trimmed log_trimmed(const struct log *log);

/* When what is asked for until to_ns ends; 0: to the end. A part has nothing that is later than its end. */
static inline uint64_t log_trimmed_end(const struct log_trimmed *t, uint64_t to_ns)
{
    return t->to_ns && (!to_ns || t->to_ns < to_ns) ? t->to_ns : to_ns;
}

#endif
