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

void calibrate(struct log *log)
{
    const struct log_chunk *first = NULL, *last = NULL;

    log->first_ns = UINT64_MAX;
    for (size_t i = 0; i < log->chunk_count; i++) {
        const struct log_chunk *chunk = &log->chunks[i];
        if (chunk->clock_ns < log->first_ns)
            log->first_ns = chunk->clock_ns;
        if (chunk->ticks_are_ns)
            continue;
        if (!first || chunk->clock_ns < first->clock_ns)
            first = chunk;
        if (!last || chunk->clock_ns > last->clock_ns)
            last = chunk;
    }
    log->ns_per_tick = 1;
    if (!first)
        return;
    log->base_ticks = first->ticks;
    log->base_ns = first->clock_ns;
    uint64_t ticks = last->ticks - first->ticks, ns = last->clock_ns - first->clock_ns;
    if (ticks == 0 || ns < 1000) {
        /* One pair only: a program killed within its first chunk, recorded
         * without the launcher. This machine's clocks serve if it is the same boot. */
        uint64_t ticks_now, ns_now;
        clock_now(&ticks_now, &ns_now);
        if (ns_now <= first->clock_ns || ticks_now <= first->ticks)
            return;
        ticks = ticks_now - first->ticks;
        ns = ns_now - first->clock_ns;
    }
    double rate = (double)ns / (double)ticks;
    if (rate > 0.01 && rate < 1000) /* 1 MHz to 100 GHz; all else is damage */
        log->ns_per_tick = rate;
}
