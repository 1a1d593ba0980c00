/* handlers MODE OPERATIONS: signal handlers that use the heap at any instruction of
 * a heap function, with an allocator that allows it (safe_malloc.so, preloaded).
 *
 *   step   a handler after every single instruction of each call
 *   storm  timers, three threads, handlers on alternate stacks
 *   jump   handlers that leave by siglongjmp, often in the middle of a call
 *   fork   after every so many instructions a child, which goes on with the call
 *   child  forked children, each interrupted once, at its first call's n-th instruction
 *   deepbind  a handler after every instruction of a dlopen with RTLD_DEEPBIND
 *   exit   threads that end inside a handler, in the middle of a call
 *
 * What a call that was left for good has come to is not known: such calls are told
 * beforehand as well, as "maybe-EVENT ADDRESS SIZE", with what is known of them. A
 * block's size is its own: no two calls have the same. */
#define TRUTH_BUFFERED
#include "truth.h"

#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

/* Handlers' blocks are of other sizes than those of the calls that they interrupt: a
 * handler after every instruction would else make these wait for their lists for ever. */
#define LARGE (1 << 20)

static size_t sizes = 100, sizes_of_handlers = LARGE; /* given out so far */

static size_t next_of(size_t *counter)
{
    return __atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static size_t next_size(void)
{
    return next_of(&sizes);
}

static void tell(const char *event, const void *address, size_t size)
{
    /* The buffer is the thread's: a handler must not come in between. */
    sigset_t all, old;
    sigfillset(&all);
    sigdelset(&all, SIGTRAP);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    truth(event, address, size, 0);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* A few calls with blocks of their own, leaving one allocated now and then. */
static void use_heap_in_handler(void)
{
    int saved_errno = errno;
    size_t size = next_of(&sizes_of_handlers), more = next_of(&sizes_of_handlers);
    void *block = malloc(size);

    tell("malloc", block, size);
    tell("realloc-begin", block, NO_SIZE);
    block = realloc(block, more);
    tell("realloc-end", block, more);
    if (size % 8) {
        tell("free", block, NO_SIZE);
        free(block);
    }
    errno = saved_errno;
}

/* --- one instruction at a time ------------------------------------------------ */

#if defined(__x86_64__)
static inline void step_on(void)
{
    __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
}

static inline void step_off(void)
{
    __asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "memory", "cc");
}
#define CAN_STEP 1
#else
static inline void step_on(void) { }
static inline void step_off(void) { }
#define CAN_STEP 0
#endif

static volatile unsigned long steps, every = 1;
static volatile bool forks;
static volatile bool in_child;

static void stepped(int number)
{
    (void)number;
    if (in_child || steps++ % every)
        return;
    if (forks) {
        int saved_errno = errno;
        truth_flush();
        pid_t child = steps / every % 2 ? fork() : (pid_t)_Fork();
        if (child == 0) {
            in_child = true; /* it goes on with the call, and ends after it */
            use_heap_in_handler();
        } else {
            int status;
            while (waitpid(child, &status, 0) < 0 && errno == EINTR)
                ;
            if (status)
                say("a child's status is %#x\n", (unsigned)status);
        }
        errno = saved_errno;
        return;
    }
    use_heap_in_handler();
}

/* The call's own end is told after the steps; a child's part of it as well. */
#define STEPPED(call)  \
    do {               \
        step_on();     \
        call;          \
        step_off();    \
    } while (0)

static void end_child(void)
{
    if (in_child) {
        use_heap_in_handler();
        truth_flush();
        _exit(0);
    }
}

/* In a child, what was begun before the fork is the parent's event or the child's, by the moment: maybe. */
static void tell_call(const char *event, const void *address, size_t size)
{
    char maybe[64];

    tell(in_child ? strcat(strcpy(maybe, "maybe-"), event) : event, address, size);
}

static void deepbind(unsigned long operations)
{
    struct sigaction action = { .sa_handler = stepped };

    sigaction(SIGTRAP, &action, NULL);
    free(malloc(1)); /* the thread has begun */
    dlopen("/there/is/none", RTLD_NOW | RTLD_DEEPBIND); /* what is done once is done */
    for (unsigned long i = 0; i < operations; i++)
        STEPPED(dlopen("/there/is/none", RTLD_NOW | RTLD_DEEPBIND));
}

static void step(unsigned long operations)
{
    struct sigaction action = { .sa_handler = stepped };

    sigaction(SIGTRAP, &action, NULL);
    free(malloc(1)); /* the thread has begun */
    for (unsigned long i = 0; i < operations; i++) {
        size_t size = next_size(), more = next_size();
        void *block = NULL;
        if (i % 2) {
            STEPPED(block = malloc(size));
            tell_call("malloc", block, size);
        } else {
            STEPPED(block = calloc(1, size));
            tell_call("calloc", block, size);
        }
        end_child();
        tell_call("realloc-begin", block, NO_SIZE);
        void *old = block;
        STEPPED(block = realloc(old, more));
        if (in_child) { /* it does not know that what the allocator calls itself is part of a realloc */
            tell_call("realloc-begin", old, NO_SIZE);
            tell_call("free", old, NO_SIZE);
            tell_call("malloc", block, more);
        }
        tell_call("realloc-end", block, more);
        end_child();
        tell_call("free", block, NO_SIZE);
        STEPPED(free(block));
        if (in_child)
            tell_call("free", block, NO_SIZE);
        end_child();
    }
}

/* --- a child's first call ------------------------------------------------------ */

static void use_heap_once(int number)
{
    (void)number;
    use_heap_in_handler();
}

/* Where signals are blocked, the other one comes afterwards; SIGTRAP itself could not. */
static void stepped_once(int number)
{
    (void)number;
    if (steps++ == every)
        raise(SIGALRM);
}

static void interrupt_children(unsigned long operations)
{
    struct sigaction action = { .sa_handler = stepped_once }, other = { .sa_handler = use_heap_once };

    sigaction(SIGTRAP, &action, NULL);
    sigaction(SIGALRM, &other, NULL);
    free(malloc(1));
    for (every = 0; every < operations; every++) {
        pid_t child = fork();
        if (child == 0) {
            void *block = NULL;
            size_t size = next_size();
            steps = 0;
            STEPPED(block = malloc(size));
            tell("malloc", block, size);
            tell("free", block, NO_SIZE);
            free(block);
            truth_flush();
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        if (status)
            say("a child's status is %#x\n", (unsigned)status);
    }
}

/* --- timers -------------------------------------------------------------------- */

static volatile unsigned long came;

static void make_timer(timer_t *ret)
{
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };

    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    timer_create(CLOCK_MONOTONIC, &event, ret);
}

static __thread timer_t storm_timer;

/* Anew at the end of each handler: where handlers take longer than that, on a slow or busy machine, nothing
 * else would run. */
static void set_storm_timer(void)
{
    struct itimerspec soon = { .it_value = { 0, 23000 } };
    timer_settime(storm_timer, 0, &soon, NULL);
}

static void on_timer(int number)
{
    (void)number;
    came++;
    use_heap_in_handler();
    set_storm_timer();
}

static void *in_storm(void *operations)
{
    char other_stack[65536];
    stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof other_stack };

    sigaltstack(&stack, NULL);
    make_timer(&storm_timer);
    set_storm_timer();
    for (unsigned long i = 0; i < *(unsigned long *)operations; i++) {
        size_t size = next_size(), more = next_size();
        void *block = malloc(size);
        tell("malloc", block, size);
        if (i % 3 == 0) {
            tell("realloc-begin", block, NO_SIZE);
            block = realloc(block, more);
            tell("realloc-end", block, more);
        }
        tell("free", block, NO_SIZE);
        free(block);
    }
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, NULL);
    timer_delete(storm_timer);
    truth_flush();
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, NULL);
    return NULL;
}

