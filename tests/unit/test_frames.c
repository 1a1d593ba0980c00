/* analyze/render/wrappers and frames: which functions only pass allocations on, and short names. */
#include "analyze/render/frames.h"
#include "analyze/render/short_names.h"

#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
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
    "<T as alloc::slice::hack::ConvertVec>::to_vec", "<[u8]>::to_vec_in::<alloc::alloc::Global>", "<str as alloc::borrow::ToOwned>::to_owned",
    "<u8 as <[_]>::to_vec_in::ConvertVec>::to_vec::<alloc::alloc::Global>",
    "<&mut [mine::Node] as core::iter::traits::iterator::Iterator>::next", "<F as core::ops::function::FnOnce<()>>::call_once",
    "__cxa_allocate_exception", "__cxa_allocate_dependent_exception", "ggc_internal_alloc",
    "ggc_internal_cleared_alloc", "ggc_internal_cleared_alloc_stat", "__gmp_default_allocate",
};

static const char *const others[] = {
    "main", "take", "", "allocate_dtv", "PyUnicode_New", "parse_malloc_options", "malloc_consolidate", "reallocate", "realloc_buffer",
    "new_node", "pieces::keeper::fill", "my::std::thing", "standard::make", "void pieces::fill<std::vector<int> >", "buffer_alloc",
    "<mine::Node as core::clone::Clone>::clone", "<&mine::Node as core::clone::Clone>::clone", "<T as mine::Trait>::make",
    "<str as mine::Trait>::make", "<lambda()>::operator()", "mystrdup_list_all", "strdupes", "core_init",
    "bool operator<(std::pair<int, int> const&)", "my_string::my_string(std::allocator<char>)", "xmallocs::count",
    "__cxa_throw", "my_ggc_internal_alloc", "rtx_alloc", "gimple_alloc",
};

/* With a file of the source, and a signature that is another one where the name is C++'s. */
static const struct { const char *function, *signature, *file; bool is_real, passes_on; } placed[] = {
    { "allocate", NULL, "/usr/include/c++/12/bits/new_allocator.h", false, true },
    { "allocate", NULL, "/usr/include/c++/v1/__memory/allocator.h", false, true },
    { "allocate", NULL, "/opt/gcc/include/x86_64-linux-gnu/c++/13/bits/x.h", false, true },
    { "allocate", NULL, "/home/me/pool.h", false, false },
    { "allocate", NULL, "/home/me/c++/12/pool.h", false, false },
    { "main", NULL, "/usr/include/c++/12/bits/stl_vector.h", true, false },
    { "app::load", "app::load(int)", "/usr/include/c++/12/bits/stl_vector.h", true, false },
    { "std::__detail::_BracketMatcher<int>::_M_apply(char) const::{lambda()#1}::operator()",
      "std::__detail::_BracketMatcher<int>::_M_apply(char) const::{lambda()#1}::operator()() const", "/usr/include/c++/12/bits/regex_compiler.tcc", true, true },
    { "std::_V2::take<app::x>", "std::_V2::take<app::x>(int)", "/home/me/app.cpp", true, true },
    { "__pstl::run", "void __pstl::run<int>()", "/usr/include/c++/12/pstl/x.h", false, true },
    { "core::load", "core::load()", "/home/me/core.cpp", true, false },
    { "core::load", "core::load()", NULL, true, false },
    { "core::load", "core::load", "/home/me/core/src/lib.rs", true, false },
    { "core::load", "core::load", NULL, true, true },
    { "alloc::pool::take", NULL, "src/alloc/pool.rs", false, false },
    { "grow_one<i32>", NULL, "/rustc/59807616/library/alloc/src/raw_vec/mod.rs", true, true },
    { "to_vec<u8>", NULL, "/home/me/.rustup/toolchains/x/lib/rustlib/src/rust/library/alloc/src/slice.rs", false, true },
    { "alloc::vec::from_elem", NULL, "/build/rustc-1.70.0-src/library/alloc/src/vec/mod.rs", false, true },
    { "mine::from_elem", NULL, "/home/me/library/core/src/vec.rs", false, false },
    { "<T as alloc::slice::hack::ConvertVec>::to_vec", NULL, NULL, false, true },
    { "<T as alloc::string::ToString>::to_string", NULL, "/home/me/a.rs", false, false },
    { NULL, NULL, "/usr/include/c++/12/bits/new_allocator.h", false, false },
};

