/* paths COUNT DEPTH PATHS  makes COUNT malloc/free pairs DEPTH frames below main, each
 * after a new descent along one of PATHS paths: nearly the whole stack changes at every
 * call. Prints nanoseconds a pair: CPU, wall. */
#include <stdlib.h>

#include "random.h"
#include "watch.h"

static void *volatile sink;

/* turns: which of a function's eight calls each level makes, three bits a level */
typedef void level(uint64_t turns, long depth, size_t bytes);
static level a, b, c, d, e, f, g, h;

static __attribute__((noinline)) void pair(size_t bytes)
{
    sink = malloc(bytes);
    free(sink);
}

#define CALL(turn, next) case turn: next(turns >> 3 | turns << 61, depth - 1, bytes); break;
#define LEVEL(name, size)                                                               \
    static __attribute__((noinline)) void name(uint64_t turns, long depth, size_t bytes) \
    {                                                                                   \
        volatile int frame[size];                                                       \
        frame[0] = size;                                                                \
        if (depth <= 0)                                                                 \
            pair(bytes);                                                                \
        else                                                                            \
            switch (turns & 7) {                                                        \
                CALL(0, a) CALL(1, b) CALL(2, c) CALL(3, d) CALL(4, e) CALL(5, f) CALL(6, g) CALL(7, h) \
            }                                                                           \
        frame[1] = frame[0]; /* no tail call */                                         \
    }
LEVEL(a, 4) LEVEL(b, 8) LEVEL(c, 13) LEVEL(d, 6) LEVEL(e, 18) LEVEL(f, 31) LEVEL(g, 50) LEVEL(h, 10)

static void pairs(long count, long depth, uint32_t paths)
{
    uint32_t random = 12345;
    for (long i = 0; i < count; i++) {
        size_t bytes = random_bytes(random_next(&random));
        uint64_t turns = (random_next(&random) % paths + 1) * 0xd1342543de82ef95u;
        a(turns ^ turns >> 32, depth, bytes);
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: paths COUNT DEPTH PATHS\n");
        return 2;
    }
    long count = atol(argv[1]), depth = atol(argv[2]) - 3; /* pairs(), the first level, pair() */
    uint32_t paths = (uint32_t)atol(argv[3]);

    pairs(count / 100, depth, paths);
    struct watch watch = watch_start();
    pairs(count, depth, paths);
    watch_tell(&watch, count);
    return 0;
}
