#include "analyze/log/calibrate.h"

#include <time.h>

void clock_now(uint64_t *ret_ticks, uint64_t *ret_ns)
{
    struct timespec now;

#if defined(__x86_64__)
    *ret_ticks = __builtin_ia32_rdtsc() >> REC_COUNTER_SHIFT;
#elif defined(__aarch64__)
    __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(*ret_ticks));
#else
    *ret_ticks = 0;
#endif
    clock_gettime(CLOCK_MONOTONIC, &now);
    *ret_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Of counters and CLOCK_MONOTONIC: that with the smallest time, and that with the largest. */
struct pairs {
    const struct log_chunk *first, *last;
};

static void add_pair(struct pairs *pairs, const struct log_chunk *chunk)
{
    if (!pairs->first || chunk->clock_ns < pairs->first->clock_ns)
        pairs->first = chunk;
    if (!pairs->last || chunk->clock_ns > pairs->last->clock_ns)
        pairs->last = chunk;
}

/* Who merges what dead processes left may be on another machine by then, or after a boot. */
static bool is_by_merge(const struct log_chunk *chunk)
{
    return chunk->stream == UINT32_MAX && (chunk->sequence == REC_SESSION_SUM || chunk->sequence == REC_SESSION_UNTRACED);
}

/* Later than all others, and their line goes on to it: to 2 %, and to 20 us, by which two pairs may be wrong. */
static bool is_of_same_clock(const struct log_chunk *later, const struct pairs *pairs)
{
    const struct log_chunk *first = pairs->first, *last = pairs->last;

    if (!later || later->clock_ns <= last->clock_ns || later->ticks <= last->ticks)
        return false;
    double rate = (double)(later->clock_ns - first->clock_ns) / (double)(later->ticks - first->ticks);
    double ns = (double)(last->clock_ns - first->clock_ns), apart = rate * (double)(last->ticks - first->ticks) - ns;
    return (apart < 0 ? -apart : apart) <= ns / 50 + 20000;
}

void calibrate(struct log *log)
{
    struct pairs pairs = { 0 }, merged = { 0 };

    log->first_ns = UINT64_MAX;
    for (size_t i = 0; i < log->chunk_count; i++) {
        const struct log_chunk *chunk = &log->chunks[i];
        bool by_merge = is_by_merge(chunk) && !chunk->ticks_are_ns;
        if (!by_merge && chunk->clock_ns < log->first_ns)
            log->first_ns = chunk->clock_ns;
        if (!chunk->ticks_are_ns)
            add_pair(by_merge ? &merged : &pairs, chunk);
    }
    if (log->first_ns == UINT64_MAX && merged.first)
        log->first_ns = merged.first->clock_ns;
    if (!pairs.first)
        pairs = merged;
    log->ns_per_tick = 1;
    if (!pairs.first)
        return;
    const struct log_chunk *first = pairs.first, *last = is_of_same_clock(merged.last, &pairs) ? merged.last : pairs.last;
    log->base_ticks = first->ticks;
    log->base_ns = first->clock_ns;
    uint64_t ticks = last->ticks - first->ticks, ns = last->clock_ns - first->clock_ns;
    if (ticks == 0 || ns < 1000) {
        /* One pair only: a program killed within its first chunk, recorded
         * without the launcher. This machine's clocks serve if it is the same boot; else
         * that both began with the boot, or nearly so. */
        uint64_t ticks_now, ns_now;
        clock_now(&ticks_now, &ns_now);
        bool may_be_same_boot = ns_now > first->clock_ns && ticks_now > first->ticks;
        ticks = may_be_same_boot ? ticks_now - first->ticks : first->ticks;
        ns = may_be_same_boot ? ns_now - first->clock_ns : first->clock_ns;
    }
    if (!ticks)
        return;
    double rate = (double)ns / (double)ticks;
    if (rate > 0.01 && rate < 1000) /* 1 MHz to 100 GHz; all else is damage */
        log->ns_per_tick = rate;
}
