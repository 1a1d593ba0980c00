/* From nothing to recording: at the first event of a program, which the loader
 * may send before any constructor has run; of a forked child, which finds its
 * memory wiped; and of each thread. The hard problem is order: nothing of the
 * program's may be called while anything is half made, so the current context
 * says "busy" throughout, and every call into the hooks passes through. */
#include "interpose/inside/start.h"

#include "interpose/descriptors.h"
#include "interpose/inside/buffer.h"
#include "interpose/inside/clock.h"
#include "interpose/inside/context.h"
#include "interpose/inside/hints.h"
#include "interpose/inside/loader_list.h"
#include "interpose/inside/nested.h"
#include "interpose/inside/process.h"
#include "interpose/inside/sys.h"
#include "interpose/operators.h"
#include "interpose/outside/config.h"
#include "interpose/outside/control.h"
#include "interpose/outside/deepbind.h"
#include "interpose/outside/exec.h"
#include "interpose/outside/exits.h"
#include "interpose/outside/follow.h"
#include "interpose/outside/fork.h"
#include "interpose/outside/inherited.h"
#include "interpose/outside/log_file.h"
#include "interpose/outside/program.h"
#include "interpose/outside/resolve.h"
#include "interpose/outside/sandbox.h"
#include "interpose/outside/shell.h"
#include "interpose/outside/spawn.h"
#include "interpose/outside/threads.h"
#include "interpose/outside/unrecorded.h"
#include "interpose/outside/unwinder.h"
#include "interpose/stand_in.h"
#include "interpose/system_calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

#define ARGUMENTS_BYTES 16384
#define ENVIRONMENT_BYTES 4096

static bool prepared, unwinder_asked;
static struct config config;
/* Asked for once: a forked child must not wait for the loader's lock. */
static Dl_info allocator;
static const char *other_malloc; /* path of the module whose malloc goes before ours; NULL: none */

static size_t read_file(const char *path, char *buffer, size_t bytes)
{
    long fd = sys_open(path, O_RDONLY, 0), got = 0;
    size_t used = 0;

    if (fd < 0)
        return 0;
    while (used < bytes && (got = sys_read((int)fd, buffer + used, bytes - used)) > 0)
        used += (size_t)got;
    sys_close((int)fd);
    return used;
}

/* The program's first malloc may come before libc has its environ. The kernel
 * has it from the start. The memory is kept: the settings point into it. */
static char *const *first_environment(void)
{
    enum { BYTES = 4 << 20, ENTRIES = 65536 };

    if (environ)
        return environ;
    char *text = sys_map(-1, 0, BYTES), **entries = sys_map(-1, 0, ENTRIES * sizeof *entries);
    size_t used = text ? read_file("/proc/self/environ", text, BYTES - 1) : 0, count = 0;
    for (size_t at = 0; entries && at < used && count < ENTRIES - 1; at += strlen(text + at) + 1)
        entries[count++] = text + at;
    return entries;
}

/* A malloc that the executable exports goes before preloaded ones, for the libraries'
 * calls as for its own; then all that we hear of is that the program ran. */
static void find_other_malloc(void)
{
    void *first = dlsym(RTLD_DEFAULT, "malloc"), *symbol = NULL, *map = NULL;
    Dl_info own, other;

    if (!first || !dladdr(&prepared, &own) || !dladdr1(first, &other, &symbol, RTLD_DL_SYMENT) ||
        other.dli_fbase == own.dli_fbase || !dladdr1(first, &other, &map, RTLD_DL_LINKMAP))
        return;
    /* No malloc of its own: a program at a fixed address has a stub for it whose address it takes. */
    if (symbol && ((const ElfW(Sym) *)symbol)->st_shndx == SHN_UNDEF)
        return;
    other_malloc = *((const struct link_map *)map)->l_name ? ((const struct link_map *)map)->l_name : session.exe;
}

/* What `record --follow` says of this program. It is started without us where it
 * should not be recorded, but by functions that we stand in for only. */
static bool is_wanted(void)
{
    if (config.follow == FOLLOW_EXEC || config.follow == FOLLOW_ALL || !config.joins || !config.first_pid)
        return true;
    return config.first_pid == sys_pid() && !log_file_has_earlier(config.output, config.session);
}

/* Before the first system call. */
static void look_around(void)
{
    static bool done;

    if (!done)
        inherited_find();
    done = true;
}

