/* dlopen and dlmopen, for the sake of one remark in the log: a library that is loaded
 * with RTLD_DEEPBIND, or into a namespace of its own, finds malloc in its own
 * dependencies, so its calls never come to us.
 *
 * The loader looks at who calls dlopen: whose RUNPATH and $ORIGIN the search begins with,
 * and in which namespace. So the real functions are jumped to, with the program's return
 * address; that the call then succeeds is not known here. */
#include "interpose/outside/deepbind.h"

#include "interpose/inside/clock.h"
#include "interpose/inside/hints.h"
#include "interpose/outside/remark.h"
#include "interpose/stand_in.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#define PATH_BYTES_MAX 4096

#ifdef RTLD_DEEPBIND
static void *(*real_dlopen)(const char *, int);
static void *(*real_dlmopen)(Lmid_t, const char *, int);

void deepbind_prepare(void)
{
    stand_in_find("dlopen", &real_dlopen);
    stand_in_find("dlmopen", &real_dlmopen);
}

static __attribute__((noinline)) void log_library(const char *path)
{
    int saved_errno = errno;
    struct encode_text text = { path, strnlen(path, PATH_BYTES_MAX) };
    struct context *c = remark_begin(HERE, ENCODE_TEXTS_MAX + text.bytes);

    if (c)
        remark_end(c, encode_deepbind(&c->encoder, c->at, clock_before_free(), text));
    errno = saved_errno;
}

EXPORT void *dlopen(const char *file, int mode)
{
    if (UNLIKELY(!real_dlopen))
        deepbind_prepare();
    if (UNLIKELY(mode & RTLD_DEEPBIND) && file)
        log_library(file);
    JUMP real_dlopen(file, mode);
}

EXPORT void *dlmopen(Lmid_t space, const char *file, int mode)
{
    if (UNLIKELY(!real_dlmopen))
        deepbind_prepare();
    if ((space != LM_ID_BASE || mode & RTLD_DEEPBIND) && file)
        log_library(file);
    JUMP real_dlmopen(space, file, mode);
}
#else
void deepbind_prepare(void) {}
#endif
