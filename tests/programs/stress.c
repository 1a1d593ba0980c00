/* stress TRUTH SEED MILLISECONDS FLAGS PLUGIN PLUGIN [leaf]: everything at once, until it is killed or the
 * time is over: threads that allocate, take each other's blocks, come and go in storms, are cancelled, and
 * allocate in their destructors; signals in all of them, on alternate stacks; children by fork, vfork,
 * posix_spawn, _Fork, of children and of threads; libraries that come and go. What it does with the heap is
 * kept in TRUTH, see kept_truth.h.
 *
 * FLAGS: - none; h signal handlers allocate; a threads are cancelled at any instruction; f a child of _Fork
 * allocates (all three want an allocator that is safe for it: safe_malloc.c). A leaf does a few things alone. */
#include "kept_truth.h"

#include "format/record.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define WORKERS 3
#define OWN 32
#define SHARED 256
#define OPEN_END 0x7fffffff

extern char **environ;

static char **arguments;
static struct kept_header *kept;
static uint64_t end_ns;
static bool handlers_allocate, cancelled_anywhere, fork_is_safe;
static void *_Atomic shared_blocks[SHARED];
static pthread_key_t key;
static pthread_t workers[WORKERS];
static atomic_int short_threads;

/* --- the truth ------------------------------------------------------------- */

static __thread struct kept_piece *pieces[KEPT_LEVELS];
static __thread uint32_t used[KEPT_LEVELS];
static __thread volatile int level; /* of signal handlers */