/* Without debug information. */
static const struct { const char *function; enum site_role role; } bare[] = {
    { "std::thread::_State_impl<std::thread::_Invoker<std::tuple<main::{lambda()#2}> > >::_M_run", SITE_ASKS },
    { "std::thread::_State_impl<std::thread::_Invoker<std::tuple<pool> > >::_M_run", SITE_ASKS },
    { "std::_Function_handler<void (), main::$_3>::_M_invoke", SITE_ASKS },
    { "std::sys::backtrace::__rust_begin_short_backtrace", SITE_ASKS },
    { "std::thread::_State_impl<std::thread::_Invoker<std::tuple<void (*)(int), int> > >::_M_run", SITE_PASSES_ON },
    { "std::_Function_handler<void (), main::$_3>::_M_manager", SITE_PASSES_ON },
    { "std::vector<pool, std::allocator<pool> >::push_back", SITE_PASSES_ON },
    { "void std::vector<pool, std::allocator<pool> >::_M_realloc_insert<pool const&>", SITE_PASSES_ON },
    { "std::__cxx11::basic_string<my::letter>::_M_create", SITE_PASSES_ON },
    { "std::sort<int*, std::less<unsigned long> >", SITE_PASSES_ON },
    { "void std::__introsort_loop<int*, long, __gnu_cxx::__ops::_Iter_comp_iter<main::{lambda(int, int)#1}> >", SITE_HOLDS },
    { "void std::for_each<__gnu_cxx::__normal_iterator<int*, std::vector<int> >, my::visitor>", SITE_HOLDS },
    { "std::array<int, 3ul>::at", SITE_PASSES_ON },
    { "__gnu_cxx::new_allocator<pool>::allocate", SITE_PASSES_ON },
    { "std::_Rb_tree<item, item, std::_Identity<item>, std::less<item>, std::allocator<item>>::_Alloc_node::operator()<item>", SITE_PASSES_ON },
    { "std::_Rb_tree<item, item, std::_Identity<item>, std::less<item>, std::allocator<item>>::_Reuse_or_alloc_node::operator()<item const&>", SITE_PASSES_ON },
    { "std::__detail::_AllocNode<std::allocator<std::__detail::_Hash_node<item, true>>>::operator()<item>", SITE_PASSES_ON },
    { "std::__detail::_ReuseOrAllocNode<std::allocator<std::__detail::_Hash_node<item, true>>>::operator()<item const&>", SITE_PASSES_ON },
    { "std::_Hashtable<item>::operator=(std::_Hashtable<item> const&)::{lambda(std::__detail::_Hash_node<item, true> const*)#1}::operator()", SITE_PASSES_ON },
    { "std::__1::__tree<item, std::__1::less<item>, std::__1::allocator<item>>::__construct_node<item>", SITE_PASSES_ON },
    { "std::__1::__function::__func<main::$_3, std::__1::allocator<main::$_3>, void()>::operator()", SITE_ASKS },
    { "std::_Function_handler<void (), {lambda()#1}>::_M_invoke", SITE_ASKS },
    { "std::_Function_handler<int (), std::_Bind<pool (int)> >::_M_invoke", SITE_ASKS },
    { "std::_Function_handler<std::unique_ptr<std::__future_base::_Result_base, std::__future_base::_Result_base::_Deleter> (), "
      "std::__future_base::_Task_setter<std::unique_ptr<std::__future_base::_Result<item> >, std::thread::_Invoker<std::tuple<pool> >, item> >::_M_invoke", SITE_ASKS },
    { "std::move_only_function<void ()>::_S_invoke<pool>", SITE_ASKS },
    { "std::once_flag::_Prepare_execution::_Prepare_execution<std::call_once<main::{lambda()#1}>(std::once_flag&, main::{lambda()#1}&&)::{lambda()#1}>"
      "(main::{lambda()#1}&)::{lambda()#1}::_FUN", SITE_ASKS },
    { "std::__1::__packaged_task_func<pool, std::__1::allocator<pool>, item()>::operator()", SITE_ASKS },
    { "std::_Function_handler<int (item), int (*)(item)>::_M_invoke", SITE_HOLDS },
    { "std::_Function_handler<int (), std::_Bind<int (*(item))(item)> >::_M_invoke", SITE_HOLDS },
    { "std::_Function_handler<bool (item), std::less<int> >::_M_invoke", SITE_HOLDS },
    { "std::__1::__function::__func<std::__1::__bind<int (&)(item), item const&>, std::__1::allocator<std::__1::__bind<int (&)(item), item const&>>, int ()>::operator()", SITE_HOLDS },
    { "std::__1::__variant_detail::__assignment<std::__1::__variant_detail::__traits<int, item>>::__assign_alt<1, item, item const&>"
      "(std::__1::__variant_detail::__alt<1, item>&, item const&)::{unnamed type#1}::operator()", SITE_HOLDS },
    { "std::_Function_handler<std::unique_ptr<std::__future_base::_Result_base, std::__future_base::_Result_base::_Deleter> (), "
      "std::__future_base::_State_baseV2::_Setter<item, item const&> >::_M_invoke", SITE_HOLDS },
    { "std::__future_base::_State_baseV2::_Setter<item, item const&>::operator()", SITE_HOLDS },
    { "std::__detail::__variant::_Copy_ctor_base<false, int, item>::_Copy_ctor_base(std::__detail::__variant::_Copy_ctor_base<false, int, item> const&)"
      "::{lambda(auto&&)#1}::operator()<item const&>", SITE_HOLDS },
    { "std::__detail::__variant::__gen_vtable_impl<std::__detail::__variant::_Multi_array<std::string (*)(main::{lambda(auto)#1}&&, std::variant<int, item> const&)>, "
      "std::integer_sequence<unsigned long, 1ul> >::__visit_invoke", SITE_HOLDS },
    { "std::ranges::__copy_fn::operator()<std::vector<item> const&, std::back_insert_iterator<std::vector<item> > >", SITE_HOLDS },
    { "std::__invoke_impl<void, main::{lambda(auto)#1}, item const&>", SITE_HOLDS },
    { "__gnu_cxx::__ops::_Iter_comp_iter<main::{lambda(int, int)#1}>::operator()<int*, int*>", SITE_PASSES_ON },
    { "operator new", SITE_PASSES_ON },
};