static void storm(unsigned long operations)
{
    struct sigaction action = { .sa_handler = on_timer, .sa_flags = SA_ONSTACK };
    pthread_t threads[2];

    sigaction(SIGALRM, &action, NULL);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, in_storm, &operations);
    in_storm(&operations);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    say("%s\n", came > 10 ? "signals came" : "no signals");
}

/* --- handlers that do not come back ------------------------------------------- */

static sigjmp_buf again;
static volatile bool may_jump;
static volatile unsigned long jumps;

static void jump(int number)
{
    (void)number;
    if (came++ % 3)
        use_heap_in_handler(); /* and without, at times */
    if (may_jump) {
        may_jump = false;
        jumps++;
        siglongjmp(again, 1);
    }
}

static NOINLINE void deeper(int depth, void (*function)(unsigned long), unsigned long i)
{
    volatile char room[256];

    room[0] = 0;
    if (depth)
        deeper(depth - 1, function, i);
    else
        function(i);
    room[1] = room[0];
}

static void left_perhaps(unsigned long i)
{
    static void *volatile block;
    size_t size = next_size(), more = next_size();

    (void)i;
    tell("maybe-malloc", NULL, size);
    may_jump = true;
    block = malloc(size);
    may_jump = false;
    tell("malloc", block, size);
    tell("maybe-realloc-begin", block, NO_SIZE);
    tell("maybe-realloc-end", NULL, more);
    may_jump = true;
    void *moved = realloc(block, more);
    may_jump = false;
    tell("realloc-begin", block, NO_SIZE);
    tell("realloc-end", moved, more);
    tell("maybe-free", moved, NO_SIZE);
    may_jump = true;
    free(moved);
    may_jump = false;
    tell("free", moved, NO_SIZE);
}