static void open_truth(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    kept = fd < 0 ? MAP_FAILED : mmap(NULL, KEPT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (kept == MAP_FAILED)
        _exit(98);
    close(fd);
}

static struct kept_event *next_event(void)
{
    if (!pieces[level] || used[level] == KEPT_PIECE_EVENTS) {
        uint32_t number = atomic_fetch_add(&kept->pieces, 1);
        if (number >= KEPT_PIECES)
            _exit(97);
        struct kept_piece *piece = (struct kept_piece *)kept + number;
        piece->pid = (uint32_t)syscall(SYS_getpid);
        piece->tid = (uint32_t)syscall(SYS_gettid);
        piece->level = (uint32_t)level;
        pieces[level] = piece; /* a thread that is cancelled here takes another */
        __asm__ volatile("" ::: "memory");
        used[level] = 0;
    }
    return &pieces[level]->events[used[level]++];
}

static struct kept_event *announce(enum kept_kind kind, unsigned function, size_t size, size_t alignment, void *address)
{
    struct kept_event *e = next_event();

    e->kind = (uint8_t)kind;
    e->function = (uint8_t)function;
    e->alignment = alignment ? (uint8_t)__builtin_ctzll(alignment) : 0;
    e->size = (uint32_t)size;
    e->address = (uint64_t)address;
    __asm__ volatile("" ::: "memory");
    e->state = KEPT_ANNOUNCED;
    __asm__ volatile("" ::: "memory");
    return e;
}

static void *allocated(struct kept_event *e, void *block)
{
    if (!block)
        _exit(96);
    e->address = (uint64_t)block;
    __asm__ volatile("" ::: "memory");
    e->state = KEPT_DONE;
    *(volatile char *)block = 1;
    return block;
}

/* Announced before the call: a function's arguments have no order. */
#define TOLD_ALLOC(function, size, alignment, call)                                     \
    ({                                                                                  \
        struct kept_event *told_ = announce(KEPT_ALLOC, function, size, alignment, NULL); \
        void *block_ = call;                                                            \
        allocated(told_, block_);                                                       \
    })

/* The child of a fork has not done what its parent did. */
static void forget_truth(void)
{
    memset(pieces, 0, sizeof pieces);
}

/* --- the heap -------------------------------------------------------------- */

static uint64_t any(uint64_t *random, uint64_t below)
{
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    return (*random * 0x2545f4914f6cdd1dull >> 20) % below;
}

static NOINLINE void *k_malloc(size_t size)
{
    return TOLD_ALLOC(REC_FN_MALLOC, size, 0, malloc(size));
}

static NOINLINE void k_free(void *block)
{
    if (!block)
        return;
    struct kept_event *e = announce(KEPT_FREE, REC_FN_FREE, 0, 0, block);
    free(block);
    e->state = KEPT_DONE;
}

static NOINLINE void *k_realloc(void *old, size_t size)
{
    if (!old)
        return TOLD_ALLOC(REC_FN_REALLOC, size, 0, realloc(NULL, size));
    struct kept_event *begin = announce(KEPT_REALLOC_BEGIN, REC_FN_REALLOC, 0, 0, old);
    struct kept_event *end = announce(KEPT_REALLOC_END, REC_FN_REALLOC, size, 0, NULL);
    void *block = realloc(old, size);
    begin->state = KEPT_DONE;
    return allocated(end, block);
}

static NOINLINE void *k_any(uint64_t *random)
{
    size_t size = KEPT_SIZE(any(random, any(random, 20) ? 8 : 80)), alignment = 16ull << any(random, 6);
    void *block = NULL;

    switch (any(random, 12)) {
    case 0: return TOLD_ALLOC(REC_FN_CALLOC, size, 0, calloc(1, size));
    case 1: return k_realloc(NULL, size);
    case 2: return TOLD_ALLOC(REC_FN_REALLOCARRAY, size, 0, reallocarray(NULL, 1, size));
    case 3: return TOLD_ALLOC(REC_FN_ALIGNED_ALLOC, size, alignment, aligned_alloc(alignment, size));
    case 4: return TOLD_ALLOC(REC_FN_MEMALIGN, size, alignment, memalign(alignment, size));
    case 5: return TOLD_ALLOC(REC_FN_POSIX_MEMALIGN, size, alignment,
                              posix_memalign(&block, alignment, size) ? NULL : block);
    default: return k_malloc(size);
    }
}

/* Stacks of all depths. */
static NOINLINE void *deeper(unsigned frames, uint64_t *random)
{
    void *volatile block = frames ? deeper(frames - 1, random) : k_any(random);
    return block;
}

static void one_step(void **own, uint64_t *random)
{
    void **mine = &own[any(random, OWN)];

    switch (any(random, 10)) {
    case 0: /* to another thread; what was there is freed here */
        k_free(atomic_exchange(&shared_blocks[any(random, SHARED)], *mine));
        *mine = NULL;
        break;
    case 1:
        k_free(atomic_exchange(&shared_blocks[any(random, SHARED)], NULL));
        break;
    case 2: /* a chain of reallocs */
        for (uint64_t i = any(random, 5); *mine && i > 0; i--)
            *mine = k_realloc(*mine, KEPT_SIZE(any(random, 70)));
        break;
    default:
        if (*mine) {
            k_free(*mine);
            *mine = NULL;
        } else {
            *mine = any(random, 4) ? k_any(random) : deeper((unsigned)any(random, 30), random);
        }
    }
}

static void steps(void **own, uint64_t *random, uint64_t count)
{
    while (count--)
        one_step(own, random);
}

static void free_all(void **own)
{
    for (int i = 0; i < OWN; i++)
        k_free(own[i]);
}

static bool time_is_over(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec > end_ns;
}

/* --- signals --------------------------------------------------------------- */

static void handle(int number)
{
    int saved_errno = errno;

    (void)number;
    if (handlers_allocate && level < KEPT_LEVELS - 1) {
        level++;
        void *block = k_malloc(KEPT_SIZE(90 + level));
        block = k_realloc(block, KEPT_SIZE(95 + level));
        k_free(block);
        level--;
    }
    errno = saved_errno;
}

/* The stack's memory must be there as long as the thread. */
static void take_alternate_stack(char *memory, size_t bytes)
{
    stack_t stack = { .ss_sp = memory, .ss_size = bytes };
    sigaltstack(&stack, NULL);
}

static void storm_of_signals(void)
{
    struct sigaction action = { .sa_handler = handle, .sa_flags = SA_ONSTACK | SA_RESTART };
    struct itimerval often = { { 0, 700 }, { 0, 700 } };

    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGPROF, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    setitimer(ITIMER_PROF, &often, NULL);
}

/* --- threads --------------------------------------------------------------- */

static void *work(void *seed)
{
    char stack[65536];
    void *own[OWN] = { NULL };
    uint64_t random = (uintptr_t)seed | 1;

    take_alternate_stack(stack, sizeof stack);
    while (!time_is_over())
        steps(own, &random, 64);
    free_all(own);
    sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL);
    return NULL;
}

