/* api [no-pvalloc]: every way into the allocator, successful, failing and odd. An allocator
 * without pvalloc leaves it to libc, whose blocks it cannot free. */
#include "truth.h"

#include <dlfcn.h>

static bool has_pvalloc;
static volatile size_t huge = SIZE_MAX / 2 + 1; /* PTRDIFF_MAX + 1 bytes: never given */

static void check(bool condition, const char *what)
{
    say("%s: %s\n", condition ? "good" : "BAD", what);
}

static void plain(void)
{
    t_free(t_malloc(1));
    t_free(t_malloc(0));
    t_free(t_malloc(100));
    t_free(t_malloc(1 << 20)); /* by mmap */
    char *zeroed = t_calloc(10, 20);
    check(zeroed && memcmp(zeroed, (char[200]){ 0 }, 200) == 0, "calloc zeroes");
    t_free(zeroed);
    t_free(t_calloc(0, 5));
    t_free(t_calloc(5, 0));
    t_free(NULL);
    free(NULL);
}

static void grow_and_shrink(void)
{
    char *p = t_realloc(NULL, 24);
    strcpy(p, "kept");
    p = t_realloc(p, 5000);
    p = t_realloc(p, 300000);
    p = t_realloc(p, 600000);
    p = t_realloc(p, 5);
    p = t_realloc(p, 5);
    check(strcmp(p, "kept") == 0, "realloc keeps the content");
    check(t_realloc(p, 0) == NULL, "realloc to 0 frees");
    t_free(t_realloc(NULL, 0));

    p = t_reallocarray(NULL, 3, 8);
    strcpy(p, "kept");
    p = t_reallocarray(p, 300, 8);
    check(strcmp(p, "kept") == 0, "reallocarray keeps the content");
    check(t_reallocarray(p, 0, 8) == NULL, "reallocarray to 0 frees");
}

static void aligned(void)
{
    void *p = NULL;

    check(t_posix_memalign(&p, 64, 100) == 0 && (uintptr_t)p % 64 == 0, "posix_memalign 64");
    t_free(p);
    check(t_posix_memalign(&p, 8, 0) == 0, "posix_memalign of 0 bytes");
    t_free(p);
    p = t_aligned_alloc(4096, 8192);
    check((uintptr_t)p % 4096 == 0, "aligned_alloc 4096");
    p = t_realloc(p, 20000);
    t_free(p);
    t_free(t_aligned_alloc(16, 0));
    t_free(t_memalign(1 << 16, 10));
    t_free(t_memalign(1, 10));
    t_free(t_valloc(10));
    t_free(t_valloc(0));
    if (has_pvalloc) {
        t_free(t_pvalloc(10));
        t_free(t_pvalloc(5000));
    }
    p = t_memalign(256, 1);
    t_realloc(p, 0);
}

static void failing(void)
{
    char *old = t_malloc(10);
    void *untouched = old;

    strcpy(old, "old");
    check(!t_malloc(huge), "malloc of too much");
    check(!t_malloc(SIZE_MAX), "malloc of everything");
    check(!t_calloc(huge, 1), "calloc of too much");
    check(!t_calloc(huge, huge), "calloc of more than there is");
    check(!t_realloc(NULL, huge), "realloc of nothing to too much");
    check(!t_realloc(old, huge) && strcmp(old, "old") == 0, "realloc to too much");
    check(!t_reallocarray(old, huge, 2) && strcmp(old, "old") == 0, "reallocarray to more than there is");
    check(!t_reallocarray(NULL, huge, 2), "reallocarray of nothing to more than there is");
    check(!t_reallocarray(old, huge, 1) && strcmp(old, "old") == 0, "reallocarray to too much");
    errno = 77;
    check(t_posix_memalign(&untouched, 3, 8) == EINVAL && errno == 77 && untouched == old, "posix_memalign 3");
    check(t_posix_memalign(&untouched, 0, 8) == EINVAL && errno == 77 && untouched == old, "posix_memalign 0");
    check(t_posix_memalign(&untouched, 4, 8) == EINVAL && errno == 77 && untouched == old, "posix_memalign 4");
    /* errno is left open by the standard here, and set by some glibc. */
    check(t_posix_memalign(&untouched, 16, huge) == ENOMEM && untouched == old, "posix_memalign of too much");
    check(!t_aligned_alloc(64, huge), "aligned_alloc of too much");
    check(!t_memalign(64, huge), "memalign of too much");
    check(!t_memalign(huge + 1, 8), "memalign to too much");
    check(!t_valloc(huge), "valloc of too much");
    check(!t_pvalloc(huge), "pvalloc of too much");
    check(!t_pvalloc(SIZE_MAX), "pvalloc of everything");
    old = t_realloc(old, 20);
    check(old && strcmp(old, "old") == 0, "the block is still good");
    t_free(old);
}

/* Not in every libc; what is in the process is used. */
static void by_name(void)
{
    void (*by_cfree)(void *) = (void (*)(void *))(uintptr_t)dlsym(RTLD_DEFAULT, "cfree");
    void (*by_free_sized)(void *, size_t) = (void (*)(void *, size_t))(uintptr_t)dlsym(RTLD_DEFAULT, "free_sized");
    void (*by_free_aligned_sized)(void *, size_t, size_t) =
        (void (*)(void *, size_t, size_t))(uintptr_t)dlsym(RTLD_DEFAULT, "free_aligned_sized");

    if (by_cfree) {
        void *p = t_malloc(31);
        truth("cfree", p, NO_SIZE, 0);
        by_cfree(p);
        by_cfree(NULL);
    }
    if (by_free_sized) {
        void *p = t_malloc(32);
        truth("free_sized", p, NO_SIZE, 0);
        by_free_sized(p, 32);
        by_free_sized(NULL, 32);
    }
    if (by_free_aligned_sized) {
        void *p = t_aligned_alloc(64, 128);
        truth("free_aligned_sized", p, NO_SIZE, 0);
        by_free_aligned_sized(p, 64, 128);
        by_free_aligned_sized(NULL, 64, 128);
    }
}

int main(int argc, char **argv)
{
    (void)argv;
    has_pvalloc = argc < 2;
    for (int round = 0; round < 3; round++) {
        plain();
        grow_and_shrink();
        aligned();
        failing();
    }
    void *leaked = t_malloc(12345);
    by_name();
    check(malloc_usable_size(leaked) >= 12345, "malloc_usable_size");
    return 0;
}
