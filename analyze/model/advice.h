/* What stands out in a session and could be had cheaper, each with its evidence. The rules
 * are such that a program in good order gets none; docs/howto-report.md has them, and why
 * their numbers are what they are. */
#ifndef MALLOSCOPE_MODEL_ADVICE_H
#define MALLOSCOPE_MODEL_ADVICE_H

#include "analyze/model/sites.h"

enum advice_kind {
    ADVICE_GROWTH,    /* keeps blocks at a steady rate, to the end of its process */
    ADVICE_REALLOC,   /* grows blocks by realloc in many small steps */
    ADVICE_TEMPORARY, /* allocates one size many times and frees it at once */
    ADVICE_ROUNDING,  /* much of its memory is lost to the allocator's rounding */
};

struct advice {
    enum advice_kind kind;
    uint32_t site;   /* index */
    uint64_t blocks; /* growth: kept; realloc: reallocs that enlarged; temporary: allocations; rounding: at the peak */
    uint64_t bytes;  /* growth: kept; realloc: in the blocks before; temporary: of each; rounding: lost at the peak */
    double share;    /* temporary: of them freed so soon; rounding: lost of what each can hold; 0 to 1 */
    uint64_t within; /* temporary: before so many allocations more; 1: before their thread's next one */
    uint64_t chains, final_bytes;  /* realloc: blocks that grew so, and what they came to */
    uint64_t time_us, rate_bytes;  /* growth: the process's time, and bytes a second; */
    uint64_t processes;            /* of several the longest time, and the sum */
    uint64_t others, others_bytes; /* growth: sites of the process that grow as well, so many that it builds something up */
};

#define ADVICE_MOST 5
#define ADVICE_OF_A_KIND 2

struct advices {
    struct advice of[ADVICE_MOST];
    size_t count;
    uint64_t rounding_bytes; /* lost at the peak, by all sites; 0 where the allocator's rounding is not known */
};

/* sites: whose stacks are of these facts; may be only some. */
void advices_find(const struct facts *facts, const struct sites *sites, struct advices *ret_advices);

#endif