void start_exec(void)
{
    static bool done;

    if (done)
        return;
    done = true;
    look_around();
    char *const *environment = first_environment();
    config_read(environment, &config);
    follow_prepare(environment, &config);
    unrecorded_prepare(&config);
    exec_prepare(); /* after that: a dlsym that fails allocates, and may so be our first event */
    spawn_prepare();
    shell_prepare();
}

/* Once in a program: what a forked child keeps. False: it is not recorded, or no log can be had. */
static bool prepare(void)
{
    prepared = true;
    resolve_real();
    fork_prepare();
    exits_prepare();
    start_exec();
    deepbind_prepare();
    session.unrecorded = !is_wanted();
    process = session.unrecorded ? NULL : process_map_wiped(sizeof *process);
    if (!process)
        return false;
    session.exe[program_path(session.exe, sizeof session.exe - 1)] = 0;
    clock_choose(config.monotonic);
    threads_prepare();
    descriptors_resolve();
    system_calls_resolve();
    dladdr((void *)real.malloc, &allocator);
    nested_allocator = modules_code_of((uint64_t)real.malloc);
    find_other_malloc();
    session.call_graph = config.call_graph;
    session.max_bytes = config.max_bytes;
    session.max_depth = config.max_depth;
    session.check_stacks = config.check_stacks && config.call_graph == CALL_GRAPH_AUTO;
    session.walks = config.call_graph == CALL_GRAPH_AUTO;
    session.selection = (struct selection){
        .on = config.min_size || config.sample_bytes || config.start_paused,
        .paused = config.start_paused,
        .knows_recorded = config.min_size || config.sample_bytes,
        .sample_bytes = config.sample_bytes,
        .min_size = config.min_size,
    };
    if (log_file_open(&config) != 0)
        return false;
    if (!sys_careful)
        control_prepare(config.toggle_signal);
    return true;
}

static size_t our_environment(char *buffer, size_t bytes)
{
    size_t used = 0;

    for (char **entry = environ; entry && *entry; entry++) {
        size_t length = strlen(*entry) + 1;
        if (strncmp(*entry, "MALLOSCOPE_", 11) == 0 && length <= bytes - used) {
            memcpy(buffer + used, *entry, length);
            used += length;
        }
    }
    return used;
}

static struct encode_text call_graph_name(void)
{
    static const char *const names[] = { [CALL_GRAPH_NONE] = "none", [CALL_GRAPH_AUTO] = "auto",
                                         [CALL_GRAPH_LIBUNWIND] = "libunwind", [CALL_GRAPH_FP] = "fp" };
    const char *name = session.check_stacks ? "auto, checked" : names[session.call_graph];

    return (struct encode_text){ name, strlen(name) };
}

/* In a namespace whose parent does not see this process there is none; /proc may be the parent's. */
static uint32_t parent_pid(void)
{
    uint32_t pid = sys_parent_pid();
    return pid ? pid : inherited_parent_pid();
}

static void log_process(struct context *c, enum rec_start start, uint64_t parent_image)
{
    size_t bytes = ARGUMENTS_BYTES + ENVIRONMENT_BYTES + 2 * 4096;
    char *texts = sys_map(-1, 0, bytes); /* NULL: all that was allowed is used: the record is without them */
    char *environment = texts ? texts + ARGUMENTS_BYTES : NULL, *directory = texts ? environment + ENVIRONMENT_BYTES : NULL;
    long got = texts ? sys_getcwd(directory, 4096) : 0;
    struct encode_process record = {
        .start = start,
        .ppid = parent_pid(),
        .realtime_ns = clock_realtime_ns(),
        .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE),
        .exe = { session.exe, strlen(session.exe) },
        .arguments = { texts, texts ? read_file("/proc/self/cmdline", texts, ARGUMENTS_BYTES) : 0 },
        .directory = { directory, got > 0 ? (size_t)got - 1 : 0 },
        .environment = { environment, texts ? our_environment(environment, ENVIRONMENT_BYTES) : 0 },
        .call_graph = call_graph_name(),
        .max_depth = session.max_depth,
        .thread_bytes = sizeof(struct context),
        .sample_bytes = session.selection.sample_bytes,
        .min_size = session.selection.min_size,
        .flags = session.selection.paused ? REC_PROCESS_PAUSED : 0,
        .allocator = { allocator.dli_fname, allocator.dli_fname ? strlen(allocator.dli_fname) : 0 },
        .pid_namespace = log_file_pid_namespace(),
        .began = log_file_process_began(),
        .parent_image = parent_image,
        .other_malloc = { other_malloc, other_malloc ? strlen(other_malloc) : 0 },
    };
    c = context_room(c, ENCODE_TEXTS_MAX + bytes + 4096);
    if (c)
        context_publish(c, encode_process_start(&c->encoder, c->at, clock_before_free(), &record));
    if (texts)
        sys_unmap(texts, bytes);
}