/* A value of the key says how many rounds of destructors are left. */
static void at_end(void *rounds)
{
    uintptr_t left = (uintptr_t)rounds - 1;
    void *block = k_malloc(KEPT_SIZE(60 + left));

    if (left)
        pthread_setspecific(key, (void *)left);
    k_free(block);
}

struct short_life {
    void *own[OWN];
    uint64_t random;
};

static void clean_up(void *argument)
{
    struct short_life *life = argument;

    if (cancelled_anywhere) /* life->own may say that a block is there which is not any more */
        k_free(k_malloc(KEPT_SIZE(50)));
    else
        free_all(life->own);
    atomic_fetch_sub(&short_threads, 1);
}

static void *live_shortly(void *seed)
{
    struct short_life life = { .random = (uintptr_t)seed | 1 };
    uint64_t kind = any(&life.random, 4), end = kind == 0 ? OPEN_END : any(&life.random, 100);

    pthread_cleanup_push(clean_up, &life);
    if (any(&life.random, 2))
        pthread_setspecific(key, (void *)(any(&life.random, 5) + 1));
    if (cancelled_anywhere)
        pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (uint64_t i = 0; i < end && !time_is_over(); i++) {
        one_step(life.own, &life.random);
        pthread_testcancel();
    }
    if (cancelled_anywhere)
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_cleanup_pop(1);
    return NULL;
}

static void storm_of_threads(uint64_t *random)
{
    pthread_attr_t detached;
    pthread_t threads[6];
    uint64_t count = any(random, 6) + 1;
    bool made[6];

    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    for (uint64_t i = 0; i < count; i++) {
        pthread_t nobody;
        bool alone = any(random, 4) == 0;
        atomic_fetch_add(&short_threads, 1);
        int error = pthread_create(alone ? &nobody : &threads[i], alone ? &detached : NULL, live_shortly,
                                   (void *)(uintptr_t)(*random >> 8));
        made[i] = !error && !alone;
        if (error)
            atomic_fetch_sub(&short_threads, 1);
        any(random, 2);
    }
    for (int i = 0; i < WORKERS; i++)
        pthread_kill(workers[i], SIGUSR1);
    for (uint64_t i = 0; i < count; i++)
        if (made[i]) {
            pthread_cancel(threads[i]);
            pthread_join(threads[i], NULL);
        }
    pthread_attr_destroy(&detached);
}

/* The first cancelled thread has libc load libgcc_s. In the child of a fork that would wait for ever where the
 * library thread was at the loader's list just then: glibc (2.36) does not set that lock free in a child. */
static void *wait_for_cancel(void *unused)
{
    for (;;)
        pause();
    return unused;
}

static void have_cancellation_loaded(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, wait_for_cancel, NULL) == 0) {
        pthread_cancel(thread);
        pthread_join(thread, NULL);
    }
}

/* --- processes ------------------------------------------------------------- */

static char **leaf_arguments(void)
{
    static char *command[] = { NULL, NULL, NULL, NULL, NULL, NULL, NULL, "leaf", NULL };

    for (int i = 0; i < 7; i++)
        command[i] = arguments[i];
    return command;
}

static __attribute__((noreturn)) void become_leaf(void)
{
    execv("/proc/self/exe", leaf_arguments());
    _exit(95);
}

/* In a child, with what the thread that forked had. A child of _Fork can do no more than a signal handler: locks
 * of libc and the loader may be held. */
