/* arm_stacks [TICKS [LIBRARY PROVIDER]]: allocations in frames of many shapes. Each has a size of its
 * own and so is known by it; before it the program takes its own backtrace by
 * libgcc's unwinder. At the end it writes them on descriptor 3, a line for each:
 *
 *   SIZE SHAPE FRAME...    innermost first, as `malloscope dump --stacks` prints them;
 *                          of the first, which is the call of the backtrace, the test
 *                          knows that the malloc's comes shortly after it
 *
 * TICKS: so often a timer interrupts it, for each stack that the handler is on; if
 * negative, no backtraces are taken. Its exit status is 77 where libgcc's unwinder has crashed.
 * LIBRARY (arm_stacks_library.c) is opened, called and closed, twice. PROVIDER has
 * what it needs. With FRAME_RECORDS defined, all of it is compiled with frame pointers. */
#include <alloca.h>
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#define NOINLINE __attribute__((noinline))
#define UNUSED __attribute__((unused))
#define FRAMES_MAX 1400
#define WORDS_MAX (4u << 20)
#define SIZE_FIRST 100000 /* nobody else's allocations are as large */

static _Atomic uint32_t last_size = SIZE_FIRST, word_count;
static uint64_t words[WORDS_MAX]; /* size, shape, number of frames, frames */
static const char *_Atomic shape = "start";
static void *volatile sink;
static bool blind; /* there is no truth: libgcc's unwinder would crash */

/* --- the truth ------------------------------------------------------------------- */

struct trace {
    unsigned count;
    uint64_t pc[FRAMES_MAX];
};

static _Unwind_Reason_Code take_frame(struct _Unwind_Context *context, void *data)
{
    struct trace *trace = data;

    if (trace->count == FRAMES_MAX)
        return _URC_END_OF_STACK;
    trace->pc[trace->count] = _Unwind_GetIP(context);
    trace->count += trace->pc[trace->count] != 0; /* its mark for the end */
    return _URC_NO_REASON;
}

/* By the chain of frame records, for stacks that have code without unwind tables. */
static bool by_records;

static void follow_records(const uint64_t *record, struct trace *trace)
{
    for (trace->count = 1; record && trace->count < FRAMES_MAX; record = (const uint64_t *)record[0]) {
        register uint64_t x30 __asm__("x30") = record[1];
        __asm__("hint 7" : "+r"(x30)); /* xpaclri */
        trace->pc[trace->count++] = x30;
    }
}

/* The size of the allocation that is to follow. */
NOINLINE size_t tell(void)
{
    struct trace trace;

    trace.count = blind;
    if (by_records)
        follow_records(__builtin_frame_address(0), &trace);
    else if (!blind)
        _Unwind_Backtrace(take_frame, &trace);
    uint32_t at = atomic_fetch_add(&word_count, trace.count + 2);
    uint32_t size = atomic_fetch_add(&last_size, 1) + 1;
    if (at + trace.count + 2 > WORDS_MAX)
        _exit(90);
    words[at] = size;
    words[at + 1] = (uint64_t)shape;
    words[at + 2] = trace.count - 1;
    memcpy(words + at + 3, trace.pc + 1, (trace.count - 1) * 8); /* but for this function's own */
    return size;
}

#define TAKE() (sink = malloc(tell()))

struct place {
    uint64_t pc, bias;
    const char *name;
};

static int find_module(struct dl_phdr_info *info, size_t bytes, void *data)
{
    struct place *place = data;

    (void)bytes;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type != PT_LOAD || place->pc - start >= header->p_memsz)
            continue;
        place->bias = info->dlpi_addr;
        place->name = info->dlpi_name[0] ? info->dlpi_name : program_invocation_short_name;
    }
    return 0;
}

