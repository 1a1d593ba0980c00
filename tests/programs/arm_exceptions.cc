/* Of arm_stacks: allocations before, while and after exceptions pass. */
#include <cstddef>
#include <cstdlib>
#include <new>
#include <pthread.h>

extern "C" size_t tell(void);
extern "C" void run_exceptions(void);

namespace {

void *volatile sink;
struct failure {
    int depth;
};

struct guard {
    volatile char block[50];
    guard() { block[0] = 1; }
    __attribute__((noinline)) ~guard() { sink = malloc(tell()); }
};

__attribute__((noinline)) int descend(int depth, int deepest)
{
    guard on_the_way;
    volatile char *dynamic = static_cast<volatile char *>(__builtin_alloca(depth * 40 + 16));

    dynamic[0] = 1;
    if (depth == deepest)
        throw failure{ depth };
    try {
        return descend(depth + 1, deepest) + dynamic[0] + on_the_way.block[0];
    } catch (const failure &) {
        sink = malloc(tell());
        if (depth % 2)
            throw;
        return depth;
    }
}

__attribute__((noinline)) void *leave(void *)
{
    guard on_the_way;

    sink = malloc(tell());
    pthread_exit(nullptr); /* unwinds by force */
}

} // namespace

void run_exceptions(void)
{
    for (int deepest = 1; deepest < 6; deepest++) {
        try {
            descend(1, deepest);
        } catch (const failure &f) {
            sink = malloc(tell());
        }
    }
    pthread_t thread;
    pthread_create(&thread, nullptr, leave, nullptr);
    pthread_join(thread, nullptr);
}
