/* LD_PRELOADed: counts what a program and its children allocate and free, with
 * nothing in common with the shim. The counts are in the file COUNT_OUT, mapped
 * by all processes: two 64-bit numbers, allocations and frees. A realloc of a
 * block is one of each; a realloc to 0 that gave nothing back is a free.
 * COUNT_EXCEPT=SIZE: a calloc of so many bytes does not count. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The allocator itself, which needs no looking up. */
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t), *__libc_valloc(size_t), *__libc_pvalloc(size_t);
extern void __libc_free(void *);
extern char **environ;

static struct counts {
    _Atomic uint64_t allocations, frees;
} unmapped, *_Atomic counts;
static size_t except;

/* Also before libc knows its environ: then counted apart, and added later. */
static struct counts *find_counts(void)
{
    struct counts *found = counts;
    int saved_errno = errno;

    if (found || !environ)
        return found ? found : &unmapped;
    const char *path = getenv("COUNT_OUT");
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    void *at = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, sizeof *found) == 0)
        at = mmap(NULL, sizeof *found, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (getenv("COUNT_EXCEPT"))
        except = strtoul(getenv("COUNT_EXCEPT"), NULL, 10);
    found = at == MAP_FAILED ? &unmapped : at;
    counts = found;
    if (found != &unmapped) {
        found->allocations += unmapped.allocations;
        found->frees += unmapped.frees;
    }
    errno = saved_errno;
    return found;
}

static void *count(void *block)
{
    if (block)
        find_counts()->allocations++;
    return block;
}

static void count_free(void)
{
    int saved_errno = errno;
    find_counts()->frees++;
    errno = saved_errno;
}

EXPORT void *malloc(size_t size)
{
    return count(__libc_malloc(size));
}

EXPORT void *calloc(size_t n, size_t size)
{
    void *block = __libc_calloc(n, size);
    return except && n * size == except ? block : count(block);
}

EXPORT void *realloc(void *old, size_t size)
{
    void *block = __libc_realloc(old, size);

    if (old && (block || size == 0))
        count_free();
    return count(block);
}

EXPORT void *reallocarray(void *old, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, bytes);
}

EXPORT void *memalign(size_t alignment, size_t size)
{
    return count(__libc_memalign(alignment, size));
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    return count(__libc_memalign(alignment, size));
}

EXPORT int posix_memalign(void **ret, size_t alignment, size_t size)
{
    int saved_errno = errno;

    if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)))
        return EINVAL;
    void *block = count(__libc_memalign(alignment, size));
    errno = saved_errno;
    if (block)
        *ret = block;
    return block ? 0 : ENOMEM;
}

EXPORT void *valloc(size_t size)
{
    return count(__libc_valloc(size));
}

EXPORT void *pvalloc(size_t size)
{
    return count(__libc_pvalloc(size));
}

EXPORT void free(void *block)
{
    if (block)
        count_free();
    __libc_free(block);
}
