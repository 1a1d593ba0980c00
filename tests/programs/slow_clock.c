/* Preloaded: clocks that can be read by a system call only, as on machines without a
 * counter that the kernel trusts. */
#include <sys/syscall.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(SYS_clock_gettime), "D"(clock), "S"(ret_time) : "rcx", "r11", "memory");
#else
    register long x8 __asm__("x8") = SYS_clock_gettime, x0 __asm__("x0") = clock, x1 __asm__("x1") = (long)ret_time;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory");
    long result = x0;
#endif
    return (int)result;
}
