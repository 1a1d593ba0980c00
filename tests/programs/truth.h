/* What a test program does with the heap, told by itself: a line for each event
 * on descriptor 3, as `malloscope dump` prints it, but without the time:
 *
 *   PID TID EVENT ADDRESS SIZE [ALIGNMENT]
 *
 * The t_ functions are the heap's, and tell. Nothing in here allocates; errno is
 * left alone. Lines of one thread are in the order of its calls; where descriptor
 * 3 is closed nothing is written. With TRUTH_BUFFERED defined, a thread's lines
 * wait in its own memory until truth_flush(), which comes before fork and before
 * a thread's end; else each is written at once, so that a kill loses none. */
#ifndef MALLOSCOPE_TESTS_TRUTH_H
#define MALLOSCOPE_TESTS_TRUTH_H

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))
#define NOINLINE __attribute__((noinline))

static int truth_fd = 3; /* for programs that close it: it may be moved */
/* For programs that forbid themselves to ask; 0: the kernel is asked each time. */
static UNUSED pid_t truth_pid;
static UNUSED __thread pid_t truth_tid;

/* Not write(): glibc cancels a thread in it even where that is disabled (sigcancel_handler looks at the
 * type of cancellation alone, which write() sets for a moment). */
static UNUSED void write_all(int fd, const char *text, size_t bytes)
{
    while (bytes) {
        ssize_t written = syscall(SYS_write, fd, text, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        text += written;
        bytes -= (size_t)written;
    }
}

/* The tracer's own descriptors are up from here. */
static UNUSED int own_descriptors(void)
{
    struct rlimit limit = { 0, 0 };
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t first = limit.rlim_cur - limit.rlim_cur / 16;
    return first < 900 ? (int)first : 900;
}

/* printf to standard output; for lines up to 1000 bytes without floating point,
 * for which vsnprintf does not allocate. */
static UNUSED __attribute__((format(printf, 1, 2))) void say(const char *format, ...)
{
    char line[1024];
    va_list values;
    int saved_errno = errno;

    va_start(values, format);
    int bytes = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    write_all(1, line, (size_t)bytes < sizeof line ? (size_t)bytes : sizeof line - 1);
    errno = saved_errno;
}

#ifdef TRUTH_BUFFERED
static __thread struct {
    size_t used;
    char text[32768];
} truth_buffer;

static UNUSED void truth_flush(void)
{
    int saved_errno = errno;
    write_all(truth_fd, truth_buffer.text, truth_buffer.used);
    truth_buffer.used = 0;
    errno = saved_errno;
}
#endif

static char *truth_digits(char *at, uintptr_t value, unsigned base)
{
    char digits[24], *from = digits + sizeof digits;

    do
        *--from = "0123456789abcdef"[value % base];
    while (value /= base);
    size_t bytes = (size_t)(digits + sizeof digits - from);
    memcpy(at, from, bytes);
    return at + bytes;
}

#define NO_SIZE ((size_t)0x123456789abcdef) /* shown as -; no program here asks for it */

static UNUSED void truth(const char *event, const void *address, size_t size, size_t alignment)
{
    char line[160], *at = line;
    int saved_errno = errno;

    at = truth_digits(at, (uintptr_t)(truth_pid ? truth_pid : syscall(SYS_getpid)), 10);
    *at++ = ' ';
    at = truth_digits(at, (uintptr_t)(truth_tid ? truth_tid : syscall(SYS_gettid)), 10);
    *at++ = ' ';
    at = stpcpy(at, event);
    *at++ = ' ';
    if (address)
        at = truth_digits(stpcpy(at, "0x"), (uintptr_t)address, 16);
    else
        *at++ = '-';
    *at++ = ' ';
    if (size == NO_SIZE)
        *at++ = '-';
    else
        at = truth_digits(at, size, 10);
    if (alignment) {
        *at++ = ' ';
        at = truth_digits(at, alignment, 10);
    }
    *at++ = '\n';
#ifdef TRUTH_BUFFERED
    if (truth_buffer.used + (size_t)(at - line) > sizeof truth_buffer.text)
        truth_flush();
    memcpy(truth_buffer.text + truth_buffer.used, line, (size_t)(at - line));
    truth_buffer.used += (size_t)(at - line);
#else
    write_all(truth_fd, line, (size_t)(at - line));
#endif
    errno = saved_errno;
}

static UNUSED void *truth_alloc(const char *function, void *block, size_t size, size_t alignment)
{
    char failed[64];

    if (block)
        truth(function, block, size, alignment);
    else
        truth(strcat(strcpy(failed, function), "-failed"), NULL, size, alignment);
    return block;
}

static UNUSED NOINLINE void *t_malloc(size_t size)
{
    return truth_alloc("malloc", malloc(size), size, 0);
}

static UNUSED size_t product(size_t count, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes;
}

static UNUSED NOINLINE void *t_calloc(size_t count, size_t size)
{
    return truth_alloc("calloc", calloc(count, size), product(count, size), 0);
}

static UNUSED void *truth_realloc(void *old, const char *function, const char *end, void *block, size_t size)
{
    if (!old)
        return truth_alloc(function, block, size, 0);
    if (block)
        truth(end, block, size, 0);
    else if (size == 0)
        truth("realloc-freed", NULL, NO_SIZE, 0);
    else
        truth_alloc(function, NULL, size, 0);
    return block;
}

static UNUSED NOINLINE void *t_realloc(void *old, size_t size)
{
    if (old)
        truth("realloc-begin", old, NO_SIZE, 0);
    return truth_realloc(old, "realloc", "realloc-end", realloc(old, size), size);
}

static UNUSED NOINLINE void *t_reallocarray(void *old, size_t count, size_t size)
{
    if (old)
        truth("realloc-begin", old, NO_SIZE, 0);
    return truth_realloc(old, "reallocarray", "reallocarray-end", reallocarray(old, count, size), product(count, size));
}

static UNUSED NOINLINE int t_posix_memalign(void **ret, size_t alignment, size_t size)
{
    int error = posix_memalign(ret, alignment, size);
    truth_alloc("posix_memalign", error ? NULL : *ret, size, alignment);
    return error;
}

static UNUSED NOINLINE void *t_aligned_alloc(size_t alignment, size_t size)
{
    return truth_alloc("aligned_alloc", aligned_alloc(alignment, size), size, alignment);
}

static UNUSED NOINLINE void *t_memalign(size_t alignment, size_t size)
{
    return truth_alloc("memalign", memalign(alignment, size), size, alignment);
}

static UNUSED NOINLINE void *t_valloc(size_t size)
{
    return truth_alloc("valloc", valloc(size), size, 0);
}

static UNUSED NOINLINE void *t_pvalloc(size_t size)
{
    return truth_alloc("pvalloc", pvalloc(size), size, 0);
}

static UNUSED NOINLINE void t_free(void *block)
{
    if (block)
        truth("free", block, NO_SIZE, 0);
    free(block);
}

#endif
