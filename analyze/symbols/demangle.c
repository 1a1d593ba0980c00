#include "analyze/symbols/demangle.h"

#include "analyze/symbols/local_names.h"
#include "analyze/util.h"

#include <libiberty/demangle.h>
#include <string.h>

/* libiberty refuses C++ names beyond 1024 characters, which templates easily have.
 * Without its limit it needs about 200 bytes of stack per character. Rust's names
 * keep the limit: their back-references can recurse for ever. */
#define MANGLED_BYTES_MAX 4096

static const char *const suffixes[] = { "cold",      "part",  "constprop", "isra",   "lto_priv",
                                        "localalias", "llvm", "ipa",       "clone", "__uniq" };

static bool is_suffix(const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (strlen(suffixes[i]) == length && memcmp(suffixes[i], text, length) == 0)
            return true;
    return false;
}

size_t demangle_bare_length(const char *name)
{
    size_t length = strlen(name), end = length;

    for (size_t at = length; at-- > 1;) {
        if (name[at] != '.')
            continue;
        const char *word = name + at + 1;
        size_t bytes = end - at - 1;
        if (is_suffix(word, bytes))
            length = at; /* with the number behind it */
        else if (!bytes || strspn(word, "0123456789") != bytes)
            break;
        end = at;
    }
    return length;
}

void demangle(const char *name, char **ret_function, char **ret_signature)
{
    char *bare = copy_text(name, demangle_bare_length(name));
    bool is_cpp = strncmp(bare, "_Z", 2) == 0 && strnlen(bare, MANGLED_BYTES_MAX) < MANGLED_BYTES_MAX;
    int options = DMGL_AUTO | DMGL_ANSI | (is_cpp ? DMGL_NO_RECURSE_LIMIT : 0);

    char *numbered = is_cpp ? local_names_number(bare, options | DMGL_PARAMS) : NULL;
    if (numbered) {
        free(bare);
        bare = numbered;
    }
    *ret_function = cplus_demangle(bare, options);
    *ret_signature = *ret_function ? cplus_demangle(bare, options | DMGL_PARAMS) : NULL;
    if (!*ret_function) {
        *ret_function = bare;
        return;
    }
    if (numbered) {
        local_names_bare_constructors(*ret_function);
        local_names_bare_constructors(*ret_signature);
    }
    free(bare);
    if (*ret_signature && strcmp(*ret_signature, *ret_function) == 0) {
        free(*ret_signature);
        *ret_signature = NULL;
    }
}
