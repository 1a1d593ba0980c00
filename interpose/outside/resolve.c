/* dlsym, once. The hard problem is that dlsym may itself call calloc, hence us,
 * before it has an answer: those calls, known by the flag, are served from the
 * early heap. Another thread that comes meanwhile is, too. */
#include "interpose/outside/resolve.h"

#include "interpose/inside/early_heap.h"
#include "interpose/stand_in.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

static atomic_flag resolving = ATOMIC_FLAG_INIT;

static void free_sized_by_free(void *p, size_t size)
{
    (void)size;
    real.free(p);
}

static void free_aligned_sized_by_free(void *p, size_t alignment, size_t size)
{
    (void)alignment;
    (void)size;
    real.free(p);
}

static void *reallocarray_by_realloc(void *p, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return real.realloc(p, bytes);
}

/* True: real has the real functions. */
static bool resolve(void)
{
    if (atomic_flag_test_and_set(&resolving))
        return false;
    int saved_errno = errno;
    struct real found = real;
    /* Those that may be missing come first: each dlsym that succeeds forgets the
     * error of the one before, which the program's dlerror() would report. */
    found.reallocarray = reallocarray_by_realloc;
    found.cfree = NULL;
    found.free_sized = free_sized_by_free;
    found.free_aligned_sized = free_aligned_sized_by_free;
    stand_in_find("reallocarray", &found.reallocarray);
    stand_in_find("valloc", &found.valloc);
    stand_in_find("pvalloc", &found.pvalloc);
    stand_in_find("cfree", &found.cfree);
    stand_in_find("free_sized", &found.free_sized);
    stand_in_find("free_aligned_sized", &found.free_aligned_sized);
    stand_in_find("malloc", &found.malloc);
    stand_in_find("calloc", &found.calloc);
    stand_in_find("realloc", &found.realloc);
    stand_in_find("free", &found.free);
    stand_in_find("posix_memalign", &found.posix_memalign);
    stand_in_find("aligned_alloc", &found.aligned_alloc);
    stand_in_find("memalign", &found.memalign);
    if (!found.cfree)
        found.cfree = found.free;
    real = found;
    errno = saved_errno;
    return true;
}

void resolve_real(void)
{
    resolve();
}

static void *early_malloc(size_t bytes)
{
    return resolve() ? real.malloc(bytes) : early_heap_alloc(16, bytes);
}

static void *early_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return resolve() ? real.calloc(count, size) : early_heap_alloc(16, bytes);
}

static void *early_realloc(void *old, size_t bytes)
{
    /* old is not the early heap's: hooks.c sees to those. */
    return resolve() ? real.realloc(old, bytes) : old ? NULL : early_heap_alloc(16, bytes);
}

static void early_free(void *p)
{
    if (resolve())
        real.free(p);
}

static int early_posix_memalign(void **ret, size_t alignment, size_t bytes)
{
    if (resolve())
        return real.posix_memalign(ret, alignment, bytes);
    int saved_errno = errno;
    void *block = early_heap_alloc(alignment, bytes);
    errno = saved_errno;
    if (block)
        *ret = block;
    return block ? 0 : ENOMEM;
}

static void *early_aligned_alloc(size_t alignment, size_t bytes)
{
    return resolve() ? real.aligned_alloc(alignment, bytes) : early_heap_alloc(alignment, bytes);
}

static void *early_memalign(size_t alignment, size_t bytes)
{
    return resolve() ? real.memalign(alignment, bytes) : early_heap_alloc(alignment, bytes);
}

static void *early_valloc(size_t bytes)
{
    return resolve() ? real.valloc(bytes) : early_heap_alloc(4096, bytes);
}

static void *early_pvalloc(size_t bytes)
{
    return resolve() ? real.pvalloc(bytes) : early_heap_alloc(4096, (bytes + 4095) & ~(size_t)4095);
}

static void early_free_sized(void *p, size_t size)
{
    (void)size;
    early_free(p);
}

static void early_free_aligned_sized(void *p, size_t alignment, size_t size)
{
    (void)alignment;
    (void)size;
    early_free(p);
}

struct real real = {
    .malloc = early_malloc,
    .calloc = early_calloc,
    .realloc = early_realloc,
    .reallocarray = reallocarray_by_realloc,
    .free = early_free,
    .posix_memalign = early_posix_memalign,
    .aligned_alloc = early_aligned_alloc,
    .memalign = early_memalign,
    .valloc = early_valloc,
    .pvalloc = early_pvalloc,
    .cfree = early_free,
    .free_sized = early_free_sized,
    .free_aligned_sized = early_free_aligned_sized,
};
