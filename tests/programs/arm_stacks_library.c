/* Opened by arm_stacks. Its first calls are bound when they are made. */
#include <stddef.h>
#include <stdlib.h>

size_t tell(void);
static void *volatile sink;

__attribute__((noinline)) int enter(int (*function)(int), int argument)
{
    volatile char block[400];

    block[argument % 400] = 1;
    sink = malloc(tell());
    int got = function(argument) + block[argument % 400];
    sink = malloc(tell());
    return got;
}
