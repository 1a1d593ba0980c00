/* Each function stores its own number, or the compiler would fold those that are alike. */
#include <stdlib.h>

#include "leaves.h"

#define LEAF(n)                                                 \
    static __attribute__((noinline)) void *leaf##n(size_t bytes) \
    {                                                           \
        volatile int frame[4 + n % 61];                         \
        frame[0] = n;                                           \
        void *block = malloc(bytes);                            \
        frame[1] = frame[0];                                    \
        return block;                                           \
    }
#define TWIG(n)                                                 \
    static __attribute__((noinline)) void *twig##n(leaf *next, size_t bytes) \
    {                                                           \
        volatile int frame[4 + n * 3];                          \
        frame[0] = n;                                           \
        void *block = next(bytes);                              \
        frame[1] = frame[0];                                    \
        return block;                                           \
    }
#define LEAF_NAME(n) leaf##n,
#define TWIG_NAME(n) twig##n,
#define TEN(m, n) m(n##0) m(n##1) m(n##2) m(n##3) m(n##4) m(n##5) m(n##6) m(n##7) m(n##8) m(n##9)
#define HUNDRED(m, n)                                                                            \
    TEN(m, n##0) TEN(m, n##1) TEN(m, n##2) TEN(m, n##3) TEN(m, n##4) TEN(m, n##5) TEN(m, n##6)  \
    TEN(m, n##7) TEN(m, n##8) TEN(m, n##9)
/* From 1000 on: a number that begins with 0 would be octal. */
#define THOUSAND(m)                                                                              \
    HUNDRED(m, 10) HUNDRED(m, 11) HUNDRED(m, 12) HUNDRED(m, 13) HUNDRED(m, 14) HUNDRED(m, 15)   \
    HUNDRED(m, 16) HUNDRED(m, 17) HUNDRED(m, 18) HUNDRED(m, 19)

THOUSAND(LEAF)
TEN(TWIG, )

leaf *const leaves[LEAF_COUNT] = { THOUSAND(LEAF_NAME) };
twig *const twigs[10] = { TEN(TWIG_NAME, ) };
