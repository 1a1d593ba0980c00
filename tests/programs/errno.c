/* What errno is after every call: printed, to be compared with an untraced run.
 * At the program's first call, in a new thread, in a forked child, and over so
 * many calls that buffers are written out in between. */
#include "truth.h"

#include <pthread.h>
#include <sys/wait.h>

#define BEFORE 77
static volatile size_t huge = SIZE_MAX / 2 + 1;

static void tell(const char *where, const char *call)
{
    say("%s: errno %d after %s\n", where, errno, call);
    errno = BEFORE;
}

static void all_calls(const char *where)
{
    void *p, *q;

    errno = BEFORE;
    p = malloc(10), tell(where, "malloc");
    q = calloc(2, 5), tell(where, "calloc");
    p = realloc(p, 5000), tell(where, "realloc");
    q = reallocarray(q, 100, 100), tell(where, "reallocarray");
    free(p), tell(where, "free");
    free(q), tell(where, "free");
    free(NULL), tell(where, "free of nothing");
    p = malloc(64 << 20), tell(where, "malloc by mmap");
    free(p), tell(where, "free by munmap");
    p = malloc(0), tell(where, "malloc of 0");
    p = realloc(p, 0), tell(where, "realloc to 0");
    if (posix_memalign(&p, 64, 10) == 0)
        tell(where, "posix_memalign");
    free(p), tell(where, "free");
    p = aligned_alloc(64, 10), tell(where, "aligned_alloc");
    free(p), tell(where, "free");
    p = memalign(64, 10), tell(where, "memalign");
    free(p), tell(where, "free");
    p = valloc(10), tell(where, "valloc");
    free(p), tell(where, "free");
    p = pvalloc(10), tell(where, "pvalloc");
    free(p), tell(where, "free");

    p = malloc(8);
    q = malloc(huge), tell(where, "failing malloc");
    q = calloc(huge, 2), tell(where, "overflowing calloc");
    q = realloc(p, huge), tell(where, "failing realloc");
    q = realloc(NULL, huge), tell(where, "failing realloc of nothing");
    q = reallocarray(p, huge, 2), tell(where, "overflowing reallocarray");
    q = aligned_alloc(64, huge), tell(where, "failing aligned_alloc");
    q = memalign(64, huge), tell(where, "failing memalign");
    q = valloc(huge), tell(where, "failing valloc");
    q = pvalloc(SIZE_MAX), tell(where, "failing pvalloc");
    int error = posix_memalign(&q, 3, 8);
    say("%s: posix_memalign to 3: %d\n", where, error), tell(where, "bad posix_memalign");
    error = posix_memalign(&q, 64, huge);
    say("%s: posix_memalign of too much: %d\n", where, error), tell(where, "failing posix_memalign");
    free(p), tell(where, "free");
}

static void *in_thread(void *unused)
{
    void *p;

    (void)unused;
    errno = BEFORE;
    p = malloc(1), tell("thread", "its first malloc");
    free(p);
    all_calls("thread");
    return NULL;
}

/* Buffers are written many times in here. */
static void many_calls(void)
{
    unsigned changed = 0;

    errno = BEFORE;
    for (unsigned i = 0; i < 20000; i++) {
        void *p = malloc(i % 100);
        p = realloc(p, i % 333 + 1);
        free(p);
        changed += errno != BEFORE;
        errno = BEFORE;
    }
    say("errno changed by %u of 60000 calls\n", changed);
}

int main(void)
{
    void *p;
    pthread_t thread;

    say("errno at the start: %d\n", errno);
    errno = BEFORE;
    p = malloc(1), tell("main", "the first malloc");
    free(p), tell("main", "the first free");
    all_calls("main");
    pthread_create(&thread, NULL, in_thread, NULL);
    pthread_join(thread, NULL);
    many_calls();
    pid_t child = fork();
    if (child == 0) {
        errno = BEFORE;
        p = malloc(1), tell("child", "its first malloc");
        free(p);
        all_calls("child");
        _exit(0);
    }
    waitpid(child, NULL, 0);
    return 0;
}
