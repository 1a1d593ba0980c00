/* An allocator to preload that has operators of its own, right in front of its insides,
 * as some have; others of them call it by its public names, as others do. Blocks have no
 * header: libc's malloc does the work. With FORWARDS, the operators are a wrapper's: they
 * call the next ones, which are the C++ library's, and those call malloc. */
#include <dlfcn.h>
#include <new>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define EXPORT extern "C" __attribute__((visibility("default")))
#define OPERATOR __attribute__((visibility("default")))

extern "C" {
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);
}

EXPORT void *malloc(size_t size)
{
    return __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return __libc_calloc(count, size);
}

EXPORT void *realloc(void *block, size_t size)
{
    return __libc_realloc(block, size);
}

EXPORT void *memalign(size_t alignment, size_t size)
{
    return __libc_memalign(alignment, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    return __libc_memalign(alignment, size);
}

EXPORT void free(void *block)
{
    __libc_free(block);
}

#ifdef FORWARDS
#define NEXT(name, type) ((type)(uintptr_t)dlsym(RTLD_NEXT, name))

OPERATOR void *operator new(size_t size)
{
    return NEXT("_Znwm", void *(*)(size_t))(size);
}

OPERATOR void *operator new(size_t size, const std::nothrow_t &which) noexcept
{
    return NEXT("_ZnwmRKSt9nothrow_t", void *(*)(size_t, const std::nothrow_t &))(size, which);
}

OPERATOR void operator delete(void *block) noexcept
{
    NEXT("_ZdlPv", void (*)(void *))(block);
}
#else
static void *allocate(size_t alignment, size_t size)
{
    void *block;

    /* The first try in our own way, further ones by name. */
    for (bool again = false; !(block = again && !alignment ? malloc(size) : __libc_memalign(alignment, size)); again = true) {
        std::new_handler handler = std::get_new_handler();
        if (!handler)
            throw std::bad_alloc();
        handler();
    }
    return block;
}

OPERATOR void *operator new(size_t size)
{
    return allocate(0, size);
}

OPERATOR void *operator new[](size_t size)
{
    return ::operator new(size); /* by name */
}

OPERATOR void *operator new(size_t size, const std::nothrow_t &) noexcept
{
    try {
        return ::operator new(size);
    } catch (...) {
        return nullptr;
    }
}

OPERATOR void *operator new(size_t size, std::align_val_t alignment)
{
    void *block = aligned_alloc((size_t)alignment, size); /* by name */

    return block ? block : allocate((size_t)alignment, size);
}

OPERATOR void operator delete(void *block) noexcept
{
    free(block); /* by name */
}

OPERATOR void operator delete[](void *block) noexcept
{
    ::operator delete(block);
}

OPERATOR void operator delete(void *block, size_t) noexcept
{
    __libc_free(block);
}

OPERATOR void operator delete(void *block, std::align_val_t) noexcept
{
    __libc_free(block);
}
#endif
