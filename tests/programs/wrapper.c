/* LD_PRELOADed behind or before the shim: another stand-in for malloc, of the
 * careless kind that calls dlsym inside its first malloc and keeps a static heap
 * for what dlsym itself allocates. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

static char first_heap[65536] __attribute__((aligned(16)));
static size_t first_used;
static bool looking;

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
} next;

static void *find(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static bool look(void)
{
    if (next.malloc)
        return true;
    if (looking)
        return false;
    looking = true;
    next.free = (void (*)(void *))(uintptr_t)find("free");
    next.realloc = (void *(*)(void *, size_t))(uintptr_t)find("realloc");
    next.calloc = (void *(*)(size_t, size_t))(uintptr_t)find("calloc");
    next.malloc = (void *(*)(size_t))(uintptr_t)find("malloc");
    looking = false;
    return true;
}

static void *first_alloc(size_t size)
{
    void *block = first_heap + first_used;
    first_used += (size + 15) & ~(size_t)15;
    return first_used > sizeof first_heap ? NULL : block;
}

EXPORT void *malloc(size_t size)
{
    return look() ? next.malloc(size) : first_alloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return look() ? next.calloc(count, size) : first_alloc(count * size);
}

EXPORT void *realloc(void *old, size_t size)
{
    if ((uintptr_t)old - (uintptr_t)first_heap < sizeof first_heap)
        return memcpy(malloc(size), old, size);
    return look() ? next.realloc(old, size) : NULL;
}

EXPORT void free(void *block)
{
    if ((uintptr_t)block - (uintptr_t)first_heap < sizeof first_heap)
        return;
    if (look())
        next.free(block);
}
