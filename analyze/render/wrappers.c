/* Which functions only pass allocations on: what no program's author wants to read when he asks who allocates. Names
 * alone may be mistaken: another library has a namespace core, a compiler leaves `std::` out. So where the source file is
 * known it decides what is of the C++ or Rust library. */
#include "analyze/render/frames.h"

#include "analyze/render/held_code.h"
#include "analyze/render/text.h"

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
        depth += (*at == '<' || *at == '(' || *at == '{') - (*at == '>' || *at == ')' || *at == '}'); /* "{unnamed type#1}" */
        if (*at == ' ' && depth == 0 && at > name && at[-1] != ')') /* "f() const::{lambda()#1}" has no type in front */
            start = at + 1;
    }
    return *start ? start : name;
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

static bool begins_with_one(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (begins(text, list[i]))
            return true;
    return false;
}

static const char *const rusts_spaces[] = { "alloc::", "core::", "hashbrown::", "std::" };

/* Whether a type of Rust has none but the library's names in front: `T`, `[mine::Node]`, `&alloc::string::String`. Others may
 * not define what the library has on such types, nor its traits for them. */
static bool is_librarys_type(const char *type)
{
    static const char *const marks[] = { "&", "mut ", "dyn " };

    for (size_t i = 0; i < COUNT(marks); i++)
        if (begins(type, marks[i])) {
            type += strlen(marks[i]);
            i = (size_t)-1;
        }
    if (begins_with_one(type, rusts_spaces, COUNT(rusts_spaces)) || strchr("[(*", *type))
        return true;
    return strncmp(type + strcspn(type, " <>:"), "::", 2) != 0;
}

/* `<alloc::vec::Vec<T> as mine::Trait>::f`, `<T as alloc::slice::hack::ConvertVec>::to_vec`, `<[u8]>::to_vec_in`. */
static bool is_librarys_implementation(const char *name)
{
    const char *type = name + 1, *at = type, *trait = NULL;
    int depth = 0;

    for (; *at && (depth || *at != '>'); at++) {
        if (!depth && begins(at, " as "))
            trait = at + 4;
        depth += (*at == '<') - (*at == '>' && at[-1] != '-');
    }
    if (begins(type, "lambda") || begins(type, "unnamed") || !begins(at, ">::")) /* C++'s */
        return false;
    if (begins_with_one(type, rusts_spaces, COUNT(rusts_spaces)))
        return true;
    if (trait && *trait == '<') /* is in a function of this type */
        return is_librarys_type(type) && is_librarys_type(trait + 1);
    return is_librarys_type(type) && (!trait || begins_with_one(trait, rusts_spaces, COUNT(rusts_spaces)));
}

/* Of Rust's library, if it is Rust. */
static bool is_of_rust(const char *name)
{
    return *name == '<' ? is_librarys_implementation(name) : begins_with_one(name, rusts_spaces, COUNT(rusts_spaces));
}

/* Nobody else may have these. */
static bool is_reserved(const char *name)
{
    static const char *const starts[] = { "std::", "__gnu_cxx::", "__cxxabiv1::", "__gthread_",
                                          "operator new", "__cxa_allocate_", "__gmp_default_allocate", "__gmp_default_reallocate",
                                          "__rust_alloc", "__rust_realloc", "__rdl_", "__rg_", "__rustc::__r" };

    return begins_with_one(name, starts, COUNT(starts));
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

/* By its own name, behind the spaces that it is in. */
static bool is_allocators(const char *name)
{
    const char *last = name;
    int depth = 0;

    for (const char *at = name; *at && *at != '('; at++) {
        depth += (*at == '<') - (*at == '>');
        if (depth == 0 && at[0] == ':' && at[1] == ':')
            last = at + 2;
    }
    return is_named_so(last);
}

/* Behind a directory for headers: c++/12, c++/v1. */
static bool is_source_of_cpp(const char *file)
{
    const char *at = strstr(file, "/include/");

    at = at ? strstr(at, "/c++/") : NULL;
    return at && (isdigit((unsigned char)at[5]) || begins(at + 5, "v1/"));
}

static bool is_source_of_rust(const char *file, const char *name)
{
    static const char *const crates[] = { "/library/core/src/", "/library/alloc/src/", "/library/std/src/", "/hashbrown" };

    if (begins(file, "/rustc/") || begins(file, "/rust/deps/") || strstr(file, "/rustlib/src/"))
        return true;
    for (size_t i = 0; i < COUNT(crates); i++) /* built elsewhere */
        if (strstr(file, crates[i]))
            return is_of_rust(name);
    return false;
}

/* In C++'s headers a function that was not inlined has its name from the table of symbols: the program's own has a line
 * there if the compiler has lost what was inlined into it. */
static bool is_of_cpp(const char *name, bool is_cpp, bool is_real)
{
    return is_cpp ? begins(name, "__") || is_reserved(name) : !is_real;
}

static bool passes_on(const struct symbols_frame *frame, const char *name, bool is_cpp, bool is_real)
{
    if (is_reserved(name) || is_allocators(name))
        return true;
    if (!frame->file)
        return !is_cpp && is_of_rust(name);
    if (is_source_of_cpp(frame->file))
        return is_of_cpp(name, is_cpp, is_real);
    return !is_cpp && is_source_of_rust(frame->file, name);
}

enum site_role frames_role(const struct symbols_frame *frame, bool is_real)
{
    if (!frame->function)
        return SITE_ASKS;
    /* Only C++'s names tell parameters. */
    bool is_cpp = frame->signature && strcmp(frame->signature, frame->function) != 0 &&
                  !symbols_is_numbered(frame->function, frame->signature);
    const char *name = is_cpp ? frames_without_type(frame->function) : frame->function;
    if (!passes_on(frame, name, is_cpp, is_real))
        return SITE_ASKS;
    /* Without debug information nobody tells what was inlined into it. */
    enum held_code held = frame->line || !is_real || is_allocators(name) ? HELD_NONE : held_code(name);
    return held == HELD_SURELY ? SITE_ASKS : held == HELD_MAYBE ? SITE_HOLDS : SITE_PASSES_ON;
}

/* The C++ or Rust library. All that it has is in std:: and the like, but for what C calls; distributions leave no more names in it than
 * others link with. */
static bool is_library_of_std(const char *module)
{
    static const char *const starts[] = { "libstdc++.so", "libc++.so", "libc++abi.so", "libstd-" };
    return begins_with_one(text_base_name(module), starts, COUNT(starts));
}

bool frames_is_runtime(const char *module)
{
    static const char *const starts[] = { "libc.so", "libc-", "libc.musl-", "ld-musl-", "ld-linux", "ld64.so", "libpthread", "libgcc_s.so", "libunwind.so" };
    return is_library_of_std(module) || begins_with_one(text_base_name(module), starts, COUNT(starts));
}

enum site_role frames_role_in(const char *module, enum site_role role, bool is_named)
{
    if (role == SITE_ASKS && !is_named && is_library_of_std(module))
        return SITE_INSIDE;
    return role == SITE_ASKS && frames_is_runtime(module) ? SITE_MAY_CALL_BACK : role;
}
