/* dlsym, once. The hard problem is that dlsym may itself call calloc, hence us,
 * before it has an answer: those calls, known by the flag, are served from the
 * early heap. Another thread that comes meanwhile is, too. */
#include "interpose/outside/resolve.h"

#include "interpose/inside/early_heap.h"
#include "interpose/stand_in.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* Of glibc's functions. */
#if defined(__x86_64__)
#define FIRST_VERSION "GLIBC_2.2.5"
#define ALIGNED_ALLOC_VERSION "GLIBC_2.16"
#else
#define FIRST_VERSION "GLIBC_2.17"
#define ALIGNED_ALLOC_VERSION FIRST_VERSION
#endif

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

/* Which of two functions' modules the loader has first. */
static bool comes_before(const void *function, const void *other)
{
    void *map, *other_map;
    Dl_info info;

    if (!dladdr1(function, &info, &map, RTLD_DL_LINKMAP) || !dladdr1(other, &info, &other_map, RTLD_DL_LINKMAP))
        return false;
    const struct link_map *at = map;
    while (at && at != other_map)
        at = at->l_next;
    return at && map != other_map;
}

/* As a program finds it that was linked with this version of glibc's: that or one without a version, whichever comes
 * first. A library that is not to be linked with, as libc_malloc_debug, has it in old versions only. */
static void find(const char *name, const char *version, void *pointer)
{
    own_calls_bind();
    void *old = dlvsym(RTLD_NEXT, name, version), *found = dlsym(RTLD_NEXT, name);

    if (old && found && old != found && comes_before(old, found))
        found = old;
    if (found)
        memcpy(pointer, &found, sizeof found);
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
    find("valloc", FIRST_VERSION, &found.valloc);
    find("pvalloc", FIRST_VERSION, &found.pvalloc);
    find("cfree", FIRST_VERSION, &found.cfree);
    stand_in_find("free_sized", &found.free_sized);
    stand_in_find("free_aligned_sized", &found.free_aligned_sized);
    find("malloc", FIRST_VERSION, &found.malloc);
    find("calloc", FIRST_VERSION, &found.calloc);
    find("realloc", FIRST_VERSION, &found.realloc);
    find("free", FIRST_VERSION, &found.free);
    find("posix_memalign", FIRST_VERSION, &found.posix_memalign);
    find("aligned_alloc", ALIGNED_ALLOC_VERSION, &found.aligned_alloc);
    find("memalign", FIRST_VERSION, &found.memalign);
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
