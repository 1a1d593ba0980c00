/* Recursion would put one return address and one frame layout on the stack again and
 * again, which no program does and every unwinder likes. So each frame here is of
 * another function. They are numbered in octal, 00 to 77. */
#include "spine.h"

typedef void vertebra(long depth, spine_bottom *bottom, void *context);

#define VERTEBRA(here, next)                                                            \
    static vertebra f##next;                                                            \
    static __attribute__((noinline)) void f##here(long depth, spine_bottom *bottom, void *context) \
    {                                                                                   \
        volatile int frame[4 + 0##here * 5 % 23];                                       \
        frame[0] = 0##here;                                                             \
        if (depth > 1)                                                                  \
            f##next(depth - 1, bottom, context);                                        \
        else                                                                            \
            bottom(context);                                                            \
        frame[1] = frame[0]; /* no tail call */                                         \
    }
#define EIGHT(i, next)                                                                  \
    VERTEBRA(i##0, i##1) VERTEBRA(i##1, i##2) VERTEBRA(i##2, i##3) VERTEBRA(i##3, i##4) \
    VERTEBRA(i##4, i##5) VERTEBRA(i##5, i##6) VERTEBRA(i##6, i##7) VERTEBRA(i##7, next##0)

EIGHT(0, 1) EIGHT(1, 2) EIGHT(2, 3) EIGHT(3, 4) EIGHT(4, 5) EIGHT(5, 6) EIGHT(6, 7) EIGHT(7, 0)

void spine_descend(long depth, spine_bottom *bottom, void *context)
{
    if (depth > 1)
        f00(depth - 1, bottom, context);
    else
        bottom(context);
    __asm__ volatile("" ::: "memory"); /* no tail call */
}
