/* Opened by arm_stacks. Its first calls are bound when they are made. With PROVIDER
 * defined: what the other one calls without saying that it needs it, for which the
 * loader allocates while it binds the call. */
#include <stddef.h>
#include <stdlib.h>

#ifdef PROVIDER
int provided(int x)
{
    return x + 1;
}
#else
int provided(int x);
size_t tell(void);
static void *volatile sink;

__attribute__((noinline)) int enter(int (*function)(int), int argument)
{
    volatile char block[400];

    block[argument % 400] = (char)provided(0);
    sink = malloc(tell());
    int got = function(argument) + block[argument % 400];
    sink = malloc(tell());
    return got;
}
#endif
