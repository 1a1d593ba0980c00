#include "interpose/outside/unwinder.h"

#include "interpose/inside/stack.h"

#include <dlfcn.h>
#include <string.h>

bool unwinder_load(void)
{
    void *library = dlopen(LIBUNWIND_SONAME, RTLD_NOW | RTLD_LOCAL);
    void *function = library ? dlsym(library, "unw_backtrace") : NULL;
    int (*backtrace)(void **, int);
    void *frames[4];

    if (!function)
        return false;
    memcpy(&backtrace, &function, sizeof backtrace);
    /* Its first call sets up tables and locks: not inside a malloc, please. */
    backtrace(frames, 4);
    stack_backtrace = backtrace;
    return true;
}
