/* A system call that the C library, and whoever stands in for its functions, does not see. */
#ifndef MALLOSCOPE_TESTS_BARE_CALL_H
#define MALLOSCOPE_TESTS_BARE_CALL_H

/* The other arguments are 0. The kernel's result: -errno where it fails. */
static inline long bare_call(long number, long a, long b, long c)
{
#if defined(__x86_64__)
    register long r10 __asm__("r10") = 0, r8 __asm__("r8") = 0;
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
    return result;
#else
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
                  x3 __asm__("x3") = 0, x4 __asm__("x4") = 0;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
#endif
}

#endif