static void never_left(unsigned long i)
{
    size_t size = next_size();
    void *block = malloc(size);

    (void)i;
    tell("malloc", block, size);
    tell("free", block, NO_SIZE);
    free(block);
}

static void jump_around(unsigned long operations)
{
    struct sigaction action = { .sa_handler = jump };
    volatile unsigned long i = 0;
    struct itimerspec often = { { 0, 47000 }, { 0, 47000 } };
    timer_t timer;

    free(malloc(1));
    sigaction(SIGALRM, &action, NULL);
    make_timer(&timer);
    timer_settime(timer, 0, &often, NULL);
    while (i < operations) {
        sigsetjmp(again, 1);
        if (++i < operations)
            deeper((int)(i % 7), i % 2 ? left_perhaps : never_left, i);
    }
    timer_delete(timer);
    say("%s\n", jumps > 10 ? "handlers left" : "no handler left");
}

/* --- threads that end in a handler -------------------------------------------- */

static void leave_thread(int number)
{
    (void)number;
    use_heap_in_handler();
    truth_flush();
    if (may_jump)
        pthread_exit(NULL);
}

static _Noreturn void *ends_in_handler(void *unused)
{
    (void)unused;
    for (;;) {
        size_t size = next_size();
        tell("maybe-malloc", NULL, size);
        void *block = malloc(size);
        tell("malloc", block, size);
        tell("maybe-free", block, NO_SIZE);
        free(block);
        tell("free", block, NO_SIZE);
    }
}

static void end_threads(unsigned long operations)
{
    struct sigaction action = { .sa_handler = leave_thread };

    sigaction(SIGALRM, &action, NULL);
    may_jump = true;
    for (unsigned long i = 0; i < operations; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, ends_in_handler, NULL);
        usleep(200 + i % 1000);
        pthread_kill(thread, SIGALRM);
        pthread_join(thread, NULL);
    }
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    unsigned long operations = argc > 2 ? strtoul(argv[2], NULL, 10) : 100;

    static const char *const stepping[] = { "step", "fork", "child", "deepbind" };
    for (size_t i = 0; !CAN_STEP && i < sizeof stepping / sizeof *stepping; i++)
        if (strcmp(mode, stepping[i]) == 0)
            return 77;
    if (strcmp(mode, "step") == 0) {
        step(operations);
    } else if (strcmp(mode, "deepbind") == 0) {
        deepbind(operations);
    } else if (strcmp(mode, "fork") == 0) {
        forks = true;
        every = 37;
        step(operations);
    } else if (strcmp(mode, "child") == 0) {
        interrupt_children(operations);
    } else if (strcmp(mode, "storm") == 0) {
        storm(operations);
    } else if (strcmp(mode, "jump") == 0) {
        jump_around(operations);
    } else if (strcmp(mode, "exit") == 0) {
        end_threads(operations);
    } else {
        return 99;
    }
    truth_flush();
    return 0;
}
