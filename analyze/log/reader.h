/* Chunks -> events in one order: all streams merged by stamp. Reads each chunk
 * once, or more often where very many streams run at one time: of their chunks, some 24 MB
 * are in memory (cursors.h).
 *
 * Stamps carry the order of a free and the allocation that reuses its address,
 * whatever their threads (see interpose/hooks.c). */
#ifndef MALLOSCOPE_LOG_READER_H
#define MALLOSCOPE_LOG_READER_H

#include "analyze/log/log.h"
#include "format/decode.h"

struct timed_event {
    struct event event;
    uint64_t ns;      /* CLOCK_MONOTONIC */
    uint32_t stream;  /* index in the log; UINT32_MAX: of a session chunk */
    uint32_t process; /* index in the log */
    size_t chunk;     /* number in the stream of what was recorded as a chunk: a stream's stack starts empty in each */
};

struct reader;

struct reader *reader_open(const struct log *log);
void reader_free(struct reader *reader);

/* The next event, valid until the next call. NULL: the end. */
const struct timed_event *reader_look(struct reader *reader);

/* The same, copied; what it points to is still valid until the next call. 0: the end. */
int reader_next(struct reader *reader, struct timed_event *ret_event);

/* Of the stream of the last event: it has no more. */
bool reader_stream_ended(const struct reader *reader);

/* What has been read of the log: 0 to 1. */
double reader_progress(const struct reader *reader);

/* Chunks that are whole but hold bytes that are no record: how many, and the
 * first one's offset in its file and reason. */
uint64_t reader_bad_chunks(const struct reader *reader, uint64_t *ret_offset, const char **ret_reason);

/* The records of session chunks, in the order of the file; use() is called for each. */
void reader_session_records(const struct log *log, void (*use)(void *data, const struct timed_event *event), void *data);

/* Events that were not logged, in the whole session. */
struct reader_lost {
    uint64_t count;
    uint64_t beyond_limit; /* of them: because the log was to become no larger */
    uint32_t reason; /* errno value that ended logging, or REC_STOP_LIMIT if nothing worse did; 0: nothing did */
    int64_t programs; /* that no stream tells of: they could not be recorded, for want of room, say */
};

struct reader_lost reader_lost_events(const struct log *log);

#endif
