/* The sites of a program and those of its baseline: which of them are the same. Names say so, but for two things: compilers
 * number what has no name (lambdas, closures), so that one more renumbers those behind it, and functions get new names. */
#ifndef MALLOSCOPE_CHECK_PAIRING_H
#define MALLOSCOPE_CHECK_PAIRING_H

#include "analyze/check/baseline.h"

struct paired_site {
    const struct measured_site *measured; /* NULL: gone */
    const struct baseline_site *baseline; /* NULL: new */
    struct measured_site *merged; /* NULL, or what measured is: several of them */
    bool is_coarser; /* the baseline's: it has fewer of the callers, and may stand for several of those that are measured now */
    char *was, *is; /* a function's name before and now; NULL: it has none but its number */
};

struct pairing {
    struct paired_site *of;
    size_t count, capacity;
};

/* baseline NULL: all sites are new. */
void pairing_make(struct pairing *p, const struct measured *m, const struct baseline *b);
void pairing_release(struct pairing *p);

/* How alike figures are; more than 0. Two with as many allocations and bytes are more so than any others. */
#define PAIRING_SAME ((int64_t)1 << 20)
int64_t pairing_likeness(const uint64_t before[VERDICT_KINDS], const uint64_t now[VERDICT_KINDS]);

#endif
