#include "analyze/model/floors.h"

#define BUCKETS 64

struct floors_past {
    uint64_t from_ns, width_ns;
    size_t count; /* the last is the one that floors.least is of */
    uint64_t least[BUCKETS];
};

void floors_begin(struct floors *f, uint64_t ns)
{
    f->ends_ns = ns + FLOORS_TIME_LEAST_NS / 2;
}

void floors_release(struct floors *f)
{
    free(f->past);
    f->past = NULL;
}

static void join_pairs(struct floors_past *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (i % 2 == 0 || p->least[i] < p->least[i / 2])
            p->least[i / 2] = p->least[i];
    p->count = (p->count + 1) / 2;
    p->width_ns *= 2;
}

void floors_enter(struct floors *f, uint64_t ns)
{
    struct floors_past *p = f->past;

    if (!f->ends_ns) { /* what tells of its start is lost */
        floors_begin(f, ns);
        return;
    }
    if (!p) {
        p = f->past = alloc_zeroed(1, sizeof *p);
        p->from_ns = f->ends_ns;
        p->width_ns = FLOORS_TIME_LEAST_NS / 2 / BUCKETS;
    } else {
        p->least[p->count - 1] = f->least;
    }
    while ((ns - p->from_ns) / p->width_ns >= BUCKETS)
        join_pairs(p);
    for (size_t at = (size_t)((ns - p->from_ns) / p->width_ns); p->count <= at; p->count++)
        p->least[p->count] = f->live_bytes;
    f->least = p->least[p->count - 1];
    f->ends_ns = p->from_ns + p->count * p->width_ns;
}

static uint64_t floor_of(const struct floors *f, uint64_t from_ns, uint64_t to_ns)
{
    const struct floors_past *p = f->past;
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < p->count; i++) {
        uint64_t begins = p->from_ns + i * p->width_ns, bytes = i + 1 == p->count ? f->least : p->least[i];
        if (begins + p->width_ns > from_ns && begins < to_ns && bytes < least)
            least = bytes;
    }
    return least;
}

bool floors_have_risen(struct floors *f, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t quarter = to_ns > from_ns ? (to_ns - from_ns) / 4 : 0;

    floors_rise(f, to_ns, 0);
    if (!f->past || quarter < FLOORS_TIME_LEAST_NS / 4)
        return false;
    /* Not to the very end: then a process frees what it does free. */
    return floor_of(f, to_ns - 2 * quarter, to_ns - quarter) < floor_of(f, to_ns - quarter, to_ns - quarter / 4);
}
