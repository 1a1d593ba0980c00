/* The distances between samples as interpose/inside/select.c draws them: exponential, with the
 * mean that was asked for, the first one of a thread too, and others in each thread. The seeds
 * are real ones; bounds are 6 standard errors, which chance passes once in 10^8 or 10^9. */
#include "interpose/inside/select.h"
#include "interpose/inside/start.h"

#include "tests/unit/check.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEAN 524288
#define DRAWS 4000000 /* 6 standard errors of the mean are then 0.3 % */
#define FIRSTS 1000000
#define THREADS 16

struct context *start_thread(const void *caller)
{
    (void)caller;
    return NULL;
}

void start_unwinder_late(struct context *c, uint64_t pc)
{
    (void)c;
    (void)pc;
}

struct context *start_nested(void)
{
    return NULL;
}

struct sums {
    double count, mean, square;
    double below[6]; /* how many are less than 1/4, 1/2, 1, 2, 4, 8 of the mean */
};
static const double marks[] = { 0.25, 0.5, 1, 2, 4, 8 };

static void add(struct sums *s, int64_t distance)
{
    double value = (double)distance / MEAN;

    s->count++;
    s->mean += value;
    s->square += value * value;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        s->below[i] += value < marks[i];
}

/* Whether `got` of `count` is `wanted`, where one has this standard deviation. */
static bool is_near(double got, double wanted, double deviation, double count, const char *what)
{
    double off = (got / count - wanted) / (deviation / sqrt(count));

    if (fabs(off) < 6)
        return true;
    printf("    %s: %.5f, wanted %.5f: %.1f standard errors\n", what, got / count, wanted, off);
    return false;
}

static void check_exponential(const struct sums *s)
{
    CHECK(is_near(s->mean, 1, 1, s->count, "mean"));
    CHECK(is_near(s->square, 2, sqrt(20), s->count, "mean square"));
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        double share = 1 - exp(-marks[i]);
        CHECK(is_near(s->below[i], share, sqrt(share * (1 - share)), s->count, "share below a mark"));
    }
}

static void test_distances(struct context *c)
{
    struct sums s = { 0 };
    bool all = true;

    select_sample(c, 0);
    for (int i = 0; i < DRAWS; i++) {
        all &= select_sample(c, 1);
        add(&s, c->until_sample);
    }
    CHECK(all); /* where one is due, it is a sample */
    check_exponential(&s);
}

/* A new context's first allocation is not a sample for being the first. */
static void test_first(struct context *c)
{
    struct sums s = { 0 };
    double samples = 0;
    bool any = false;

    for (uint32_t i = 0; i < FIRSTS; i++) {
        c->sample_state = 0;
        c->stream = i & 1023;
        any |= select_sample(c, 0);
        add(&s, c->until_sample);
        c->sample_state = 0;
        samples += select_sample(c, MEAN / 4);
    }
    CHECK(!any); /* it had no bytes */
    check_exponential(&s);
    double share = 1 - exp(-0.25);
    CHECK(is_near(samples, share, sqrt(share * (1 - share)), FIRSTS, "first allocations that are samples"));
}

static void *draw_first(void *first)
{
    struct context *c = calloc(1, sizeof *c);

    select_sample(c, 0);
    *(int64_t *)first = c->until_sample;
    free(c);
    return NULL;
}

static int by_value(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

/* By chance two of them are the same once in some 10^4 runs, three next to never. */
static bool all_differ(int64_t *firsts, size_t count)
{
    size_t same = 0;

    qsort(firsts, count, sizeof *firsts, by_value);
    for (size_t i = 1; i < count; i++)
        same += firsts[i] == firsts[i - 1];
    return same < 2;
}

static void test_different(void)
{
    int64_t firsts[THREADS];
    pthread_t threads[THREADS];
    int ends[2];

    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, draw_first, &firsts[i]) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK(all_differ(firsts, THREADS));
    CHECK(pipe(ends) == 0);
    for (int i = 0; i < THREADS; i++) {
        int64_t first;
        pid_t child = fork();
        if (child == 0) {
            draw_first(&first);
            _exit(write(ends[1], &first, sizeof first) != sizeof first);
        }
        waitpid(child, NULL, 0);
        CHECK(read(ends[0], &firsts[i], sizeof firsts[i]) == sizeof firsts[i]);
    }
    CHECK(all_differ(firsts, THREADS));
}

int main(void)
{
    struct context *c = calloc(1, sizeof *c);

    session.selection.sample_bytes = MEAN;
    test_distances(c);
    test_first(c);
    test_different();
    free(c);
    return check_summary();
}
