/* For loading.c; built several times, with a SIZE each. It allocates in its constructor,
 * its destructor and between. And it opens others: the loader must know who asks. */
#include "truth.h"

#include <dlfcn.h>

#define EXPORT __attribute__((visibility("default")))

void use(void);
void *opens(const char *name, int way);

static void *whole_life;

static __attribute__((constructor)) void begins(void)
{
    whole_life = t_malloc(SIZE);
    t_free(t_calloc(1, SIZE + 1));
}

static __attribute__((destructor)) void ends(void)
{
    t_free(t_malloc(SIZE + 2));
    t_free(whole_life);
}

EXPORT void use(void)
{
    t_free(t_realloc(t_malloc(SIZE + 3), SIZE * 2));
}

EXPORT void *opens(const char *name, int way)
{
    void *library = way == 2 ? dlmopen(LM_ID_BASE, name, RTLD_NOW) : dlopen(name, way ? RTLD_NOW | RTLD_DEEPBIND : RTLD_NOW);

    return library; /* not a jump */
}