/* The current context is context_busy. */
static NOINLINE struct context *start_process(uint32_t tid)
{
    enum rec_start start = prepared ? REC_START_FORK : REC_START_IMAGE;
    int state = PROCESS_NEW;
    struct context *c = NULL;

    if (start == REC_START_FORK && session.follow == FOLLOW_NONE) {
        session.unrecorded = true;
        session.live = NULL; /* the parent's: nothing is lost that it should count */
        return NULL;
    }
    if (!prepared && !prepare()) {
        if (process)
            atomic_store(&process->state, PROCESS_OFF);
        if (!session.unrecorded)
            unrecorded_note(sys_pid(), REC_UNTRACED_FAILED, session.exe);
        return NULL;
    }
    if (!process || !atomic_compare_exchange_strong(&process->state, &state, PROCESS_STARTING))
        return NULL;
    if (sys_careful && start == REC_START_FORK)
        inherited_find(); /* for the pid */
    process->pid = sys_pid();
    const uint64_t parent_image = session.image;
    session.image = process->image = clock_realtime_ns();
    kept_file_close(&session.maps); /* the parent's, in a forked child */
    kept_file_open(&session.maps, "/proc/self/maps", O_RDONLY, 0);
    if (log_file_make_live(&start) == 0 && log_file_confirm() == 0)
        c = context_acquire(tid);
    if (!c) {
        atomic_store(&process->state, PROCESS_OFF);
        if (!session.live && start != REC_START_FORK) /* else that counts what is lost; what a child is a copy of is known */
            unrecorded_note(process->pid, REC_UNTRACED_FAILED, session.exe);
        return NULL;
    }
    atomic_store(&process->state, PROCESS_RECORDING);
    log_process(c, start, parent_image);
    threads_begin(c, tid);
    modules_begin(c, start == REC_START_FORK);
    if (start != REC_START_FORK)
        operators_begin();
    buffer_keep_limit(c);
    if (start == REC_START_FORK && session.had_threads) {
        stack_backtrace = stack_backtrace_slow = NULL; /* libunwind's locks may be held by threads that are not here */
        session.may_load_unwinder = false; /* or the loader's */
    }
    return c;
}

/* All that a thread pays which is not to be recorded is the hooks' test of busy. */
static struct context *unrecorded(void)
{
    context_unrecorded.busy = CONTEXT_IN_ALLOCATOR;
    return &context_unrecorded;
}

/* Where each stack needs it: at the start. Not while the loader is at work: it calls us in states that dlopen
 * must not see. Then the constructor does it. */
static void start_unwinder(const void *caller)
{
    bool is_wanted_always = session.call_graph == CALL_GRAPH_LIBUNWIND || session.check_stacks;

    if (sys_forbidden || sys_careful || unwinder_asked || session.call_graph == CALL_GRAPH_NONE || session.call_graph == CALL_GRAPH_FP ||
        modules_loader_calls(caller))
        return;
    unwinder_asked = true;
    if (is_wanted_always)
        unwinder_load();
    else
        session.may_load_unwinder = true;
}

/* dlopen takes more of the stack than a hook may: of one that is the kernel's to grow there is enough. */
static bool has_room_to_load(struct context *c)
{
    enum { ROOM_BYTES = 48 << 10, STEP_BYTES = 4096 };
    const uint64_t here = (uint64_t)__builtin_frame_address(0) & ~7ull;

    if (process_thread_id() == process->pid && reach_is_own(&c->own_stack, reach_limit(&c->own_stack, here)))
        return true;
    for (uint64_t below = STEP_BYTES; below <= ROOM_BYTES; below += STEP_BYTES)
        if (!reach_can_read(here - below, here - below + 8))
            return false;
    return true;
}