/* Before a module goes, and at the end: no other thread runs. */
static void write_truth(void)
{
    FILE *out = blind ? NULL : fdopen(dup(3), "a");

    if (!out)
        return;
    for (uint32_t at = 0; at < word_count; at += words[at + 2] + 3) {
        fprintf(out, "%lu %s", (unsigned long)words[at], (const char *)words[at + 1]);
        for (uint64_t i = 0; i < words[at + 2]; i++) {
            struct place place = { words[at + 3 + i], 0, "?" };
            dl_iterate_phdr(find_module, &place);
            const char *slash = strrchr(place.name, '/');
            fprintf(out, " %s+0x%lx", slash ? slash + 1 : place.name, (unsigned long)(place.pc - place.bias));
        }
        fputc('\n', out);
    }
    fclose(out);
    word_count = 0;
}

/* --- shapes ---------------------------------------------------------------------- */

static NOINLINE int recurse(int depth)
{
    volatile int kept = depth; /* else it becomes a loop */

    if (depth == 0 || depth % 64 == 0)
        TAKE();
    return depth ? recurse(depth - 1) + kept : 0;
}

static NOINLINE int call_back(int (*function)(int), int argument)
{
    return function(argument) + 1;
}

static NOINLINE int on_alloca(int bytes)
{
    volatile char *block = alloca((size_t)bytes);

    block[0] = block[bytes - 1] = 1;
    TAKE();
    return bytes > 4000 ? block[0] : on_alloca(bytes * 3) + block[bytes - 1];
}

static NOINLINE int on_array(int count)
{
    volatile int array[count];

    array[count - 1] = count;
    TAKE();
    return count > 3000 ? array[count - 1] : call_back(on_array, count * 2) + array[count - 1];
}

/* Frames whose stack pointer moves in one step, by a large constant, and in two. */
#define WITH_FRAME(NAME, BYTES)                                   \
    static NOINLINE int NAME(int depth)                           \
    {                                                             \
        volatile char block[BYTES];                               \
        block[0] = block[BYTES - 1] = 1;                          \
        TAKE();                                                   \
        return depth ? NAME(depth - 1) + block[BYTES - 1] : 0;    \
    }
WITH_FRAME(frame_of_200, 200)
WITH_FRAME(frame_of_500, 500)
WITH_FRAME(frame_of_5k, 5000)
WITH_FRAME(frame_of_17k, 17000)
WITH_FRAME(frame_of_70k, 70000)

static NOINLINE int over_aligned(int depth)
{
    _Alignas(128) volatile char block[256];

    block[255] = (char)depth;
    TAKE();
    return depth ? over_aligned(depth - 1) + block[255] : 0;
}

static NOINLINE int many_registers(int a, int b, int c, int d, int e, int f)
{
    double x = a * 1.5, y = b * 2.5, z = c * 3.5;

    TAKE();
    int rest = a ? many_registers(a - 1, c, d, e, f, b) : 0;
    return rest + a + b * c + d * e + f + (int)(x * y + z);
}

/* Eleven arguments: some are on the stack, below the caller's saved registers. */
static NOINLINE int many_arguments(int a, int b, int c, int d, int e, int f, int g, int h, long i, long j, long k)
{
    TAKE();
    return a ? many_arguments(a - 1, b, c, d, e, f, g, h, j, k, i) + (int)(i + j + k) : h;
}

static NOINLINE void only_link_register(void)
{
    TAKE();
}

static NOINLINE int tail_target(int x)
{
    TAKE();
    return x + 1;
}

static NOINLINE int tail_call(int x)
{
    return tail_target(x * 2); /* at -O2 a jump */
}

static NOINLINE __attribute__((noreturn)) void leave_by(jmp_buf *where, int depth)
{
    volatile char block[300];

    block[depth] = 1;
    TAKE();
    if (depth)
        leave_by(where, depth - block[depth]);
    longjmp(*where, 1);
}

static NOINLINE void jumps(void)
{
    jmp_buf where;

    for (volatile int i = 0; i < 3; i++) {
        if (!setjmp(where))
            leave_by(&where, i);
        TAKE();
    }
}

static NOINLINE __attribute__((noreturn)) void thread_leaves(void)
{
    TAKE();
    pthread_exit(NULL);
}

