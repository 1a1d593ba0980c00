/* stack_use LIBRARY: how much stack calls of the heap take, from their caller's stack
 * pointer down, at most: "WHAT BYTES" for each kind of call. The stack is painted before
 * a call, and looked at afterwards. Untraced it is what the C library takes itself. */
#include "truth.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define STACK_BYTES 131072
#define PAINTED_BYTES 32768
#define PAINT 0x5ac0de5ac0de5ac0ull

/* Functions that are all alike, each of which calls f(argument): code that no tracer has
 * met before. */
#define SITES 2048
#define SITE_BYTES 32
void sites(void (*f)(size_t), size_t argument);
#if defined(__x86_64__)
#define SITE_CODE "push %rbp\n.cfi_def_cfa_offset 16\n.cfi_offset 6, -16\nmov %rdi, %rax\nmov %rsi, %rdi\n" \
                  ".cfi_remember_state\ncall *%rax\n.cfi_restore_state\npop %rbp\n.cfi_def_cfa_offset 8\nret\n"
#define GET_SP "mov %%rsp, %0"
#define CAN_STEP 1
#elif defined(__aarch64__)
#define SITE_CODE "stp x29, x30, [sp, -16]!\n.cfi_def_cfa_offset 16\n.cfi_offset 29, -16\n.cfi_offset 30, -8\n" \
                  "mov x2, x0\nmov x0, x1\n.cfi_remember_state\nblr x2\n.cfi_restore_state\nldp x29, x30, [sp], 16\n" \
                  ".cfi_def_cfa_offset 0\nret\n"
#define GET_SP "mov %0, sp"
#define CAN_STEP 0
#endif
__asm__(".text\n.balign 32\nsites:\n.rept 2048\n.balign 32\n.cfi_startproc\n" SITE_CODE ".cfi_endproc\n.endr\n");

static int next_site;

static void by_new_code(void (*f)(size_t), size_t argument)
{
    void (*site)(void (*)(size_t), size_t);
    uintptr_t at = (uintptr_t)sites + (size_t)(next_site++ % SITES) * SITE_BYTES;

    memcpy(&site, &at, sizeof site);
    site(f, argument);
}

/* Of one call of f, by code that is new or by this. */
static NOINLINE size_t use_of(void (*f)(size_t), size_t argument, bool by_new)
{
    volatile uint64_t *sp, *at;

    __asm__ volatile(GET_SP : "=r"(sp));
    for (at = sp - PAINTED_BYTES / sizeof *at; at < sp; at++)
        *at = PAINT;
    if (by_new)
        by_new_code(f, argument);
    else
        f(argument);
    for (at = sp - PAINTED_BYTES / sizeof *at; at < sp && *at == PAINT; at++)
        ;
    return (size_t)((volatile char *)sp - (volatile char *)at);
}

static size_t max_of(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void *volatile block;

static void call_malloc(size_t bytes) { block = malloc(bytes); }
static void call_calloc(size_t bytes) { block = calloc(1, bytes); }
static void call_realloc(size_t bytes) { block = realloc(block, bytes); }
static void call_free(size_t unused) { (void)unused; free(block), block = NULL; }
static void call_memalign(size_t bytes) { void *got = NULL; block = posix_memalign(&got, 64, bytes) ? NULL : got; }

static void call_often(size_t times)
{
    while (times--)
        free(malloc(times % 1000));
}

static void (*const calls[])(size_t) = { call_malloc, call_realloc, call_free, call_calloc, call_free, call_memalign, call_free };
#define CALLS (sizeof calls / sizeof *calls)

static void *(*library_allocates)(size_t *);

static void call_library(size_t unused)
{
    size_t size;

    (void)unused;
    free(library_allocates(&size));
}

/* --- handlers that interrupt a call, at each of its instructions ---------------- */

static size_t handler_use;

static void stepped(int number)
{
    size_t use = 0;
    void *kept = block;

    (void)number;
    /* Of another size than what is interrupted, which would else wait for its list for ever. */
    use = max_of(use, use_of(call_malloc, 1 << 20, true));
    use = max_of(use, use_of(call_free, 0, true));
    block = kept;
    handler_use = max_of(handler_use, use);
}

static inline void step(bool on)
{
#if CAN_STEP
    if (on)
        __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
    else
        __asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "memory", "cc");
#else
    (void)on;
#endif
}