static const struct { const char *module; enum site_role role; bool is_named; enum site_role wanted; } in_modules[] = {
    { "/lib/x86_64-linux-gnu/libstdc++.so.6", SITE_ASKS, false, SITE_INSIDE },
    { "libstdc++.so.6", SITE_ASKS, true, SITE_MAY_CALL_BACK },
    { "libstdc++.so.6", SITE_PASSES_ON, true, SITE_PASSES_ON },
    { "libc++.so.1", SITE_ASKS, false, SITE_INSIDE },
    { "libc++abi.so.1", SITE_ASKS, false, SITE_INSIDE },
    { "libstd-a5a48102fbd58791.so", SITE_ASKS, false, SITE_INSIDE },
    { "/lib/x86_64-linux-gnu/libc.so.6", SITE_ASKS, false, SITE_MAY_CALL_BACK },
    { "/usr/bin/program", SITE_ASKS, false, SITE_ASKS },
    { "", SITE_ASKS, false, SITE_ASKS },
};

/* The innermost first: the module (p program, s C++'s library, c C's, l loader, f another library) and what it does: a asks, p passes on,
 * h holds, i inside, b may call back. The site is the one of that number. */
static const struct { const char *places; int site; } stacks[] = {
    { "pp pa", 1 }, { "pp pp", 1 }, { "sp si sp pa", 3 }, { "sp si si pp pa", 4 }, { "sp si fa pa", 2 },
    { "sp si sb pa", 2 }, /* what C calls in it has a name */
    { "pp si sp pa", 3 }, /* its operator new is the program's */
    { "sp si si lb lb", 1 }, { "sp si sp lb", 1 }, { "sp si lb lb cb pa", 1 }, { "sp si cb cb pa pa", 1 }, /* loaded by the program; at its end */
    { "cp si lb", 1 }, { "sp si sp cb sp pa", 5 }, { "pp si cb cb", 1 }, { "pp cb pp pa", 3 }, { "pp cb fa", 1 },
    { "ph pa", 1 }, { "ph fa", 0 }, { "ph pp", 0 }, { "ph si cb cb", 0 }, { "si ph cb cb", 1 }, { "ph fh fa", 0 },
    { "ph sb cb pp pa", 4 }, /* called back through the runtimes by its caller: std::call_once */
    { "ph sp pp pa", 3 }, { "ph sp fa", 0 },
};

