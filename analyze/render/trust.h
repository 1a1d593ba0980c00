/* How far a report can be trusted: the line at the end of each of them. */
#ifndef MALLOSCOPE_RENDER_TRUST_H
#define MALLOSCOPE_RENDER_TRUST_H

#include "analyze/log/trimmed.h"
#include "analyze/model/count_sizes.h"
#include "analyze/model/facts.h"

#include <jansson.h>

struct trust {
    size_t processes, streams, left_out; /* left_out: processes, by --pid */
    size_t ends_unknown;    /* processes that held memory when they ended, at a time that is not told */
    size_t running;         /* processes, when the log was opened */
    uint64_t events, lost_events, recorded;
    uint32_t lost_reason;   /* errno value or REC_STOP_LIMIT, 0: logging did not end early */
    uint64_t partial_stacks, own_mallocs;
    uint64_t damaged_bytes, missing_chunks, recovered_bytes;
    size_t cut_processes;   /* whose end is missing */
    bool lacks_processes;   /* from which some that are here come */
    struct log_trimmed trimmed;
    bool launcher_died;     /* or was cut off the log; but nothing that the processes here recorded is missing */
    bool names_interrupted; /* of what names were asked for until now, some were not looked up */
    const struct facts *facts; /* NULL: read without order; frees are not checked, stacks not looked at closely */
    char allocator_names[256]; /* all of them, each once */
};

/* After all names that are shown were asked for. */
void trust_of_facts(const struct log *log, const struct facts *facts, struct trust *ret_trust);
void trust_of_sizes(const struct log *log, const struct sizes_counted *counted, struct trust *ret_trust);

/* "Trust: ...", on some lines. */
void trust_print(FILE *to, const struct trust *t);
/* The least of it, on one line. */
void trust_print_short(FILE *to, const struct trust *t);
json_t *trust_json(const struct trust *t);

#endif
