/* libunwind keeps a pipe, by which it tests addresses, and takes the two lowest
 * free descriptors for it: numbers that the program would have got. So while it
 * starts, all low numbers are taken. */
#include "interpose/outside/unwinder.h"

#include "interpose/inside/context.h"
#include "interpose/inside/kept_file.h"
#include "interpose/inside/sys.h"

#include <dlfcn.h>
#include <string.h>

/* Its first call makes the pipe, tables and, by way of the loader, thread-local
 * data: the state says that those are not the program's. */
static void call_first(int (*backtrace)(void **, int))
{
    struct context *c = current_context;
    uint32_t busy = c->busy;
    void *frames[4];

    c->busy = CONTEXT_UNWINDING;
    backtrace(frames, 4);
    c->busy = busy;
}

/* Occupies the free descriptors below the high ones, with duplicates of fd. */
static void take_low_numbers(int fd, uint8_t taken[KEPT_FILE_HIGH_MAX])
{
    int limit = kept_file_high_number();

    memset(taken, 0, KEPT_FILE_HIGH_MAX);
    for (;;) {
        long number = sys_fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (number < 0)
            return;
        if (number >= limit) {
            sys_close((int)number);
            return;
        }
        taken[number] = 1;
    }
}

static void give_numbers_back(const uint8_t taken[KEPT_FILE_HIGH_MAX])
{
    for (int number = 0; number < KEPT_FILE_HIGH_MAX; number++)
        if (taken[number])
            sys_close(number);
}

bool unwinder_load(int kept_fd)
{
    void *library = dlopen(LIBUNWIND_SONAME, RTLD_NOW | RTLD_LOCAL);
    void *function = library ? dlsym(library, "unw_backtrace") : NULL;
    int (*backtrace)(void **, int);
    uint8_t taken[KEPT_FILE_HIGH_MAX];

    if (!function)
        return false;
    memcpy(&backtrace, &function, sizeof backtrace);
    take_low_numbers(kept_fd, taken);
    call_first(backtrace);
    give_numbers_back(taken);
    stack_backtrace = backtrace;
    return true;
}
