/* The functions that we stand in for, to keep our descriptors: a program that closes
 * all numbers, or puts its own files on them, cannot know of ours. To close one of
 * ours fails as it does untraced, where nothing is open there; and before the program's
 * file takes one of our numbers, ours leaves it.
 *
 * The hard problem is who calls: a vfork child has the parent's memory, but descriptors
 * of its own, and is about to execute something: it may do what it likes. A number below
 * all of ours costs a comparison.
 *
 * May run in signal handlers and in children of any kind. errno is what the real
 * function leaves. */
#include "interpose/descriptors.h"

#include "interpose/inside/hints.h"
#include "interpose/inside/numbers.h"
#include "interpose/inside/process.h"
#include "interpose/inside/sys.h"
#include "interpose/outside/sandbox.h"
#include "interpose/stand_in.h"

#include <limits.h>
#include <stdint.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif
#define INLINE static inline __attribute__((always_inline))

int dup3(int old, int new, int flags);
int close_range(unsigned first, unsigned last, int flags);
void closefrom(int first);

static int first_close(int fd);
static int first_dup2(int old, int new);
static int first_dup3(int old, int new, int flags);
static int first_close_range(unsigned first, unsigned last, int flags);
static void first_closefrom(int first);

static struct {
    int (*close)(int);
    int (*dup2)(int, int);
    int (*dup3)(int, int, int);
    int (*close_range)(unsigned, unsigned, int);
    void (*closefrom)(int);
} next = { first_close, first_dup2, first_dup3, first_close_range, first_closefrom };

static long with_errno(long result)
{
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

/* Where libc has no such function, the program has none to call either. */
static int no_close_range(unsigned first, unsigned last, int flags)
{
    return (int)with_errno(sys_call(SYS_close_range, first, last, flags, 0, 0, 0));
}

static void no_closefrom(int first)
{
    no_close_range((unsigned)first, UINT_MAX, 0);
}

void descriptors_resolve(void)
{
    if (next.close_range == first_close_range)
        next.close_range = no_close_range;
    if (next.closefrom == first_closefrom)
        next.closefrom = no_closefrom;
    stand_in_find("close_range", &next.close_range);
    stand_in_find("closefrom", &next.closefrom);
    stand_in_find("dup3", &next.dup3);
    stand_in_find("dup2", &next.dup2);
    stand_in_find("close", &next.close);
}

static int first_close(int fd)
{
    descriptors_resolve();
    return next.close(fd);
}

static int first_dup2(int old, int new)
{
    descriptors_resolve();
    return next.dup2(old, new);
}

static int first_dup3(int old, int new, int flags)
{
    descriptors_resolve();
    return next.dup3(old, new, flags);
}

static int first_close_range(unsigned first, unsigned last, int flags)
{
    descriptors_resolve();
    return next.close_range(first, last, flags);
}

static void first_closefrom(int first)
{
    descriptors_resolve();
    next.closefrom(first);
}

/* Whether the caller is the process that records, or a forked child that will; not
 * a vfork child, nor one whose recording has ended. */
static bool are_needed(void)
{
    if (!process || sys_forbidden)
        return false;
    int state = atomic_load(&process->state);
    return state == PROCESS_NEW || (state != PROCESS_OFF && !sandbox_is_vfork_child());
}

static struct kept_file *const kept[] = { &session.log, &session.live_file, &session.maps,
                                         &session.unwinder_pipe[0], &session.unwinder_pipe[1] };
#define KEPT (sizeof kept / sizeof *kept)

/* Whose number it is; NULL: the program's. */
static struct kept_file *owner_of(int fd)
{
    if (fd < atomic_load_explicit(&numbers_lowest, memory_order_relaxed) || !are_needed())
        return NULL;
    for (size_t i = 0; i < KEPT; i++)
        if (kept_file_owns(kept[i], fd))
            return kept[i];
    return NULL;
}

INLINE bool may_be_ours(int fd)
{
    return UNLIKELY(fd >= atomic_load_explicit(&numbers_lowest, memory_order_relaxed));
}

bool descriptors_may_close(int fd)
{
    if (!may_be_ours(fd) || !owner_of(fd))
        return true;
    errno = EBADF;
    return false;
}

EXPORT int close(int fd)
{
    return descriptors_may_close(fd) ? next.close(fd) : -1;
}

/* False: the call fails, as it does untraced. */
static bool make_way(int old, int new)
{
    struct kept_file *owner = owner_of(new);

    if (!owner || numbers_is_hidden(new)) /* that the kernel refuses */
        return true;
    if (old == new) {
        errno = EBADF;
        return false;
    }
    if (sys_fcntl(old, F_GETFD, 0) >= 0)
        kept_file_leave(owner, new);
    return true;
}

bool descriptors_may_dup2(int old, int new)
{
    return !may_be_ours(new) || make_way(old, new);
}

EXPORT int dup2(int old, int new)
{
    return descriptors_may_dup2(old, new) ? next.dup2(old, new) : -1;
}

void descriptors_before_dup3(int old, int new)
{
    if (may_be_ours(new) && old != new)
        make_way(old, new);
}

EXPORT int dup3(int old, int new, int flags)
{
    descriptors_before_dup3(old, new);
    return next.dup3(old, new, flags);
}

/* The range without our numbers: that which is lowest from `first` on, INT_MAX: none. */
static unsigned next_of_ours(unsigned first)
{
    unsigned lowest = INT_MAX;

    for (size_t i = 0; i < KEPT; i++) {
        int fd = atomic_load(&kept[i]->fd);
        if (fd >= 0 && (unsigned)fd >= first && (unsigned)fd < lowest && kept_file_owns(kept[i], fd))
            lowest = (unsigned)fd;
    }
    return lowest;
}

static int close_around_ours(int (*real)(unsigned, unsigned, int), unsigned first, unsigned last, int flags)
{
    int result = 0;

    for (unsigned ours; result == 0 && first <= last; first = ours + 1) {
        ours = next_of_ours(first);
        if (ours > last || ours == INT_MAX)
            return real(first, last, flags);
        if (ours > first)
            result = real(first, ours - 1, flags);
    }
    return result;
}

int descriptors_close_range(int (*real)(unsigned, unsigned, int), unsigned first, unsigned last, int flags)
{
    bool touches_ours = may_be_ours(last < INT_MAX ? (int)last : INT_MAX - 1) && first <= last;

    if (touches_ours && !(flags & CLOSE_RANGE_CLOEXEC) && are_needed()) /* that flag ours have anyway */
        return close_around_ours(real, first, last, flags);
    return real(first, last, flags);
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
    return descriptors_close_range(next.close_range, first, last, flags);
}

EXPORT void closefrom(int first)
{
    int saved_errno = errno;

    if (!may_be_ours(INT_MAX - 1) || !are_needed() ||
        close_around_ours(next.close_range, first < 0 ? 0 : (unsigned)first, UINT_MAX, 0) != 0)
        next.closefrom(first);
    errno = saved_errno;
}