void start_unwinder_late(struct context *c, uint64_t pc)
{
    /* In a handler the loader may have been interrupted; and only the current context makes dlopen's own
     * allocations pass by. */
    if (c != current_context || sys_forbidden || sys_careful || sys_on_signal_stack() || modules_loader_calls((void *)pc) ||
        loader_is_at_work() || !has_room_to_load(c) || sandbox_is_vfork_child() ||
        !__atomic_exchange_n(&session.may_load_unwinder, false, __ATOMIC_ACQUIRE))
        return;
    const uint64_t busy = c->busy;
    int saved_errno = errno;
    uint64_t mask = sys_block_signals();
    c->busy = CONTEXT_IN_ALLOCATOR;
    const bool may_load = fork_may_load();
    if (may_load)
        unwinder_load();
    fork_has_loaded();
    if (!may_load)
        __atomic_store_n(&session.may_load_unwinder, true, __ATOMIC_RELEASE); /* for a later stack */
    c->busy = busy;
    sys_restore_signals(mask);
    errno = saved_errno;
}

struct context *start_thread(const void *caller)
{
    struct context *c = NULL;
    int saved_errno = errno;

    if (session.unrecorded)
        current_context = unrecorded();
    if (session.unrecorded || (prepared && !process))
        return NULL;
    int state = process ? atomic_load(&process->state) : PROCESS_NEW;
    if (state == PROCESS_OFF || state == PROCESS_STARTING)
        return NULL;
    if (state == PROCESS_NEW && sys_forbidden) {
        process_lack(REC_STOP_SANDBOX); /* a child of a process that has forbidden itself system calls */
        return NULL;
    }
    if (!sandbox_may_read_clock()) {
        current_context = &context_mute;
        return NULL;
    }
    look_around();
    /* A handler's calls would be taken for our own. */
    uint64_t mask = sys_block_signals();
    current_context = &context_busy;
    if (state == PROCESS_NEW) {
        c = start_process(process_thread_id());
        if (c && caller)
            start_unwinder(caller);
    } else {
        atomic_fetch_add(&process->starting, 1); /* another thread may be about to forbid system calls */
        uint32_t tid = process_thread_id();
        if ((c = context_acquire(tid))) {
            session.had_threads = true;
            threads_begin(c, tid);
        }
        atomic_fetch_sub(&process->starting, 1);
    }
    current_context = c ? c : session.unrecorded ? unrecorded() : &context_none;
    sys_restore_signals(mask);
    errno = saved_errno;
    return c;
}

struct context *start_nested(void)
{
    uint32_t tid = process_thread_id();
    struct context *c = atomic_load(&process->state) == PROCESS_RECORDING ? context_acquire(tid) : NULL;

    if (c)
        threads_begin_nested(c, tid);
    return c;
}

/* A program that never allocates must still say that it was here; and the
 * unwinder is loaded where the loader's state is sure to be whole. */
static __attribute__((constructor)) void constructor(void)
{
    struct context *c = current_context;
    int saved_errno = errno;

    exits_watch();
    if (c == &context_none)
        c = start_thread(NULL);
    if (c && !c->busy) {
        uint64_t mask = sys_block_signals();
        c->busy = CONTEXT_IN_ALLOCATOR;
        start_unwinder(NULL);
        c->busy = CONTEXT_IDLE;
        sys_restore_signals(mask);
    }
    errno = saved_errno;
}

/* So that a log without the launcher is nearly whole by itself. Contexts of other
 * threads stay as they are: those may be using them. */
static void flush_idle(struct context *mine)
{
    uint32_t tid = process_thread_id(); /* not of a dead thread: another may look for those */

    for (struct context *c = atomic_load(&process->contexts); c; c = c->next) {
        uint32_t nobody = 0;
        if (c == mine) {
            buffer_flush(c);
        } else if (atomic_compare_exchange_strong(&c->owner, &nobody, tid)) {
            buffer_flush(c);
            context_release(c);
        }
    }
}

/* Events may still follow: other destructors run after ours. */
static __attribute__((destructor)) void destructor(void)
{
    struct context *c = current_context;

    if (c->busy || !c->slot) {
        exits_note(HERE);
        return;
    }
    uint64_t mask = sys_block_signals();
    c->busy = CONTEXT_RECORDING;
    if (context_room(c, ENCODE_EVENT_MAX)) {
        context_publish(c, encode_process_end(&c->encoder, c->at, clock_before_free(), process->pid, REC_END_EXIT, 0));
        if (atomic_load(&process->state) == PROCESS_RECORDING && !sys_forbidden)
            flush_idle(c);
    }
    c->busy = CONTEXT_IDLE;
    sys_restore_signals(mask);
}
