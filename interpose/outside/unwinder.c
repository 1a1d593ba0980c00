/* libunwind keeps a pipe, by which it tests addresses, and would take the two lowest
 * free descriptors for it: numbers that the program would have got. So its call of pipe2
 * is bound to one of ours, which has a pipe for it. It makes its tables and, by way of the
 * loader, thread-local data when it is first called, which is at the first stack that needs
 * it: mostly never. */
#include "interpose/outside/unwinder.h"

#include "interpose/inside/context.h"
#include "interpose/inside/kept_file.h"
#include "interpose/inside/numbers.h"
#include "interpose/inside/process.h"
#include "interpose/inside/sys.h"
#include "interpose/outside/redirect.h"

#include <dlfcn.h>
#include <string.h>

static bool has_pipe; /* of ours, that nobody has asked for yet */

static bool make_pipe(void)
{
    int low[2];
    bool result = true;

    if (sys_call(SYS_pipe2, (long)low, O_NONBLOCK | O_CLOEXEC, 0, 0, 0, 0) != 0)
        return false;
    for (int i = 0; i < 2; i++) {
        int high = numbers_duplicate(low[i]);
        sys_close(low[i]);
        if (high >= 0)
            kept_file_adopt(&session.unwinder_pipe[i], high);
        result &= high >= 0;
    }
    return result;
}

/* May run inside a traced malloc, also again: libunwind makes another where somebody has closed it. */
static int pipe_for_libunwind(int ret_ends[2], int flags)
{
    (void)flags; /* which are the same */
    if (!has_pipe && !make_pipe())
        return -1;
    has_pipe = false;
    for (int i = 0; i < 2; i++)
        ret_ends[i] = atomic_load(&session.unwinder_pipe[i].fd);
    return 0;
}

static int old_pipe_for_libunwind(int ret_ends[2])
{
    return pipe_for_libunwind(ret_ends, 0);
}

static const struct redirection pipes[] = {
    { .symbol = "pipe2", .stand_in = (void *)pipe_for_libunwind },
    { .symbol = "pipe", .stand_in = (void *)old_pipe_for_libunwind },
};

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

bool unwinder_load(void)
{
    void *library = dlopen(LIBUNWIND_SONAME, RTLD_NOW | RTLD_LOCAL);
    void *function = library ? dlsym(library, "unw_backtrace") : NULL;
    int (*backtrace)(void **, int);
    struct linked_module module;

    if (!function) {
        /* The error is ours: the program's dlerror() must not tell it, nor free its text,
         * of whose allocation the log knows nothing. */
        dlerror();
        dlerror();
        return false;
    }
    if (!redirect_module_of(function, &module) ||
        !redirect_inner_calls(&module, pipes, sizeof pipes / sizeof *pipes) || !(has_pipe = make_pipe()))
        return false;
    if (session.check_stacks)
        find_slow_way(library);
    memcpy(&backtrace, &function, sizeof backtrace);
    __atomic_store_n(&stack_backtrace, backtrace, __ATOMIC_RELEASE); /* other threads are at work */
    return true;
}