/* As model/sites.c asks. */
static int site_in(const char *places)
{
    struct site_search search = { 0 };
    uint32_t site = 0, i = 0;

    for (bool is_found = false; !is_found; i++) {
        const char *at = places + 3 * i;
        enum site_role role = at[1] == 'a' ? SITE_ASKS : at[1] == 'p' ? SITE_PASSES_ON : at[1] == 'h' ? SITE_HOLDS : at[1] == 'i' ? SITE_INSIDE : SITE_MAY_CALL_BACK;
        is_found = site_search_ends(&search, i, role, (uint32_t)*at, !at[2], &site);
    }
    return (int)site;
}

static const struct { const char *name, *wanted; } short_names[] = {
    { "main", "main" },
    { "std::vector<int, std::allocator<int> >::push_back", "std::vector<>::push_back" },
    { "a::b<c<d>, e<f> >::g<h>", "a::b<>::g<>" },
    { "operator<<", "operator<<" },
    { "a<b>::operator->", "a<>::operator->" },
    { "a<b>::operator<<c>", "a<>::operator<<c>" },
    { "operator new", "operator new" },
    { "<T as alloc::slice::hack::ConvertVec>::to_vec::<A>", "<T as ConvertVec>::to_vec::<>" },
    { "<alloc::string::String as core::clone::Clone>::clone", "<String as Clone>::clone" },
    { "<alloc::vec::Vec<T,A> as core::clone::Clone>::clone", "<Vec<> as Clone>::clone" },
    { "<alloc::boxed::Box<dyn core::ops::function::FnOnce<()>> as core::ops::function::FnOnce<()>>::call_once", "<Box<> as FnOnce<>>::call_once" },
    { "<&mut [mine::a::Node] as mine::b::Walk>::next", "<&mut [Node] as Walk>::next" },
    { "<[u8]>::to_vec_in::<alloc::alloc::Global>", "<[u8]>::to_vec_in::<>" },
    { "<mine::main::{closure#0} as core::ops::function::FnMut<(u32,)>>::call_mut", "<{closure#0} as FnMut<>>::call_mut" },
    { "<<a::B as c::D>::E as f::G<h::I>>::j", "<E as G<>>::j" },
    { "alloc::slice::<impl [T]>::to_vec", "alloc::slice::<impl [T]>::to_vec" },
    { "<fn(a::b) -> c::d as e::f>::g", "<fn(b) -> d as f>::g" },
    { "fun::<lambda(std::vector<int>&)>::operator()", "fun::<lambda(vector<>&)>::operator()" },
    { "std::function<int(int)>::operator=<fun(int)::<lambda(int)> >", "std::function<>::operator=<>" },
    { "std::operator<< <std::char_traits<char> >", "std::operator<< <>" },
    { "a<b>::operator<=><c>", "a<>::operator<=><>" },
    { "main::{lambda(std::vector<int>)#1}::operator()", "main::{lambda(std::vector<>)#1}::operator()" },
    { "<", "<" },
    { "<a::", "<" },
    { "a<", "a<" },
    { "a>b", "a>b" },
};

