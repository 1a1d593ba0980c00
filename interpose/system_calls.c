/* The functions that we stand in for, to see a program take something away from itself
 * that recording needs: prctl, and syscall, by which libseccomp and others call seccomp
 * and close_range. What is done about it is in outside/sandbox.c.
 *
 * syscall has no list of its arguments and is a hot path of some programs (futex): it is
 * a comparison for each call that matters and a jump. */
#include "interpose/system_calls.h"

#include "interpose/descriptors.h"
#include "interpose/inside/sys.h"
#include "interpose/outside/sandbox.h"
#include "interpose/stand_in.h"

#include <linux/seccomp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#ifndef PR_SET_TSC
#define PR_SET_TSC 26
#endif
#define TSC_FAULTS 2 /* PR_TSC_SIGSEGV */
#ifndef SECCOMP_FILTER_FLAG_NEW_LISTENER
#define SECCOMP_FILTER_FLAG_NEW_LISTENER (1ul << 3)
#endif

typedef long system_call(long number, long a, long b, long c, long d, long e, long f);

static int first_prctl(int option, ...);
static system_call first_syscall;

static int (*next_prctl)(int option, ...) = first_prctl;
/* For the jump below. */
extern system_call *system_calls_next;
__attribute__((visibility("hidden"))) system_call *system_calls_next = first_syscall;
system_call system_calls_watched;

void system_calls_resolve(void)
{
    stand_in_find("syscall", &system_calls_next);
    stand_in_find("prctl", &next_prctl);
}

/* All that prctl can be given behind the option: what it takes of them, its option says. */
static void take_values(va_list *more, long ret_value[4])
{
    for (int i = 0; i < 4; i++)
        ret_value[i] = va_arg(*more, long);
}

static int first_prctl(int option, ...)
{
    va_list more;
    long value[4];

    va_start(more, option);
    take_values(&more, value);
    va_end(more);
    system_calls_resolve();
    return next_prctl(option, value[0], value[1], value[2], value[3]);
}

static long first_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    system_calls_resolve();
    return system_calls_next(number, a, b, c, d, e, f);
}

static void before_prctl(struct sandbox_change *change, int option, long first, long second)
{
    if (option == PR_SET_SECCOMP && first == SECCOMP_MODE_STRICT)
        sandbox_enter(change, true, NULL);
    if (option == PR_SET_SECCOMP && first == SECCOMP_MODE_FILTER)
        sandbox_enter(change, false, (const struct sock_fprog *)second);
    if (option == PR_SET_TSC && first == TSC_FAULTS)
        sandbox_give_up_clock();
}

static void after_prctl(const struct sandbox_change *change, int option, long first, long result)
{
    sandbox_entered(change, result >= 0);
    if (option == PR_SET_TSC && (first != TSC_FAULTS || result < 0))
        sandbox_take_up_clock();
}

EXPORT int prctl(int option, ...)
{
    struct sandbox_change change = { 0 };
    va_list more;
    long value[4];

    va_start(more, option);
    take_values(&more, value);
    va_end(more);
    before_prctl(&change, option, value[0], value[1]);
    int result = next_prctl(option, value[0], value[1], value[2], value[3]);
    after_prctl(&change, option, value[0], result);
    return result;
}

static int close_range_by_syscall(unsigned first, unsigned last, int flags)
{
    return (int)system_calls_next(SYS_close_range, first, last, flags, 0, 0, 0);
}

/* The calls for which the jump comes here. The functions of the same names are not called:
 * the program's own, which may be what calls, go before ours, and libc's are cancellation points. */
__attribute__((visibility("hidden"))) long system_calls_watched(long number, long a, long b, long c, long d, long e, long f)
{
    struct sandbox_change change = { 0 };
    long result;

    switch (number) {
    case SYS_seccomp:
        if (a == SECCOMP_SET_MODE_STRICT || a == SECCOMP_SET_MODE_FILTER)
            sandbox_enter(&change, a == SECCOMP_SET_MODE_STRICT, (const struct sock_fprog *)c);
        result = system_calls_next(number, a, b, c, d, e, f);
        /* More than 0 is a descriptor, if one was asked for, else the thread for which it was refused. */
        sandbox_entered(&change, result == 0 || (result > 0 && b & SECCOMP_FILTER_FLAG_NEW_LISTENER));
        return result;
    case SYS_prctl:
        before_prctl(&change, (int)a, b, c);
        result = system_calls_next(number, a, b, c, d, e, f);
        after_prctl(&change, (int)a, b, result);
        return result;
    case SYS_close:
        return descriptors_may_close((int)a) ? system_calls_next(number, a, b, c, d, e, f) : -1;
    case SYS_close_range:
        return descriptors_close_range(close_range_by_syscall, (unsigned)a, (unsigned)b, (int)c);
#ifdef SYS_dup2
    case SYS_dup2:
        return descriptors_may_dup2((int)a, (int)b) ? system_calls_next(number, a, b, c, d, e, f) : -1;
#endif
    case SYS_dup3:
        descriptors_before_dup3((int)a, (int)b);
        return system_calls_next(number, a, b, c, d, e, f);
    default:
        return system_calls_next(number, a, b, c, d, e, f);
    }
}

#define TEXT_OF(x) TEXT_OF_EXPANDED(x)
#define TEXT_OF_EXPANDED(x) #x

#if defined(__x86_64__)
#define WATCHED(number) "cmp $" TEXT_OF(number) ", %rdi\n je system_calls_watched\n"
__asm__(".text\n.globl syscall\n.type syscall, @function\n.p2align 4\n"
        "syscall:\n .cfi_startproc\n endbr64\n"
        WATCHED(317) /* seccomp */ WATCHED(157) /* prctl */ WATCHED(436) /* close_range */
        WATCHED(3) /* close */ WATCHED(33) /* dup2 */ WATCHED(292) /* dup3 */
        " jmp *system_calls_next(%rip)\n .cfi_endproc\n.size syscall, .-syscall\n");
_Static_assert(SYS_seccomp == 317 && SYS_prctl == 157 && SYS_close_range == 436 && SYS_close == 3 && SYS_dup2 == 33 &&
               SYS_dup3 == 292, "numbers of system calls");
#elif defined(__aarch64__)
#define WATCHED(number) "cmp x0, #" TEXT_OF(number) "\n b.eq system_calls_watched\n"
__asm__(".text\n.globl syscall\n.type syscall, %function\n.p2align 4\n"
        "syscall:\n .cfi_startproc\n hint #34\n"
        WATCHED(277) /* seccomp */ WATCHED(167) /* prctl */ WATCHED(436) /* close_range */
        WATCHED(57) /* close */ WATCHED(24) /* dup3 */
        " adrp x16, system_calls_next\n ldr x16, [x16, #:lo12:system_calls_next]\n br x16\n"
        " .cfi_endproc\n.size syscall, .-syscall\n");
_Static_assert(SYS_seccomp == 277 && SYS_prctl == 167 && SYS_close_range == 436 && SYS_close == 57 && SYS_dup3 == 24,
               "numbers of system calls");
#endif
