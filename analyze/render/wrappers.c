/* Which functions only pass allocations on, by their names: what no program's author
 * wants to read when he asks who allocates. */
#include "analyze/render/frames.h"

#include <ctype.h>
#include <string.h>

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

const char *frames_without_type(const char *name)
{
    const char *start = name;
    int depth = 0;

    if (!strstr(name, "::"))
        return name;
    for (const char *at = name; *at; at++) {
        if (begins(at, "operator"))
            break;
        depth += (*at == '<' || *at == '(') - (*at == '>' || *at == ')');
        if (*at == ' ' && depth == 0)
            start = at + 1;
    }
    return *start ? start : name;
}

static bool is_of_library(const char *name)
{
    static const char *const spaces[] = { "std::", "__gnu_cxx::", "__cxxabiv1::", "alloc::", "core::", "hashbrown::" };
    static const char *const starts[] = { "operator new", "__cxa_allocate_", "__gmp_default_allocate", "__gmp_default_reallocate",
                                          "__rust_alloc", "__rust_realloc", "__rdl_", "__rg_", "__rustc::__r" };

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (begins(name, starts[i]))
            return true;
    name += *name == '<'; /* Rust: <alloc::vec::Vec<T> as ...>::clone */
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        if (begins(name, spaces[i]))
            return true;
    return false;
}

/* What may follow in a wrapper's name: xmalloc, g_malloc0_n, PyMem_RawMalloc, ggc_alloc_cleared. */
static bool is_ending(const char *text)
{
    static const char *const words[] = { "n", "array", "zero", "zeroed", "internal", "impl", "wrapper", "checked", "safe",
                                         "or", "die", "nofail", "fail", "cleared", "inline", "hook", "aligned", "size",
                                         "common", "default", "extended", "stat" };

    while (*text) {
        size_t length = strcspn(text, "_"), digits = strspn(text, "0123456789");
        bool known = digits == length;
        for (size_t i = 0; i < sizeof words / sizeof *words && !known; i++)
            known = length == digits + strlen(words[i]) && memcmp(text + digits, words[i], length - digits) == 0;
        if (!known)
            return false;
        text += length + (text[length] == '_');
    }
    return true;
}

static bool is_named_so(const char *name)
{
    static const char *const words[] = { "malloc", "calloc", "realloc", "reallocarray", "memalign", "aligned_alloc", "strdup",
                                         "strndup", "memdup", "asprintf" };
    static const char *const whole[] = { "alloc", "xalloc", "zalloc", "xzalloc", "palloc", "safe_alloc", "gc_alloc", "ggc_alloc",
                                         "ggc_internal_alloc", "ggc_internal_cleared_alloc" };
    char lower[128];
    size_t length = 0;

    for (; name[length] && name[length] != '<' && name[length] != '(' && length < sizeof lower - 1; length++)
        lower[length] = (char)tolower((unsigned char)name[length]);
    lower[length] = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (const char *at = lower; (at = strstr(at, words[i])); at++)
            if (is_ending(at + strlen(words[i])))
                return true;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (begins(lower, whole[i]) && is_ending(lower + strlen(whole[i])))
            return true;
    return false;
}

bool frames_is_wrapper(const char *function)
{
    if (!function)
        return false;
    const char *name = frames_without_type(function), *last = name;
    if (is_of_library(name))
        return true;
    int depth = 0;
    for (const char *at = name; *at && *at != '('; at++) { /* its own name, behind the spaces that it is in */
        depth += (*at == '<') - (*at == '>');
        if (depth == 0 && at[0] == ':' && at[1] == ':')
            last = at + 2;
    }
    return is_named_so(last);
}