static const struct { const char *name; size_t columns; const char *wanted; } cut[] = {
    { "main", 4, "main" },
    { "abcdefgh", 7, "abcd..." },
    { "std::thread::SPAWN_HOOKS::{K#0}::get", 34, "...::SPAWN_HOOKS::{K#0}::get" },
    { "std::thread::SPAWN_HOOKS::{K#0}::get", 27, "...::{K#0}::get" },
    { "std::thread::SPAWN_HOOKS::{K#0}::get", 7, "std:..." },
    { "app::Cache<std::pair<std::__cxx11::basic_string<char>, int> >::reload", 40, "app::Cache<std::pair<std::...> >::reload" },
    { "app::Cache<std::pair<std::__cxx11::basic_string<char>, int> >::reload", 26, "app::Cache<std...>::reload" },
    { "app::Cache<std::pair<std::__cxx11::basic_string<char>, int> >::reload", 12, "...::reload" },
    { "hash_table<default_hash_traits<tree_node*>, false, xcallocator>::expand", 50, "hash_table<default_hash_traits<...>, f...>::expand" },
    { "f<int>(std::vector<int, std::allocator<int>>, long)", 30, "f<int>(std::vector<...>, long)" },
    { "main::{lambda(std::vector<int>)#1}::operator()", 40, "main::{lambda(std::ve...)#1}::operator()" },
    { "main::{lambda(std::vector<int>)#1}::operator()", 20, "...::operator()" },
    { "a::map<b<(c, d)>::e>::f", 14, "a::map<...>::f" },
    { "a::map<b<(c, d)>::e>::f", 16, "a::map<b...>::f" },
    { "a::operator<<(int, long, short)", 20, "a::operator<<(in...)" },
    { "abc::b::operator std::string", 26, "...::operator std::string" },
    { "abc::b::operator std::string", 20, "abc::b::operator ..." },
    { "a::b::operator<<", 15, "...::operator<<" },
    { "a_long_name_of_c(int)", 14, "a_long_name..." },
    { "f(int)->g<h>::i::j::k", 18, "...::i::j::k" },
    { "<alloc::boxed::Box<dyn a::B> as core::c::D>::call", 40, "<alloc::boxed::Box<...> as cor...>::call" },
    { "a<b<c", 4, "a..." },
    { "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f", 4, "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f" },
    { "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\x9f", 4, "\xc3\xa4..." },
    { "abc", 2, "..." },
};

/* As a name of C, or of C++ with its parameters. */
static bool passes_on(const char *name)
{
    char signature[300];

    snprintf(signature, sizeof signature, "%s(int)", name);
    return frames_role(&(struct symbols_frame){ .function = name }, true) != SITE_ASKS ||
           frames_role(&(struct symbols_frame){ .function = name, .signature = signature }, true) != SITE_ASKS;
}

int main(void)
{
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++)
        if (!CHECK(passes_on(wrappers[i])))
            printf("    %s\n", wrappers[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!CHECK(!passes_on(others[i])))
            printf("    %s\n", others[i]);
    CHECK(frames_role(&(struct symbols_frame){ .function = NULL }, true) == SITE_ASKS);
    for (size_t i = 0; i < sizeof in_modules / sizeof *in_modules; i++)
        if (!CHECK(frames_role_in(in_modules[i].module, in_modules[i].role, in_modules[i].is_named) == in_modules[i].wanted))
            printf("    %s %d\n", in_modules[i].module, in_modules[i].role);
    for (size_t i = 0; i < sizeof stacks / sizeof *stacks; i++)
        if (!CHECK(site_in(stacks[i].places) == stacks[i].site))
            printf("    %s: %d\n", stacks[i].places, site_in(stacks[i].places));
    for (size_t i = 0; i < sizeof placed / sizeof *placed; i++) {
        struct symbols_frame frame = { placed[i].function, placed[i].signature, placed[i].file, 1, 0 };
        if (!CHECK((frames_role(&frame, placed[i].is_real) != SITE_ASKS) == placed[i].passes_on))
            printf("    %s in %s\n", frame.function, frame.file);
    }
    for (size_t i = 0; i < sizeof bare / sizeof *bare; i++) {
        char signature[300];
        snprintf(signature, sizeof signature, "%s(int)", bare[i].function);
        struct symbols_frame frame = { bare[i].function, signature, NULL, 0, 0 };
        if (!CHECK(frames_role(&frame, true) == bare[i].role))
            printf("    %s\n", frame.function);
        CHECK(frames_role(&frame, false) != SITE_HOLDS);
    }
    for (size_t i = 0; i < sizeof short_names / sizeof *short_names; i++)
        if (!CHECK(strcmp(names_short(short_names[i].name), short_names[i].wanted) == 0))
            printf("    %s: %s\n", short_names[i].name, names_short(short_names[i].name));
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        char *text = names_cut(cut[i].name, cut[i].columns);
        if (!CHECK(strcmp(text, cut[i].wanted) == 0))
            printf("    %s in %zu: %s\n", cut[i].name, cut[i].columns, text);
        free(text);
    }
    return check_summary();
}
