/* The least live bytes of a process, by time: of what it builds and frees again the floor
 * stays where it was, of what it keeps it rises. Only from half of FLOORS_TIME_LEAST_NS on,
 * so that a process that ends before costs nothing; at most 64 buckets, of which two become
 * one where the time does not fit any more.
 *
 * Bytes are in units (model/settings.h), times are stamps. */
#ifndef MALLOSCOPE_MODEL_FLOORS_H
#define MALLOSCOPE_MODEL_FLOORS_H

#include "analyze/util.h"

#define FLOORS_TIME_LEAST_NS 1000000000ull /* a shorter process cannot tell growth from setting up */

struct floors {
    uint64_t live_bytes;
    uint64_t ends_ns; /* of the bucket; 0: the process has not begun */
    uint64_t least;   /* in the bucket */
    struct floors_past *past;
};

/* The process begins, or what is wanted of it does. */
void floors_begin(struct floors *f, uint64_t ns);
void floors_release(struct floors *f);

void floors_enter(struct floors *f, uint64_t ns);

/* A block lives. */
static inline void floors_rise(struct floors *f, uint64_t ns, uint64_t bytes)
{
    if (ns >= f->ends_ns)
        floors_enter(f, ns);
    f->live_bytes += bytes;
}

/* A block dies. */
static inline void floors_fall(struct floors *f, uint64_t ns, uint64_t bytes)
{
    if (ns >= f->ends_ns)
        floors_enter(f, ns);
    f->live_bytes -= bytes;
    if (f->live_bytes < f->least)
        f->least = f->live_bytes;
}

/* Of a process that ends: whether the floor was higher in the last quarter of this time than in the quarter before. */
bool floors_have_risen(struct floors *f, uint64_t from_ns, uint64_t to_ns);

#endif