static int compare(const void *a, const void *b)
{
    TAKE();
    return *(const int *)a - *(const int *)b;
}

static NOINLINE void through_libc(void)
{
    int numbers[] = { 3, 1, 2, 5, 4 };

    qsort(numbers, 5, sizeof numbers[0], compare);
}

/* arm_odd_frames.c */
int without_tables(int (*function)(int), int argument);
int without_tables_as_by_jit(int (*function)(int), int argument);
int by_other_register(int (*function)(int), int argument);
int with_wild_frame_pointer(int (*function)(int), int argument);

static NOINLINE UNUSED int through_no_tables(int depth)
{
    volatile char block[200];

    block[depth] = 1;
    TAKE();
    if (!depth)
        return on_alloca(100);
    return (depth % 2 ? without_tables : without_tables_as_by_jit)(through_no_tables, depth - 1) + block[depth];
}

static void run_shapes(void)
{
    int (*volatile function)(int);

    shape = "recursion";
    recurse(10);
    recurse(300);
    recurse(200);
    shape = "alloca";
    on_alloca(7);
    shape = "array";
    on_array(5);
    shape = "frames";
    frame_of_200(3);
    frame_of_500(3);
    frame_of_5k(3);
    frame_of_17k(3);
    frame_of_70k(3);
    shape = "aligned";
    over_aligned(3);
    shape = "registers";
    many_registers(5, 1, 2, 3, 4, 5);
    shape = "arguments";
    many_arguments(5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    shape = "link-register";
    for (int i = 0; i < 3; i++)
        only_link_register();
    shape = "tail-call";
    function = tail_call;
    call_back(function, 3);
    shape = "longjmp";
    jumps();
    shape = "libc";
    through_libc();
    shape = "wild-frame-pointer";
    with_wild_frame_pointer(tail_target, 1);
    with_wild_frame_pointer(on_array, 1000);
    shape = "other-register";
    by_other_register(tail_target, 1);
    by_other_register(on_array, 1000);
#ifdef FRAME_RECORDS
    shape = "no-tables";
    by_records = true;
    call_back(through_no_tables, 3);
    by_records = false;
#endif
}

/* --- other stacks ---------------------------------------------------------------- */

#define STACK_BYTES (256 << 10)
static ucontext_t main_context, other_context[2];

static void coroutine(int number)
{
    for (int i = 0; i < 4; i++) {
        recurse(i * 3 + number);
        on_alloca(50);
        TAKE();
        swapcontext(&other_context[number], i % 2 ? &main_context : &other_context[!number]);
    }
}

static void run_contexts(void)
{
    shape = "contexts";
    for (int i = 0; i < 2; i++) {
        getcontext(&other_context[i]);
        other_context[i].uc_stack.ss_sp = malloc(STACK_BYTES);
        other_context[i].uc_stack.ss_size = STACK_BYTES;
        other_context[i].uc_link = &main_context;
        makecontext(&other_context[i], (void (*)(void))coroutine, 1, i);
    }
    for (int i = 0; i < 4; i++) {
        swapcontext(&main_context, &other_context[i % 2]);
        TAKE();
    }
}

static void *thread(void *argument)
{
    for (int i = 0; i < 3; i++) {
        recurse(5 + i);
        on_array(20);
        frame_of_17k(1);
    }
    if (argument)
        thread_leaves();
    return NULL;
}

static void run_threads(void)
{
    pthread_t threads[3];

    shape = "threads";
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, thread, i ? &threads[i] : NULL);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

/* --- signals --------------------------------------------------------------------- */

static volatile int ticks;

static void on_signal(int number)
{
    ticks++;
    TAKE();
    if (number == SIGUSR2)
        recurse(3);
}

static void set_handler(int number, int flags)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

    sigaction(number, &action, NULL);
}

static NOINLINE int raise_at(int depth)
{
    volatile char block[100];

    block[0] = (char)depth;
    raise(depth % 2 ? SIGUSR1 : SIGUSR2);
    TAKE();
    return depth ? raise_at(depth - 1) + block[0] : 0;
}

