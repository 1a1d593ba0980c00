/* The names can only be looked up by the loader's own tables: dlsym is one of them. Not here are functions of which
 * libc chooses one by the processor, as strlen, and those that only compute: whoever defines them, does the same. */
#include "interpose/outside/own_calls.h"

#include "interpose/inside/loader_list.h"
#include "interpose/outside/redirect.h"

#include <stdatomic.h>
#include <string.h>

/* Until glibc 2.34 libc was in several files. */
static bool is_libc(const char *path)
{
    static const char *const names[] = { "libc.so.", "libdl.so.", "libpthread.so." };
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void bind(void)
{
    static const char *const names[] = { "dlsym", "dlvsym", "dlopen", "dlerror", "dladdr", "dladdr1", "dl_iterate_phdr", "clock_gettime",
                                         "sysconf", "uname", "sigaction", "pthread_key_create", "pthread_setspecific" };
    enum { COUNT = sizeof names / sizeof *names };
    struct redirection list[COUNT];
    struct linked_module own = { 0 }, other;
    size_t found = 0;

    for (const struct link_map *map = loader_first_module(); map; map = map->l_next) {
        if (!redirect_module_at(map, &other))
            continue;
        if ((uint64_t)&own_calls_bind - other.start < other.end - other.start)
            own = other;
        for (size_t i = 0; i < COUNT && is_libc(map->l_name); i++) {
            struct redirection one = { .symbol = names[i] };
            if (redirect_find(&other, &one, 1) && found < COUNT) {
                one.stand_in = one.real;
                list[found++] = one;
            }
        }
    }
    if (own.symbols)
        redirect_inner_calls(&own, list, found);
}

void own_calls_bind(void)
{
    static atomic_flag begun = ATOMIC_FLAG_INIT;

    if (!atomic_flag_test_and_set(&begun))
        bind();
}
