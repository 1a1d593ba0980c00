#include "interpose/inside/numbers.h"

#include "interpose/inside/sys.h"

#include <limits.h>
#include <sys/resource.h>

#define ROOM 64 /* that the limit is lifted by */

_Atomic int numbers_lowest = INT_MAX;

void numbers_note(int number)
{
    int lowest = atomic_load(&numbers_lowest);

    while (number < lowest && !atomic_compare_exchange_weak(&numbers_lowest, &lowest, number))
        ;
}

int numbers_high(void)
{
    uint64_t limit = sys_descriptor_limit(), high = limit - limit / 16;
    return high < NUMBERS_HIGH_MAX ? (int)high : NUMBERS_HIGH_MAX;
}

bool numbers_is_hidden(int number)
{
    return number >= 0 && (uint64_t)number >= sys_descriptor_limit();
}

/* The kernel changes the limit and tells what it was in one step. */
static long exchange(const struct rlimit *to, struct rlimit *ret_before)
{
    return sys_call(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)to, (long)ret_before, 0, 0);
}

/* While the limit is lifted. Signals are to be blocked: the program must not find it so. */
struct lift {
    struct rlimit before, lifted;
};

/* The first number beyond the program's limit, which now can be had; -errno: none. */
static int lift_limit(struct lift *ret_lift)
{
    struct rlimit *before = &ret_lift->before, *lifted = &ret_lift->lifted;

    if (exchange(NULL, before) != 0 || before->rlim_cur > NUMBERS_HIDDEN_MAX)
        return -EMFILE;
    lifted->rlim_cur = before->rlim_cur + ROOM;
    lifted->rlim_max = before->rlim_max < lifted->rlim_cur ? lifted->rlim_cur : before->rlim_max;
    return exchange(lifted, NULL) == 0 ? (int)before->rlim_cur : -EPERM;
}

/* If another thread has set a limit meanwhile, it is that which stays. */
static void lower_limit(const struct lift *lift)
{
    struct rlimit found, ours = lift->lifted, to = lift->before;

    for (int tries = 0; tries < 100 && exchange(&to, &found) == 0; tries++) {
        if (found.rlim_cur == ours.rlim_cur && found.rlim_max == ours.rlim_max)
            return;
        ours = to;
        to = found;
    }
}

/* A trapped call (sys.h) "returns" its number, which may be the program's descriptor: where it
 * is the answer indeed, it is not taken. */
static long duplicate_from(int fd, long from)
{
    long number = sys_fcntl(fd, F_DUPFD_CLOEXEC, from);
    return number >= 0 && (number < from || sys_was_trapped(SYS_fcntl, number)) ? -EMFILE : number;
}

static int duplicate_hidden(int fd)
{
    struct lift lift;
    uint64_t mask = sys_block_signals();
    long number = lift_limit(&lift);

    if (number >= 0) {
        number = duplicate_from(fd, number);
        lower_limit(&lift);
    }
    sys_restore_signals(mask);
    return (int)number;
}

/* As high as can be, and never one of the lowest: those are what the program gets next. */
static int duplicate_high(int fd)
{
    int number = numbers_high(), step = number / 16 ? number / 16 : 1;
    long high = -EMFILE;

    for (int tries = 0; high < 0 && tries < 12 && number > 3; tries++, number -= step)
        high = duplicate_from(fd, number);
    return (int)high;
}

int numbers_duplicate(int fd)
{
    int number = duplicate_hidden(fd);

    if (number < 0)
        number = duplicate_high(fd);
    if (number >= 0)
        numbers_note(number);
    return number;
}
