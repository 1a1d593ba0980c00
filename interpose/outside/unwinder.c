/* libunwind keeps a pipe, by which it tests addresses, and takes the two lowest
 * free descriptors for it: numbers that the program would have got. So while it
 * starts, all low numbers are taken. */
#include "interpose/outside/unwinder.h"

#include "interpose/inside/context.h"
#include "interpose/inside/kept_file.h"
#include "interpose/inside/numbers.h"
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

#define PIPE_MAX 1024 /* more would take too long */
#define ENDS 64 /* so far above where our numbers begin the pipe may be */

static uint8_t taken[PIPE_MAX], was_open[PIPE_MAX + ENDS]; /* not on what may be a small stack */

/* Occupies the free descriptors below the limit, with duplicates of fd. */
static void take_low_numbers(int fd, int limit)
{
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

static void give_numbers_back(void)
{
    for (int number = 0; number < PIPE_MAX; number++)
        if (taken[number])
            sys_close(number);
}

/* Its pipe is where nothing was before: our own numbers. */
static void find_pipe(int from)
{
    struct stat st;

    for (int number = from, found = 0; number < from + ENDS && found < 2; number++)
        if (!was_open[number] && sys_fstat(number, &st) == 0 && S_ISFIFO(st.st_mode))
            kept_file_adopt(&session.unwinder_pipe[found++], number);
}

static void find_open(int from)
{
    for (int number = from; number < from + ENDS; number++)
        was_open[number] = sys_fcntl(number, F_GETFD, 0) >= 0;
}

static void start(int (*backtrace)(void **, int), int kept_fd)
{
    struct numbers_lift lift;
    const int hidden = numbers_lift(&lift);
    const int from = hidden > 0 && hidden <= PIPE_MAX ? hidden : numbers_high();

    take_low_numbers(kept_fd, from);
    find_open(from);
    call_first(backtrace);
    find_pipe(from);
    give_numbers_back();
    if (hidden >= 0)
        numbers_lower(&lift);
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
    start(backtrace, kept_fd);
    stack_backtrace = backtrace;
    return true;
}
