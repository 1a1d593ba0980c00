/* torture SEED ROUNDS [LIBRARY LIBRARY | interrupt]: stacks of every shape, at
 * random, in three threads, and each tells on descriptor 3 what its stack was:
 *
 *   TID SIZE FRAME FRAME ...      innermost first, each MODULE+0xOFFSET
 *
 * for every memalign, which nobody else calls. The stacks are taken by the C++
 * runtime's unwinder (backtrace()), which shares nothing with the recorder. The
 * innermost frame is told as "-": its address is that of another call.
 *
 * With libraries: they are opened, called through and closed all the while by a
 * fourth thread; both come to lie at the same addresses.
 *
 * With "interrupt": a fourth thread sends the others signals all the while, whose
 * handlers allocate, so that any instruction may be the one that is interrupted;
 * what calls the heap by itself is left out then. The first stack of all is one that
 * only libunwind can take, so that the recorder has it when it is needed on a signal's
 * stack, where it does not load it. */
#include <alloca.h>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

static thread_local uint32_t state = 1;

static uint32_t random_below(uint32_t limit)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % limit;
}

static inline void keep(const volatile void *p)
{
    __asm__ volatile("" : : "r"(p) : "memory");
}

/* --- telling ------------------------------------------------------------------- */

enum { DEPTH_MAX = 1200, TEXT_BYTES = 1 << 18 };

struct telling {
    size_t used;
    char text[TEXT_BYTES];
};
static thread_local telling *mine;

static void flush()
{
    for (size_t done = 0; done < mine->used;) {
        ssize_t written = write(3, mine->text + done, mine->used - done);
        if (written <= 0)
            break;
        done += (size_t)written;
    }
    mine->used = 0;
}

static void add(char c)
{
    mine->text[mine->used++] = c;
}

static void add_number(uintptr_t value, unsigned base)
{
    char digits[24], *at = digits + sizeof digits;

    do
        *--at = "0123456789abcdef"[value % base];
    while (value /= base);
    while (at < digits + sizeof digits)
        add(*at++);
}

static void add_text(const char *text)
{
    while (*text)
        add(*text++);
}

static void add_frame(void *pc)
{
    Dl_info info;
    struct link_map *map;

    add(' ');
    /* Of a return address, the call before it counts. */
    if (!dladdr1((char *)pc - 1, &info, (void **)&map, RTLD_DL_LINKMAP)) {
        add_text("?+0x");
        add_number((uintptr_t)pc, 16);
        return;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    add_text(slash ? slash + 1 : info.dli_fname);
    add_text("+0x");
    add_number((uintptr_t)pc - map->l_addr, 16);
}

static thread_local volatile bool in_heap; /* a handler must keep out */

/* Takes memory, and tells from where. */
static NOINLINE void take()
{
    void *pcs[DEPTH_MAX];

    if (in_heap || !mine)
        return;
    in_heap = true;
    size_t size = 1 + random_below(500);
    int count = backtrace(pcs, DEPTH_MAX);
    add_number((uintptr_t)syscall(SYS_gettid), 10);
    add(' ');
    add_number(size, 10);
    add_text(" -");
    for (int i = 1; i < count; i++)
        add_frame(pcs[i]);
    add('\n');
    if (mine->used > TEXT_BYTES / 2)
        flush();
    void *block = memalign(32, size);
    keep(block);
    free(block);
    in_heap = false;
}

/* --- shapes of frames ------------------------------------------------------------ */

static void any(int depth);

static NOINLINE void plain(int depth)
{
    take();
    any(depth - 1);
    take();
}

static NOINLINE void by_alloca(int depth)
{
    char *room = (char *)alloca(1 + random_below(3000));
    keep(room);
    any(depth - 1);
    take();
    keep(room);
}

static NOINLINE void by_variable_array(int depth)
{
    volatile char room[1 + random_below(900)];
    room[0] = 1;
    keep(room);
    any(depth - 1);
    keep(room);
    take();
}

static NOINLINE void large(int depth)
{
    volatile char room[9000];
    room[depth] = 1;
    any(depth - 1);
    keep(room);
}

static NOINLINE void huge(int depth)
{
    volatile char room[70000];
    room[depth] = 1;
    if (depth < 6)
        take();
    else
        any(depth - 5);
    keep(room);
}

__attribute__((noinline, optimize("no-omit-frame-pointer"))) static void with_frame_pointer(int depth)
{
    any(depth - 1);
    take();
    __asm__ volatile("");
}

/* Their CFA is a word in the frame. */
static NOINLINE void over_aligned(int depth)
{
    alignas(64) volatile char room[64];
    room[0] = (char)depth;
    keep(room);
    any(depth - 1);
    take();
    keep(room);
}

static NOINLINE void over_aligned_alloca(int depth)
{
    alignas(32) volatile char room[32];
    char *more = (char *)alloca(16 + random_below(500));
    keep(room);
    keep(more);
    any(depth - 1);
    keep(more);
    keep(room);
}

/* So many values live across the calls that the frame pointer is one of them. */
static NOINLINE void frame_pointer_as_variable(int depth)
{
    uintptr_t a = (uintptr_t)depth, b = a + 1, c = a * 3, d = a ^ 5, e = a + 7, f = a * 11, g = ~a;

    for (int i = 0; i < 2; i++) {
        __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f), "+r"(g));
        take();
        any(depth - 2);
        __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f), "+r"(g));
    }
    uintptr_t sum = a + b + c + d + e + f + g;
    keep(&sum);
}