static __attribute__((noreturn)) void live_as_child(void **own, uint64_t *random, int generation, bool of_fork)
{
    void *mine[OWN] = { NULL };

    forget_truth();
    *random ^= (uint64_t)getpid() << 20;
    *random |= 1;
    free_all(own); /* inherited */
    steps(mine, random, any(random, 1500));
    switch (of_fork ? any(random, 6) : 0) {
    case 0:
        become_leaf();
    case 1:
        if (generation < 2 && fork() == 0)
            live_as_child(mine, random, generation + 1, true);
        break; /* ends before its child */
    case 2: { /* threads in a child */
        pthread_t thread;
        atomic_store(&short_threads, 1);
        if (pthread_create(&thread, NULL, live_shortly, (void *)(uintptr_t)(*random >> 8)) == 0) {
            pthread_cancel(thread);
            pthread_join(thread, NULL);
        }
        break;
    }
    case 3:
        abort();
    }
    _exit(0);
}

static void make_child(void **own, uint64_t *random)
{
    pid_t child = -1;

    switch (any(random, 5)) {
    case 0:
        child = vfork();
        if (child == 0)
            become_leaf();
        break;
    case 1:
        if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, leaf_arguments(), environ) != 0)
            child = -1;
        break;
    case 2:
        child = _Fork();
        if (child == 0) {
            forget_truth();
            if (fork_is_safe)
                live_as_child(own, random, 1, false);
            else if (any(random, 2))
                become_leaf();
            _exit(0);
        }
        break;
    default:
        child = fork();
        if (child == 0)
            live_as_child(own, random, 1, true);
    }
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* --- libraries ------------------------------------------------------------- */

static void use_library(int number)
{
    void *library = dlopen(arguments[5 + number], RTLD_NOW | RTLD_LOCAL);
    void *(*allocate)(size_t *) = library ? (void *(*)(size_t *))(uintptr_t)dlsym(library, "allocate") : NULL;
    size_t size;

    if (!allocate)
        return;
    void *block = TOLD_ALLOC(REC_FN_MALLOC, KEPT_PLUGIN_SIZE + (size_t)number, 0, allocate(&size));
    dlclose(library);
    k_free(block);
}

static void *use_libraries(void *unused)
{
    (void)unused;
    for (int i = 0; !time_is_over(); i++) {
        use_library(i % 2);
        usleep(200);
    }
    return NULL;
}

/* --- all of it ------------------------------------------------------------- */

static void end(uint64_t how)
{
    switch (how) {
    case 0: _exit(0);
    case 1: exit(0);
    case 2: quick_exit(0);
    case 3: abort();
    default: pthread_exit(NULL);
    }
}

int main(int argc, char **argv)
{
    static char stack[65536];
    void *own[OWN] = { NULL };
    pthread_t libraries;
    struct timespec now;

    if (argc < 7)
        return 99;
    arguments = argv;
    uint64_t random = strtoull(argv[2], NULL, 10) * 0x9e3779b97f4a7c15ull | 1;
    handlers_allocate = strchr(argv[4], 'h');
    cancelled_anywhere = strchr(argv[4], 'a');
    fork_is_safe = strchr(argv[4], 'f');
    clock_gettime(CLOCK_MONOTONIC, &now);
    end_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec + strtoull(argv[3], NULL, 10) * 1000000;
    open_truth(argv[1]);
    if (argc > 7) {
        random ^= (uint64_t)getpid() << 20;
        steps(own, &random, any(&random, 1000));
        return 0;
    }
    have_cancellation_loaded();
    pthread_key_create(&key, at_end);
    take_alternate_stack(stack, sizeof stack);
    for (int i = 0; i < WORKERS; i++)
        pthread_create(&workers[i], NULL, work, (void *)(uintptr_t)(any(&random, 1u << 30)));
    pthread_create(&libraries, NULL, use_libraries, NULL);
    storm_of_signals();
    while (!time_is_over()) {
        steps(own, &random, any(&random, 200));
        if (any(&random, 3) == 0 && atomic_load(&short_threads) < 30)
            storm_of_threads(&random);
        if (any(&random, 4) == 0)
            make_child(own, &random);
    }
    /* Others may still be at it: detached ones always. */
    if (any(&random, 2)) {
        for (int i = 0; i < WORKERS; i++)
            pthread_join(workers[i], NULL);
        pthread_join(libraries, NULL);
    }
    end(any(&random, 5));
}
