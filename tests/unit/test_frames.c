/* analyze/render/wrappers and frames: which functions only pass allocations on, and short names. */
#include "analyze/render/frames.h"

#include "tests/unit/check.h"

#include <stdio.h>
#include <string.h>

static const char *const wrappers[] = {
    "malloc", "__libc_malloc", "xmalloc", "Xmalloc", "g_malloc0", "g_malloc0_n", "g_try_malloc", "PyMem_RawMalloc", "PyObject_Realloc",
    "xcalloc", "xrealloc", "xreallocarray", "safe_malloc_or_die", "emalloc_56", "posix_memalign", "aligned_alloc", "strdup", "__strdup",
    "xstrndup", "xmemdup", "vasprintf", "alloc", "xzalloc", "palloc0", "ggc_alloc_cleared",
    "operator new(unsigned long)", "operator new[]", "std::vector<int, std::allocator<int> >::push_back",
    "void std::vector<pieces::keeper, std::allocator<pieces::keeper> >::_M_realloc_insert<pieces::keeper const&>",
    "std::__cxx11::basic_string<char>::_M_create", "__gnu_cxx::new_allocator<int>::allocate", "my::pool<std::string>::xmalloc",
    "alloc::raw_vec::finish_grow", "<alloc::vec::Vec<T,A> as core::clone::Clone>::clone", "__rust_alloc", "__rdl_alloc",
    "hashbrown::raw::RawTable<T,A>::reserve_rehash",
    "__cxa_allocate_exception", "__cxa_allocate_dependent_exception", "ggc_internal_alloc",
    "ggc_internal_cleared_alloc", "ggc_internal_cleared_alloc_stat", "__gmp_default_allocate",
};

static const char *const others[] = {
    "main", "take", "", "allocate_dtv", "PyUnicode_New", "parse_malloc_options", "malloc_consolidate", "reallocate", "realloc_buffer",
    "new_node", "pieces::keeper::fill", "my::std::thing", "standard::make", "void pieces::fill<std::vector<int> >", "buffer_alloc",
    "<mine::Node as core::clone::Clone>::clone", "mystrdup_list_all", "strdupes", "core_init",
    "bool operator<(std::pair<int, int> const&)", "my_string::my_string(std::allocator<char>)", "xmallocs::count",
    "__cxa_throw", "my_ggc_internal_alloc", "rtx_alloc", "gimple_alloc",
};

static const struct { const char *name, *wanted; } short_names[] = {
    { "main", "main" },
    { "std::vector<int, std::allocator<int> >::push_back", "std::vector<>::push_back" },
    { "a::b<c<d>, e<f> >::g<h>", "a::b<>::g<>" },
    { "operator<<", "operator<<" },
    { "a<b>::operator->", "a<>::operator->" },
    { "a<b>::operator<<c>", "a<>::operator<<c>" },
    { "operator new", "operator new" },
    { "a<", "a<" },
    { "a>b", "a>b" },
};

int main(void)
{
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++)
        if (!CHECK(frames_is_wrapper(wrappers[i])))
            printf("    %s\n", wrappers[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!CHECK(!frames_is_wrapper(others[i])))
            printf("    %s\n", others[i]);
    CHECK(!frames_is_wrapper(NULL));
    for (size_t i = 0; i < sizeof short_names / sizeof *short_names; i++)
        if (!CHECK(strcmp(frames_short_name(short_names[i].name), short_names[i].wanted) == 0))
            printf("    %s: %s\n", short_names[i].name, frames_short_name(short_names[i].name));
    return check_summary();
}
