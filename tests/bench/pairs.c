/* pairs N DEPTH: N malloc/free pairs of 16 to 256 bytes, made DEPTH frames below
 * main. Prints the CPU time of a pair in nanoseconds. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void *volatile sink;

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static __attribute__((noinline)) void pairs(long count)
{
    unsigned random = 12345;
    for (long i = 0; i < count; i++) {
        random = random * 1664525u + 1013904223u;
        sink = malloc(16 + (random >> 8) % 241);
        free(sink);
    }
}

static __attribute__((noinline)) void descend(long depth, long count)
{
    if (depth <= 0)
        pairs(count);
    else
        descend(depth - 1, count);
    __asm__ volatile("" ::: "memory"); /* no tail call */
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? atol(argv[1]) : 2000000, depth = argc > 2 ? atol(argv[2]) : 5;
    descend(depth, 10000);
    double start = cpu_ns();
    descend(depth, count);
    printf("%.2f\n", (cpu_ns() - start) / (double)count);
    return 0;
}
