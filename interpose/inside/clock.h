/* Stamps for events. Ticks are the CPU's own counter where it is invariant and
 * the kernel trusts it as its clocksource, else nanoseconds of CLOCK_MONOTONIC.
 *
 * The order of the stamps carries the order of the events: a free is stamped
 * before the real free, an allocation after the real one. A counter read may run
 * early, past the allocation that it follows; hence the fence on that side only.
 *
 * May run inside a traced malloc. */
#ifndef MALLOSCOPE_INSIDE_CLOCK_H
#define MALLOSCOPE_INSIDE_CLOCK_H

#include "format/layout.h"
#include "interpose/inside/sys.h"

#include <stdbool.h>

/* All threads' ticks are the counter's. Decided by clock_choose, before the first event, and
 * false from when a thread may not read the counter any more. */
extern bool clock_uses_counter;

extern bool clock_is_user_space; /* no clock here takes a system call */

void clock_choose(bool monotonic); /* monotonic: not the counter, even if it is good */
uint64_t clock_monotonic_ns(void);
uint64_t clock_realtime_ns(void);

/* Whether the calling thread's ticks are nanoseconds. */
bool clock_ticks_are_ns(void);

/* The calling thread is sent SIGSEGV for reading the counter (PR_SET_TSC), as the C library
 * does, too, for its clocks; or not any more. Then it asks the kernel. */
void clock_set_faults(bool faults);
bool clock_faults(void);

/* Where clock_uses_counter is false. */
uint64_t clock_ticks_slowly(void);

#if defined(__x86_64__)
#define clock_counter() (__builtin_ia32_rdtsc() >> REC_COUNTER_SHIFT)
#define clock_fence() __builtin_ia32_lfence()
#elif defined(__aarch64__)
static inline uint64_t clock_counter(void)
{
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
}
#define clock_fence() __asm__ volatile("isb" ::: "memory")
#endif

static inline uint64_t clock_before_free(void)
{
    return __builtin_expect(clock_uses_counter, 1) ? clock_counter() : clock_ticks_slowly();
}

static inline uint64_t clock_after_alloc(void)
{
    if (__builtin_expect(!clock_uses_counter, 0))
        return clock_ticks_slowly();
    clock_fence();
    return clock_counter();
}

#endif
