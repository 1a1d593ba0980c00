#include "interpose/inside/clock.h"

#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

bool clock_uses_counter, clock_is_user_space;

static bool has_counter; /* whether or not all threads may read it */
static __thread bool faults;

static uint64_t read_ns(clockid_t clock)
{
    struct timespec now = { 0, 0 };

    if (faults)
        sys_call(SYS_clock_gettime, clock, (long)&now, 0, 0, 0, 0);
    else
        clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
    static volatile uint64_t last;

    if (clock_is_user_space && !faults)
        return read_ns(CLOCK_MONOTONIC);
    if (!sys_forbidden)
        last = read_ns(CLOCK_MONOTONIC);
    return last; /* hooks ask until their buffers are full: time stands still */
}

uint64_t clock_realtime_ns(void)
{
    return read_ns(CLOCK_REALTIME);
}

void clock_set_faults(bool to)
{
    faults = to;
    if (to)
        clock_uses_counter = false;
}

bool clock_faults(void)
{
    return faults;
}

bool clock_ticks_are_ns(void)
{
    return !has_counter || faults;
}

uint64_t clock_ticks_slowly(void)
{
    if (clock_ticks_are_ns())
        return clock_monotonic_ns();
    clock_fence();
    return clock_counter();
}

void clock_choose(bool monotonic)
{
    /* With these sources the C library reads clocks without a system call. */
    static const char *const mapped[] = { "tsc\n", "kvm-clock\n", "hyperv_clocksource_tsc_page\n", "arch_sys_counter\n" };
    char source[16] = "";
    long fd = sys_open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY, 0);
    if (fd >= 0) {
        if (sys_read((int)fd, source, sizeof source - 1) < 0)
            source[0] = 0;
        sys_close((int)fd);
    }
    for (size_t i = 0; i < sizeof mapped / sizeof *mapped; i++)
        clock_is_user_space |= strcmp(source, mapped[i]) == 0;
    if (monotonic)
        return;
#if defined(__x86_64__)
    /* CPUID's word is not enough: the kernel drops an unsynchronised counter. */
    unsigned a, b, c, d = 0;
    has_counter = __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & 1u << 8) && strcmp(source, "tsc\n") == 0;
#elif defined(__aarch64__)
    has_counter = true; /* the architecture makes cntvct_el0 constant and synchronous */
#endif
    clock_uses_counter = has_counter;
}
