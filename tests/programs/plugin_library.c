/* For plugin.c; built several times, with a NAME and a SIZE each, so that the
 * same addresses hold functions of different names. */
#include <stdlib.h>

void *allocate(size_t *ret_size);

#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)

static __attribute__((noinline)) void *JOIN(NAME, _inner)(size_t size)
{
    void *volatile block = malloc(size);
    return block;
}

static __attribute__((noinline)) void *JOIN(NAME, _middle)(size_t size)
{
    void *volatile block = JOIN(NAME, _inner)(size);
    return block;
}

__attribute__((visibility("default"))) void *allocate(size_t *ret_size)
{
    *ret_size = SIZE;
    void *volatile block = JOIN(NAME, _middle)(SIZE);
    return block;
}
