/* The sampling is a Poisson process over the bytes that a thread asks for: at a rate of
 * one in session.selection.sample_bytes a point lies on each byte, independently, and
 * an allocation is recorded if a point lies on it. So each is recorded with probability
 * 1 - exp(-(size + 1) / sample_bytes), whatever was before; the reader's sums of
 * 1 / probability are unbiased. The distance to the next point has the exponential
 * distribution, and no memory: after each sample it is drawn anew. */
#include "interpose/inside/select.h"

#include "interpose/inside/clock.h"
#include "interpose/inside/sys.h"

/* splitmix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* The natural logarithm of x > 0, to some 14 digits: x = m 2^e with m from 1 to 2, and
 * log m = 2 artanh((m - 1) / (m + 1)) by its series. libm is not ours to pull in. */
static double logarithm(double x)
{
    union { double value; uint64_t bits; } u = { x };
    int exponent = (int)(u.bits >> 52 & 0x7ff) - 1023;
    double sum = 0;

    u.bits = (u.bits & ~(0x7ffull << 52)) | 1023ull << 52;
    double t = (u.value - 1) / (u.value + 1), square = t * t, power = t;
    for (int i = 1; i < 30; i += 2, power *= square)
        sum += power / i;
    return 2 * sum + exponent * 0.693147180559945309417;
}

static int64_t draw_distance(uint64_t *state)
{
    double uniform = ((double)(next_random(state) >> 11) + 0.5) * 0x1p-53; /* never 0 */

    return (int64_t)(-logarithm(uniform) * (double)session.selection.sample_bytes) + 1;
}

bool select_sample(struct context *c, int64_t bytes)
{
    bool begun = c->sample_state;

    if (!begun) {
        c->sample_state = (clock_monotonic_ns() ^ (uint64_t)process_thread_id() << 40 ^ (uint64_t)c->stream << 20) | 1;
        c->until_sample = draw_distance(&c->sample_state) - bytes;
        if (c->until_sample > 0)
            return false;
    }
    c->until_sample = draw_distance(&c->sample_state);
    return true;
}

bool select_lost_alloc(const void *block, size_t size)
{
    static _Atomic uint64_t drawn;
    const struct selection *s = &session.selection;

    if (s->paused)
        return !s->knows_recorded && !block_set_add(block);
    if (size < s->min_size)
        return false;
    if (s->sample_bytes) { /* it has no memory: a distance drawn for this allocation alone is as good */
        uint64_t state = atomic_fetch_add(&drawn, 1);
        if (draw_distance(&state) > (size < INT64_MAX / 2 ? (int64_t)size + 1 : INT64_MAX / 2))
            return false;
    }
    return !s->knows_recorded || block_set_add(block);
}

void select_pause(bool paused)
{
    session.selection.on = true;
    session.selection.paused = paused;
}
