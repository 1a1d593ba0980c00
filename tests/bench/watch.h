/* CPU time of the whole process and wall time from start to tell. */
#ifndef BENCH_WATCH_H
#define BENCH_WATCH_H
#include <stdio.h>
#include <time.h>

struct watch { double cpu_ns, wall_ns; };

static inline double watch_read_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline struct watch watch_start(void)
{
    return (struct watch){ watch_read_ns(CLOCK_PROCESS_CPUTIME_ID), watch_read_ns(CLOCK_MONOTONIC) };
}

/* Prints nanoseconds a pair: CPU, wall. */
static inline void watch_tell(const struct watch *w, long pair_count)
{
    double cpu_ns = watch_read_ns(CLOCK_PROCESS_CPUTIME_ID) - w->cpu_ns;
    double wall_ns = watch_read_ns(CLOCK_MONOTONIC) - w->wall_ns;
    printf("%.2f %.2f\n", cpu_ns / (double)pair_count, wall_ns / (double)pair_count);
}
#endif