static NOINLINE void many_arguments(int depth, long a, long b, long c, long d, long e, long f, long g, long h)
{
    long sum = a + b + c + d + e + f + g + h;
    keep(&sum);
    any(depth - 1);
    take();
}

static NOINLINE void with_arguments_on_the_stack(int depth)
{
    many_arguments(depth, 1, 2, 3, 4, 5, 6, 7, 8);
    keep(&depth);
}

static NOINLINE void tail_call(int depth)
{
    if (depth & 1)
        take();
    return any(depth - 1);
}

struct guard {
    ~guard() { take(); }
};

static NOINLINE void catches(int depth)
{
    try {
        guard unwound;
        any(depth - 1);
    } catch (const std::runtime_error &error) {
        take();
        std::string text(error.what());
        text += " and a little more, so that it allocates";
        keep(&text);
    }
    take();
}

static thread_local int tries; /* catches further out */

static NOINLINE void throws(int depth)
{
    take();
    if (tries && random_below(3) == 0)
        throw std::runtime_error("a message long enough to be on the heap");
    any(depth - 1);
}

static NOINLINE void tries_and_catches(int depth)
{
    tries++;
    try {
        catches(depth);
    } catch (...) {
        tries--;
        throw;
    }
    tries--;
}

static thread_local jmp_buf *place;

static NOINLINE void sets_jump(int depth)
{
    jmp_buf here, *before = place;
    int tried = tries;

    place = &here;
    tries = 0; /* no exception may pass */
    if (!setjmp(here))
        any(depth - 1);
    place = before;
    tries = tried;
    take();
}

static NOINLINE void jumps(int depth)
{
    take();
    if (place && random_below(3) == 0)
        longjmp(*place, 1);
    any(depth - 1);
}

static void handler(int)
{
    take();
}

static void handler_aside(int)
{
    take();
    over_aligned(1);
}

static NOINLINE void signals(int depth)
{
    if (random_below(8) == 0)
        raise(SIGUSR1);
    any(depth - 1);
}

static NOINLINE void signals_aside(int depth)
{
    if (random_below(8) == 0)
        raise(SIGUSR2);
    any(depth - 1);
}

/* --- stacks on the heap ------------------------------------------------------------ */

struct coroutine {
    ucontext_t inside, outside;
    char *stack;
    int depth;
};
static thread_local coroutine *running;

static void coroutine_main()
{
    coroutine *self = running;
    any(self->depth);
    take();
    swapcontext(&self->inside, &self->outside);
    any(2);
    take();
    for (;;)
        swapcontext(&self->inside, &self->outside);
}

static NOINLINE void by_coroutine(int depth)
{
    if (random_below(4)) {
        any(depth - 1);
        return;
    }
    size_t bytes = 400000 + 4096 * random_below(8);
    coroutine *self = new coroutine, *before = running;
    jmp_buf *jump = place;
    int tried = tries;

    self->stack = (char *)malloc(bytes);
    self->depth = depth > 4 ? 4 : depth;
    getcontext(&self->inside);
    self->inside.uc_stack.ss_sp = self->stack;
    self->inside.uc_stack.ss_size = bytes;
    self->inside.uc_link = NULL;
    makecontext(&self->inside, coroutine_main, 0);
    place = NULL;
    tries = 0;
    for (int i = 0; i < 2; i++) {
        running = self;
        swapcontext(&self->outside, &self->inside);
        running = before;
        take();
    }
    place = jump;
    tries = tried;
    free(self->stack);
    delete self;
    any(depth - 1);
}

static NOINLINE void by_library(int depth)
{
    std::vector<std::string> strings;
    std::map<int, int> map;
    for (int i = 0; i < 5; i++) {
        strings.push_back(std::string(40, 'x'));
        map[i] = i;
    }
    any(depth - 1);
}

static int compare(const void *a, const void *b)
{
    if (random_below(30) == 0)
        take();
    return *(const int *)a - *(const int *)b;
}

static NOINLINE void by_callback(int depth)
{
    int numbers[20];
    for (int &number : numbers)
        number = (int)random_below(1000);
    qsort(numbers, 20, sizeof *numbers, compare); /* through code of libc */
    any(depth - 1);
}

