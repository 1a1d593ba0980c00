/* What is in a log, chunk by chunk and record by record, whatever it means: for `info`.
 * Needs no order, and so no memory but for marks and modules. */
#ifndef MALLOSCOPE_MODEL_CONTENTS_H
#define MALLOSCOPE_MODEL_CONTENTS_H

#include "analyze/log/log.h"
#include "analyze/model/code.h"
#include "format/record.h"

/* Allocations, frees, realloc-begins; then the others by their numbers. */
enum { CONTENTS_ALLOC = REC_ALLOC, CONTENTS_FREE = REC_FREE, CONTENTS_REALLOC_BEGIN = REC_REALLOC_BEGIN, CONTENTS_OTHERS };

struct contents_kind {
    uint64_t count, bytes; /* as they are before packing */
};

struct contents_chunks {
    uint64_t count;
    uint64_t stored_bytes, payload_bytes; /* without headers; as they are in the file, and before packing */
};

struct contents_mark {
    char *name;
    uint64_t ns; /* CLOCK_MONOTONIC */
    uint32_t process;
};

#define CONTENTS_MARKS_MAX 10000 /* more are only counted */

struct contents {
    bool interrupted;
    struct contents_chunks events, session, names; /* names: symbols that were written into the log */
    uint64_t packed_chunks;
    uint64_t ticks_are_ns; /* chunks whose clock is nanoseconds; names have none */
    uint64_t header_bytes; /* of the chunks, and of the file */
    uint64_t bad_chunks, bad_offset; /* bytes that are no record */
    struct contents_kind kinds[CONTENTS_OTHERS + REC_OTHER_COUNT];
    uint64_t by_function[REC_FN_COUNT];
    uint64_t heap_events; /* as reports count them: allocations and frees */
    uint64_t last_ns;     /* CLOCK_MONOTONIC of the last event */
    /* The launcher's first record; texts NULL: there is none. */
    char *command, *host, *version;
    uint64_t began_ns; /* CLOCK_REALTIME: of the launcher's record, else of the first process; 0: unknown */
    struct code code;  /* its files are the modules */
    struct contents_mark *marks; /* by time */
    size_t mark_count, mark_capacity;
    uint64_t marks_seen;
};

/* goes_on: as in facts_options; may be NULL. */
void contents_read(const struct log *log, bool (*goes_on)(void *data, double progress), void *data, struct contents *ret_contents);
void contents_release(struct contents *c);

/* The record's name: "allocation", "free", "pc", ...; NULL: a later version's. */
const char *contents_kind_name(size_t kind);

#endif
