#include "analyze/render/held_code.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))

static bool begins_with_one(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(text, list[i], strlen(list[i])) == 0)
            return true;
    return false;
}

static size_t word_length(const char *at)
{
    size_t length = 0;

    while (isalnum((unsigned char)at[length]) || at[length] == '_' || at[length] == '$')
        length++;
    return length;
}

static bool is_word(const char *at, size_t length, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(list[i]) == length && memcmp(at, list[i], length) == 0)
            return true;
    return false;
}

/* Behind a path that begins with this word. */
static const char *path_end(const char *at)
{
    for (size_t length; (length = word_length(at));) {
        at += length;
        if (strncmp(at, "::", 2) != 0)
            break;
        at += 2;
    }
    return at;
}

/* Whether it is made for a type, or a function, of others than the library: among the arguments there is a name that is
 * neither the language's nor the library's. depth: 0 before the first argument, 1 in it. */
static bool is_for_others(const char *name, const char *end, int depth)
{
    static const char *const words[] = { "void", "bool", "char", "short", "int", "long", "unsigned", "signed", "float", "double", "const",
                                         "volatile", "auto", "decltype", "wchar_t", "char8_t", "char16_t", "char32_t", "__int128", "true",
                                         "false", "noexcept", "restrict", "operator", "as", "dyn", "mut", "fn", "impl",
                                         "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32", "f64", "str" };
    static const char *const spaces[] = { "std", "__gnu_cxx", "__cxxabiv1", "__gnu_debug", "alloc", "core", "hashbrown" };

    for (const char *at = name; at < end;) {
        if (*at == '{') { /* a lambda: of what was before it, or of no function */
            if (depth && (at == name || at[-1] != ':'))
                return true;
            at += strcspn(at, "}");
            continue;
        }
        size_t length = word_length(at);
        if (!length) {
            depth += (*at == '<') - (*at == '>' && at[-1] != '-');
            at++;
        } else if (!depth || isdigit((unsigned char)*at) || is_word(at, length, words, COUNT(words))) {
            at += length;
        } else if ((at > name + 1 && at[-1] == ':' && at[-2] == ':') || /* goes on behind arguments */
                   (strncmp(at + length, "::", 2) == 0 && is_word(at, length, spaces, COUNT(spaces)))) {
            at = path_end(at);
        } else {
            return true;
        }
    }
    return false;
}

/* How much deeper it is in brackets behind this character of a name. */
static int deeper(const char *at)
{
    return (strchr("<({", *at) != NULL) - (strchr(")}", *at) != NULL || (*at == '>' && at[-1] != '-'));
}

/* Its own name, behind what it is in; and that one's, "" where it has none. */
static const char *last_part(const char *name, const char **ret_owner)
{
    const char *last = name;
    int depth = 0;

    *ret_owner = "";
    for (const char *at = name; *at; at++) {
        depth += deeper(at);
        if (depth == 0 && at[0] == ':' && at[1] == ':' && strncmp(at + 2, "<", 1) != 0) {
            *ret_owner = last;
            last = at + 2;
        }
    }
    return last;
}

/* Containers, strings, smart pointers: what they allocate is their user's, who may be in another module and yet call the
 * functions of this one, since linkers keep one of each. */
static bool is_keepers(const char *name)
{
    static const char *const inner[] = { "__cxx11::", "__1::", "__ndk1::", "__debug::", "__detail::", "_V2::", "experimental::" };
    static const char *const keepers[] = { "vector", "_Vector_base", "deque", "_Deque_base", "list", "_List_base", "__list_", "forward_list",
        "_Fwd_list_base", "map", "multimap", "set", "multiset", "unordered_", "_Rb_tree", "__tree", "_Hash", "__hash_table", "_Map_base",
        "_Insert", "_ReuseOrAlloc", "_AllocNode", "_Node_handle", "basic_string", "allocat", "__allocat", "new_allocator", "__new_allocator",
        "_Sp_", "__shared_", "shared_ptr", "make_", "unique_ptr", "any", "function", "_Function_base", "optional", "_Optional", "variant",
        "pair", "tuple", "queue", "stack", "priority_queue", "__split_buffer", "_Construct", "construct_at", "__uninitialized",
        "uninitialized_", "__do_uninit", "__relocate", "_Temporary_buffer", "get_temporary_buffer", "valarray" };
    const char *owner;

    if (strncmp(name, "std::", 5) != 0)
        return false;
    for (name += 5; begins_with_one(name, inner, COUNT(inner));)
        name = strstr(name, "::") + 2;
    return begins_with_one(name, keepers, COUNT(keepers)) || strncmp(last_part(name, &owner), "_M_manager", 10) == 0;
}

/* An argument of a template, without what follows: its first, or its last up to the template's end. */
struct argument {
    const char *at, *end;
};

static struct argument argument_of(const char *of, const char *end, bool is_last)
{
    struct argument found = { of + strcspn(of, "<") + 1, end };
    int depth = 1;

    for (const char *at = found.at; at < end; at++) {
        depth += deeper(at);
        if (depth != 1 || *at != ',')
            continue;
        if (!is_last)
            return (struct argument){ found.at, at };
        found.at = at + 1 + (at[1] == ' ');
    }
    return found;
}

static bool has(struct argument a, const char *text)
{
    const char *found = strstr(a.at, text);
    return found && found + strlen(text) <= a.end;
}

/* A pointer to a function, bound to arguments or not; what sets a promise's value. Nothing is inlined that is not the library's. */
static bool is_librarys_callable(struct argument a)
{
    static const char setter[] = "std::__future_base::_State_baseV2::_Setter<";
    bool is_pointer = has(a, "*(") || has(a, "(*)") || has(a, "(&)");

    if (strncmp(a.at, "std::", 5) != 0)
        return a.end[-1] == ')';
    return is_pointer || !is_for_others(a.at, a.end, 1) || strncmp(a.at, setter, sizeof setter - 1) == 0;
}

/* Whether others call it than who gave it the code: those have nothing to do with that. */
static bool is_for_later(const char *owner, const char *last)
{
    static const char *const runners[] = { "_M_run", "_M_invoke", "_S_invoke", "_S_execute", "__execute", "__thread_proxy", "__call_once_proxy" };
    static const char *const functions[] = { "__func<", "__alloc_func<", "__default_alloc_func<", "__packaged_task_func<" };
    const char *owners_end = last - strlen(">::");

    if (strncmp(owner, "_Function_handler<", 18) == 0 && strncmp(last, "_M_invoke", 9) == 0)
        return !is_librarys_callable(argument_of(owner, owners_end, true));
    if (begins_with_one(owner, functions, COUNT(functions)) && strncmp(last, "operator()", 10) == 0)
        return !is_librarys_callable(argument_of(owner, owners_end, false));
    if (*owner == '{') /* a lambda as a function: std::call_once's */
        return strcmp(last, "_FUN") == 0 || strcmp(last, "__invoke") == 0;
    return begins_with_one(last, runners, COUNT(runners));
}

enum held_code held_code(const char *name)
{
    const char *owner, *last = last_part(name, &owner);

    if (strstr(name, "::__rust_begin_short_backtrace")) /* a thread's closure is nowhere else */
        return HELD_SURELY;
    if (!is_for_others(name, name + strlen(name), 0) || is_keepers(name))
        return HELD_NONE;
    if (is_for_later(owner, last))
        return HELD_SURELY;
    return strncmp(name, "std::", 5) == 0 ? HELD_MAYBE : HELD_NONE;
}