typedef void (*shape)(int);
static const shape shapes[] = {
    plain, by_alloca, by_variable_array, large, huge, with_frame_pointer, over_aligned, over_aligned_alloca,
    frame_pointer_as_variable, with_arguments_on_the_stack, tail_call, sets_jump, jumps, by_callback,
    /* these call the heap, or raise signals themselves: */
    tries_and_catches, throws, signals, signals_aside, by_coroutine, by_library,
};
static uint32_t shape_count = sizeof shapes / sizeof *shapes;

static NOINLINE void any(int depth)
{
    if (depth <= 0) {
        take();
        return;
    }
    shape chosen = shapes[random_below(shape_count)];
    if (chosen == huge && running)
        chosen = plain; /* a coroutine's stack is small */
    chosen(depth);
    __asm__ volatile("");
}

static NOINLINE void deep(int depth)
{
    if (depth > 0)
        deep(depth - 1);
    if (depth == 0 || depth % 2500 == 0)
        take();
    __asm__ volatile("");
}

/* --- threads ----------------------------------------------------------------------- */

static long rounds;

static void torture(uint32_t seed)
{
    static thread_local char alternate[262144];
    stack_t aside = {};

    state = seed;
    aside.ss_sp = alternate;
    aside.ss_size = sizeof alternate;
    sigaltstack(&aside, NULL);
    for (long i = 0; i < rounds; i++) {
        try {
            any((int)random_below(40));
        } catch (const std::runtime_error &) {
            take();
        }
    }
    aside.ss_flags = SS_DISABLE;
    sigaltstack(&aside, NULL);
}

static void begin()
{
    mine = (telling *)calloc(1, sizeof *mine);
}

static void end()
{
    telling *last = mine;
    flush();
    mine = NULL;
    free(last);
}

static void *thread_main(void *seed)
{
    begin();
    torture((uint32_t)(uintptr_t)seed);
    end();
    return NULL;
}

static void *short_thread(void *seed)
{
    begin();
    state = (uint32_t)(uintptr_t)seed;
    any(5);
    end();
    return NULL;
}

static const char *libraries[2];
static volatile bool enough;

static void *loader_main(void *)
{
    begin();
    state = 4711;
    while (!enough) {
        for (const char *name : libraries) {
            void *library = dlopen(name, RTLD_LAZY);
            void (*call)(void (*)(int), int) = (void (*)(void (*)(int), int))dlsym(library, "call_through");
            if (!call)
                abort();
            for (int i = 0; i < 3; i++)
                call(any, 3);
            dlclose(library);
        }
        usleep(1000);
    }
    end();
    return NULL;
}

#ifdef __x86_64__
#include "through_rbx.h"
#else
static void through_rbx(void (*call)())
{
    call();
}
#endif

static pthread_t targets[3];

static void *interrupter_main(void *)
{
    for (unsigned i = 0; !enough; i++) {
        pthread_kill(targets[i % 3], i % 2 ? SIGUSR1 : SIGUSR2);
        usleep(20);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    uint32_t seed = argc > 1 ? (uint32_t)atoi(argv[1]) : 1;
    struct sigaction action = {};
    pthread_t threads[3], storm[8];
    void *first[4];

    rounds = argc > 2 ? atol(argv[2]) : 100;
    action.sa_handler = handler;
    sigaction(SIGUSR1, &action, NULL);
    action.sa_handler = handler_aside;
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR2, &action, NULL);
    backtrace(first, 4); /* the first one loads the unwinder, and allocates */

    begin();
    libraries[0] = argc > 4 ? argv[3] : NULL;
    libraries[1] = argc > 4 ? argv[4] : NULL;
    if (argc == 4) {
        shape_count -= 6;
        through_rbx(take);
    }
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, thread_main, (void *)(uintptr_t)(seed + 1 + (uint32_t)i));
    for (int i = 0; i < 3; i++) /* all that may be interrupted */
        targets[i] = i ? threads[i - 1] : pthread_self();
    if (libraries[0])
        pthread_create(&threads[2], NULL, loader_main, NULL);
    else if (argc == 4)
        pthread_create(&threads[2], NULL, interrupter_main, NULL);
    torture(seed);
    deep(10000);
    in_heap = true; /* to create a thread allocates */
    for (int round = 0; round < 5; round++) {
        for (pthread_t &thread : storm)
            pthread_create(&thread, NULL, short_thread, (void *)(uintptr_t)(seed + (uint32_t)round));
        for (pthread_t thread : storm)
            pthread_join(thread, NULL);
    }
    enough = argc == 4; /* no signals to threads that are gone */
    if (argc == 4)
        pthread_join(threads[2], NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    enough = true;
    if (argc > 4)
        pthread_join(threads[2], NULL);
    end();
    return 0;
}