/* The allocator must allow it: safe_malloc.so, preloaded. */
static void interrupt_calls(void)
{
    static char other_stack[65536];
    stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof other_stack };
    struct sigaction action = { .sa_handler = stepped, .sa_flags = SA_ONSTACK };

    sigaltstack(&stack, NULL);
    sigaction(SIGTRAP, &action, NULL);
    for (size_t i = 0; i < CALLS; i++) {
        step(true);
        by_new_code(calls[i], 100);
        step(false);
    }
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, NULL);
}

/* --- each on a stack of its own ------------------------------------------------- */

static void on_thread(void (*function)(void))
{
    pthread_attr_t attributes;
    pthread_t thread;
    void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *(*start)(void *);

    memcpy(&start, &function, sizeof start);
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, STACK_BYTES);
    if (pthread_create(&thread, &attributes, start, NULL) == 0)
        pthread_join(thread, NULL);
    munmap(stack, STACK_BYTES);
}

static void first_call(void)
{
    say("first %zu\n", use_of(call_malloc, 100, true));
}

static void first_free(void)
{
    say("first-free %zu\n", use_of(call_free, 0, true));
}

static void new_code(void)
{
    size_t use = 0;

    call_malloc(1), call_free(0);
    for (int i = 0; i < 20; i++)
        for (size_t j = 0; j < CALLS; j++)
            use = max_of(use, use_of(calls[j], 100 + 100 * j, true));
    say("new-code %zu\n", use);
    say("new-library %zu\n", use_of(call_library, 0, false));
    say("failure %zu\n", use_of(call_malloc, (size_t)-1 / 4, true));
}

static void known_code(void)
{
    size_t use = 0;
    volatile size_t times = 2;

    for (int i = 0; i < 22; i++, times = i < 21 ? 2 : 200000) { /* the last time more than a chunk takes */
        size_t now = use_of(call_often, times, false);
        if (i == 21)
            say("known-code %zu\nfull-chunk %zu\n", use, now);
        use = i ? max_of(use, now) : 0;
    }
}

static void in_child(void)
{
    int status;

    call_malloc(1), call_free(0);
    pid_t child = fork();
    if (child == 0) {
        say("child %zu\n", use_of(call_malloc, 100, true));
        _exit(0);
    }
    waitpid(child, &status, 0);
}

static void execute(size_t bytes)
{
    char *argument = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *arguments[] = { "true", argument, NULL };

    memset(argument, 'x', bytes - 1);
    execv("/bin/true", arguments); /* which is too long, and fails */
    munmap(argument, bytes);
}

static void before_exec(void)
{
    call_malloc(1), call_free(0);
    say("exec %zu\n", use_of(execute, 1 << 20, false));
}

static void handlers(void)
{
    call_malloc(1), call_free(0);
    interrupt_calls();
    say("handler %zu\n", handler_use);
}

/* Last: what is kept open in here is closed behind the C library's back. */
static void descriptors_gone(void)
{
    size_t use = 0;
    volatile size_t times = 2;

    for (int i = 0; i < 4; i++, times = 40000) {
        size_t now = use_of(call_often, times, false);
        use = i ? max_of(use, now) : 0;
        syscall(SYS_close_range, 500, ~0u, 0);
    }
    say("reopened %zu\n", use);
}

int main(int argc, char **argv)
{
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL, *found = library ? dlsym(library, "allocate") : NULL;

    if (!found)
        return 99;
    memcpy(&library_allocates, &found, sizeof found);
    on_thread(first_call);
    on_thread(first_free);
    on_thread(new_code);
    on_thread(known_code);
    on_thread(in_child);
    on_thread(before_exec);
    if (CAN_STEP)
        on_thread(handlers);
    on_thread(descriptors_gone);
    return 0;
}
