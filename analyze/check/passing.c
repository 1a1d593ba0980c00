#include "analyze/check/passing.h"

#include "analyze/render/frames.h"

#include <stddef.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool begins_with_one(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (begins(text, list[i]))
            return true;
    return false;
}

/* Those that are the same in all programs that have them. */
static bool is_well_known(const char *name)
{
    static const char *const whole[] = {
        "malloc", "calloc", "realloc", "reallocarray", "memalign", "posix_memalign", "aligned_alloc", "valloc", "pvalloc", "strdup",
        "__strdup", "strndup", "__strndup", "asprintf", "vasprintf", "operator new", "operator new[]", "__cxa_allocate_exception",
        "__cxa_allocate_dependent_exception", "__gmp_default_allocate", "__gmp_default_reallocate",
        "xmalloc", "xcalloc", "xrealloc", "xreallocarray", "xzalloc", "xnmalloc", "xnrealloc", "xmemdup", "xstrdup", "xstrndup", "xasprintf",
        "xvasprintf", "g_malloc", "g_malloc0", "g_malloc_n", "g_malloc0_n", "g_realloc", "g_realloc_n", "g_try_malloc", "g_try_malloc0",
        "g_try_malloc_n", "g_try_malloc0_n", "g_try_realloc", "g_try_realloc_n", "g_aligned_alloc", "g_aligned_alloc0", "g_strdup",
        "g_strndup", "g_memdup", "g_memdup2", "g_slice_alloc", "g_slice_alloc0", "PyMem_Malloc", "PyMem_Calloc", "PyMem_Realloc",
        "PyMem_RawMalloc", "PyMem_RawCalloc", "PyMem_RawRealloc", "PyObject_Malloc", "PyObject_Calloc", "PyObject_Realloc",
        "_PyMem_RawMalloc", "_PyMem_RawCalloc", "_PyMem_RawRealloc", "_PyObject_Malloc", "_PyObject_Calloc", "_PyObject_Realloc",
    };
    static const char *const reserved[] = { "operator new(", "operator new[](", "__gthread_", "__rust_alloc", "__rust_realloc", "__rdl_", "__rg_", "__rustc::__r" };

    for (size_t i = 0; i < COUNT(whole); i++)
        if (strcmp(name, whole[i]) == 0)
            return true;
    return begins_with_one(name, reserved, COUNT(reserved));
}

static bool is_rusts_source(const char *source)
{
    return begins(source, "/rustc/") || strstr(source, "/rustlib/src/rust/") ||
           (strstr(source, "/hashbrown-") && (begins(source, "/rust/deps/") || strstr(source, "/registry/src/")));
}

static bool is_runtimes_source(const char *source)
{
    return strstr(source, "/include/c++/") || strstr(source, "/c++/v1/") || strstr(source, "/libstdc++-v3/") || is_rusts_source(source);
}

/* Names that nobody but the runtime may have. */
static bool is_reserved(const char *name, bool is_rust)
{
    static const char *const spaces[] = { "std::", "__gnu_cxx::", "__cxxabiv1::", /* and Rust's: */ "alloc::", "core::", "hashbrown::" };

    name = frames_without_type(name);
    return begins_with_one(name + (is_rust && *name == '<'), spaces, is_rust ? COUNT(spaces) : 3);
}

bool passing_is_runtimes(const struct passing *f)
{
    return frames_is_runtime(f->module) || (f->source ? is_runtimes_source(f->source) : f->function && is_reserved(f->function, f->is_rust));
}

static enum site_role role_of(const struct passing *f)
{
    if (!f->function)
        return SITE_ASKS;
    if (is_well_known(f->function))
        return SITE_PASSES_ON;
    if (f->source && is_rusts_source(f->source) && !strstr(f->source, "/library/std/")) /* alloc, core, hashbrown: "<T as ...>::to_vec" */
        return SITE_PASSES_ON;
    return passing_is_runtimes(f) ? frames_role(&(struct symbols_frame){ f->function, f->signature, f->source, 0, 0 }, f->is_real) : SITE_ASKS;
}

enum site_role passing_role(const struct passing *f)
{
    return frames_role_in(f->module, role_of(f), f->function);
}

bool passing_shows_rust(const struct passing *f)
{
    static const char *const starts[] = { "__rust", "__rdl_", "std::rt::lang_start", "std::sys::" };

    return (f->source && is_rusts_source(f->source)) || (f->function && begins_with_one(f->function, starts, COUNT(starts)));
}