/* Where the timer finds the program: leaf functions, prologues and epilogues. */
static NOINLINE unsigned leaf(unsigned x)
{
    return x * 2654435761u + 1;
}

static NOINLINE unsigned leaf_with_frame(unsigned x)
{
    volatile unsigned block[60];

    block[x % 60] = x;
    return block[x % 60] ^ block[0];
}

static NOINLINE unsigned branch(unsigned x, int depth)
{
    volatile unsigned kept = x;

    if (depth == 0)
        return leaf(x) + leaf_with_frame(x);
    return branch(leaf(x), depth - 1) ^ kept;
}

static NOINLINE unsigned dynamic(unsigned x)
{
    volatile char *block = alloca(x % 200 + 16);

    block[x % 16] = 1;
    return leaf(x) + leaf_with_frame(x) + (unsigned)block[x % 16];
}

static NOINLINE void spin_until(int wanted)
{
    volatile unsigned x = 1;

    while (ticks < wanted) {
        x = branch(x, 3);
        x += dynamic(x);
        x += (unsigned)getpagesize(); /* through the PLT */
    }
}

static void run_timer(int wanted)
{
    const struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };

    ticks = 0;
    setitimer(ITIMER_REAL, &often, NULL);
    spin_until(wanted);
    setitimer(ITIMER_REAL, &never, NULL);
}

static void run_signals(int ticks_wanted)
{
    static char stack[128 << 10];
    const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };

    sigaltstack(&alternate, NULL);
    for (int flags = 0; flags <= SA_ONSTACK; flags += SA_ONSTACK) {
        set_handler(SIGUSR1, flags);
        set_handler(SIGUSR2, flags);
        set_handler(SIGALRM, flags | SA_RESTART);
        shape = flags ? "raised-alternate" : "raised";
        raise_at(5);
        shape = flags ? "timer-alternate" : "timer";
        run_timer(ticks_wanted);
    }
}

/* arm_exceptions.cc */
void run_exceptions(void) __attribute__((weak));

/* --- libraries ------------------------------------------------------------------- */

static void run_library(const char *path, const char *provider)
{
    shape = "library";
    if (!dlopen(provider, RTLD_LAZY | RTLD_GLOBAL))
        _exit(92);
    for (int i = 0; i < 2; i++) {
        void *library = dlopen(path, RTLD_LAZY);
        int (*enter)(int (*)(int), int);
        if (!library)
            _exit(91);
        void *symbol = dlsym(library, "enter");
        memcpy(&enter, &symbol, sizeof symbol);
        enter(recurse, 3);
        enter(on_alloca, 900);
        write_truth();
        dlclose(library);
    }
}

/* libgcc's unwinder takes a signed return address for a plain one, and reads there, where the
 * timer comes at some instructions: the exit status says so. */
static void on_crash(int number, siginfo_t *info, void *context)
{
    const ucontext_t *at = context;
    Dl_info module;

    (void)info;
#if defined(__aarch64__)
    if (dladdr((void *)at->uc_mcontext.pc, &module) && module.dli_fname && strstr(module.dli_fname, "libgcc_s"))
        _exit(77);
#else
    (void)at, (void)module;
#endif
    signal(number, SIG_DFL);
}

int main(int argc, char **argv)
{
    const struct sigaction crash = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO };
    int ticks_wanted = argc > 1 ? atoi(argv[1]) : 20;

    sigaction(SIGSEGV, &crash, NULL);
    blind = ticks_wanted < 0;
    run_shapes();
    run_shapes();
    run_contexts();
    run_threads();
    run_signals(abs(ticks_wanted));
    shape = "deep";
    recurse(1100);
    run_shapes();
    shape = "exceptions";
    if (run_exceptions)
        run_exceptions();
    if (argc > 3)
        run_library(argv[2], argv[3]);
    write_truth();
    return 0;
}
