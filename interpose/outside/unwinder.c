/* libunwind keeps a pipe, by which it tests addresses, and takes the two lowest
 * free descriptors for it: numbers that the program would have got. So while it
 * starts, all low numbers are taken. */
#include "interpose/outside/unwinder.h"

#include "interpose/inside/context.h"
#include "interpose/inside/kept_file.h"
#include "interpose/inside/process.h"
#include "interpose/inside/sys.h"

#include <dlfcn.h>
#include <string.h>

/* Its first call makes the pipe, tables and, by way of the loader, thread-local
 * data: the state says that those are not the program's. */
static void call_first(int (*backtrace)(void **, int))
{
    struct context *c = current_context;
    uint64_t busy = c->busy;
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

/* Its pipe is where nothing was before: our own high numbers. */
static void find_pipe(const uint8_t was_open[KEPT_FILE_HIGH_MAX + 64])
{
    struct stat st;

    for (int number = kept_file_high_number(), found = 0; number < KEPT_FILE_HIGH_MAX + 64 && found < 2; number++)
        if (!was_open[number] && sys_fstat(number, &st) == 0 && S_ISFIFO(st.st_mode))
            kept_file_adopt(&session.unwinder_pipe[found++], number);
}

static void find_open(uint8_t is_open[KEPT_FILE_HIGH_MAX + 64])
{
    for (int number = kept_file_high_number(); number < KEPT_FILE_HIGH_MAX + 64; number++)
        is_open[number] = sys_fcntl(number, F_GETFD, 0) >= 0;
}

/* For the self-check: a walk by unw_step, which is slow and takes no short cuts. */
#if defined(__x86_64__) && __has_include(<libunwind.h>)
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#define NAME_OF(function) NAME_OF_EXPANDED(function)
#define NAME_OF_EXPANDED(function) #function

static int (*get_context)(unw_tdep_context_t *);
static int (*init_cursor)(unw_cursor_t *, unw_context_t *);
static int (*step)(unw_cursor_t *);
static int (*get_register)(unw_cursor_t *, unw_regnum_t, unw_word_t *);

static int backtrace_by_steps(void **pcs, int max)
{
    unw_context_t context;
    unw_cursor_t cursor;
    unw_word_t pc;
    int count = 0;

    get_context(&context);
    if (init_cursor(&cursor, &context) < 0)
        return 0;
    while (count < max && get_register(&cursor, UNW_REG_IP, &pc) == 0) {
        pcs[count++] = (void *)pc;
        if (step(&cursor) <= 0)
            break;
    }
    return count;
}

static void find_slow_way(void *library)
{
    void *found[] = { dlsym(library, NAME_OF(unw_init_local)), dlsym(library, NAME_OF(unw_step)),
                      dlsym(library, NAME_OF(unw_get_reg)), dlsym(library, NAME_OF(unw_tdep_getcontext)) };

    if (!found[0] || !found[1] || !found[2] || !found[3])
        return;
    memcpy(&get_context, &found[3], sizeof found[3]);
    memcpy(&init_cursor, &found[0], sizeof found[0]);
    memcpy(&step, &found[1], sizeof found[1]);
    memcpy(&get_register, &found[2], sizeof found[2]);
    stack_backtrace_slow = backtrace_by_steps;
}
#else
static void find_slow_way(void *library)
{
    (void)library;
}
#endif

bool unwinder_load(int kept_fd)
{
    void *library = dlopen(LIBUNWIND_SONAME, RTLD_NOW | RTLD_LOCAL);
    void *function = library ? dlsym(library, "unw_backtrace") : NULL;
    int (*backtrace)(void **, int);
    uint8_t taken[KEPT_FILE_HIGH_MAX], was_open[KEPT_FILE_HIGH_MAX + 64];

    if (!function) {
        /* The error is ours: the program's dlerror() must not tell it, nor free its text,
         * of whose allocation the log knows nothing. */
        dlerror();
        dlerror();
        return false;
    }
    if (session.check_stacks)
        find_slow_way(library);
    memcpy(&backtrace, &function, sizeof backtrace);
    take_low_numbers(kept_fd, taken);
    find_open(was_open);
    call_first(backtrace);
    find_pipe(was_open);
    give_numbers_back(taken);
    stack_backtrace = backtrace;
    return true;
}
