/* races DIRECTORY PLUGIN PLUGIN: what the library's threads share, driven from many threads at once, in a program that
 * is built with the thread sanitizer: code addresses and their rules, modules that come and go, contexts that
 * change hands, files whose descriptors are taken away. Only interpose/inside is here, without the hooks.
 *
 * Leaves a log in DIRECTORY, in which each thread's allocations have sizes that tell by which function they
 * were made. Prints how many there are; tests/shim/test_races.py looks for them. */
#include "format/chunk.h"
#include "format/encode.h"
#include "interpose/inside/arch.h"
#include "interpose/inside/clock.h"
#include "interpose/inside/context.h"
#include "interpose/inside/memory_map.h"
#include "interpose/inside/process.h"
#include "interpose/inside/start.h"
#include "interpose/inside/sys.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS 300
#define EVENTS 40 /* in a round */
#define NOINLINE __attribute__((noinline))

static atomic_int at_work;
static uint64_t libc_code;

struct context *start_thread(const void *caller)
{
    (void)caller;
    return NULL;
}

void start_unwinder_late(struct context *c, uint64_t pc)
{
    (void)c;
    (void)pc;
}

struct context *start_nested(void)
{
    return NULL;
}

/* As a hook does it. */
static NOINLINE void allocate(struct context *c, uint64_t address, uint64_t size)
{
    const struct walk_start start = { (uint64_t)__builtin_return_address(0), ARCH_CALLER_SP,
                                      *(const uint64_t *)__builtin_frame_address(0) };
    struct encode_stack stack = { 0 };

    if (!context_room(c, ENCODE_EVENT_MAX) || !stack_capture(c, &start, &stack))
        exit(3);
    context_publish(c, encode_alloc(&c->encoder, c->at, REC_ALLOC_MALLOC, address, size, clock_after_alloc(),
                                    REC_FN_MALLOC, 0, &stack));
}

#define FUNCTION(n)                                                                           \
    static NOINLINE void function##n(struct context *c, uint64_t address, unsigned depth)      \
    {                                                                                         \
        if (depth)                                                                            \
            function##n(c, address, depth - 1);                                               \
        else                                                                                  \
            allocate(c, address, n);                                                          \
        __asm__ volatile("");                                                                 \
    }
FUNCTION(1) FUNCTION(2) FUNCTION(3) FUNCTION(4)
static void (*const functions[])(struct context *, uint64_t, unsigned) = { function1, function2, function3, function4 };

static void *work(void *argument)
{
    uint64_t random = (uintptr_t)argument, address = random << 32;

    for (int round = 0; round < ROUNDS; round++) {
        struct context *c = context_acquire(sys_tid());
        if (!c)
            exit(4);
        for (int i = 0; i < EVENTS; i++) {
            random = random * 6364136223846793005ull + 1442695040888963407ull;
            functions[random >> 62](c, address += 16, (unsigned)(random >> 56 & 15));
            pc_find(c, libc_code + (random >> 40 & 4095), random >> 32 & 1);
            memory_is_code(&c->own_stack.text, libc_code, 1); /* asks the kernel, if the descriptor was not taken just now */
        }
        context_release(c);
    }
    atomic_fetch_sub(&at_work, 1);
    return NULL;
}

/* Modules that go while others look for theirs; and what is known of code is forgotten while it is used. */
static void *load_and_unload(void *path)
{
    while (atomic_load_explicit(&at_work, memory_order_relaxed)) {
        struct context *c = context_acquire(sys_tid());
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        uint64_t code = library ? (uint64_t)dlsym(library, "allocate") : 0;
        struct cfi_tables tables;
        uint32_t number;
        if (!c || !code || !module_find(c, code, &tables, &number))
            exit(6);
        for (unsigned i = 0; i < 50; i++)
            pc_find(c, code + i, true);
        dlclose(library);
        modules_freed(c, library);
        pc_table_forget(&process->pcs, libc_code, libc_code + 2048);
        atomic_fetch_add(&process->modules.generation, 1);
        context_release(c);
    }
    return NULL;
}

/* As a program that closes descriptors that it does not know, or uses their numbers. */
static void *steal(void *unused)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)unused;
    for (int i = 0; atomic_load_explicit(&at_work, memory_order_relaxed); i++) {
        int fd = session.maps.fd;
        if (fd > 2 && i % 2)
            close(fd);
        else if (fd > 2)
            dup2(null, fd);
        usleep(1000);
    }
    return NULL;
}

static void begin(const char *directory)
{
    static const uint8_t id[16] = "races";
    struct rec_live_header live = { .version = REC_VERSION, .pid = (uint32_t)getpid(), .slot_bytes = REC_LIVE_SLOT_BYTES };
    struct rec_file_header header;
    char path[4096];

    process = process_map_wiped(sizeof *process);
    process->pid = live.pid;
    process->image = live.image = clock_realtime_ns();
    atomic_store(&process->state, PROCESS_RECORDING);
    clock_choose(true);
    session.call_graph = CALL_GRAPH_AUTO;
    session.walks = true;
    session.max_depth = 100;
    if (readlink("/proc/self/exe", session.exe, sizeof session.exe - 1) < 0)
        exit(2);
    snprintf(path, sizeof path, "%s/log", directory);
    file_header_make(&header, id);
    if (kept_file_open(&session.log, path, O_RDWR | O_CREAT | O_EXCL | O_APPEND, 0600) != 0 ||
        write(session.log.fd, &header, sizeof header) != sizeof header)
        exit(2);
    snprintf(path, sizeof path, "%s/log.live.%u", directory, live.pid);
    memcpy(live.magic, REC_LIVE_MAGIC, 8);
    memcpy(live.session, id, 16);
    if (kept_file_open(&session.live_file, path, O_RDWR | O_CREAT | O_EXCL, 0600) != 0 ||
        pwrite(session.live_file.fd, &live, sizeof live, 0) != sizeof live ||
        kept_file_open(&session.maps, "/proc/self/maps", O_RDONLY, 0) != 0 ||
        !(session.live = sys_map(-1, 0, REC_LIVE_HEADER_BYTES)))
        exit(2);
    struct context *c = context_acquire(sys_tid());
    if (!c)
        exit(2);
    modules_begin(c, false);
    context_release(c);
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS], loaders[2], thief;

    if (argc < 4)
        return 99;
    libc_code = (uint64_t)dlsym(RTLD_NEXT, "qsort");
    begin(argv[1]);
    atomic_store(&at_work, THREADS);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)(i + 1));
    for (int i = 0; i < 2; i++)
        pthread_create(&loaders[i], NULL, load_and_unload, argv[2 + i]);
    pthread_create(&thief, NULL, steal, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(loaders[i], NULL);
    pthread_join(thief, NULL);
    printf("%d\n", THREADS * ROUNDS * EVENTS);
    return atomic_load(&process->state) == PROCESS_RECORDING ? 0 : 7;
}
