/* Threads that allocate while they end: key destructors in all of their rounds,
 * and C++'s thread_local destructors. */
#include "truth.h"

#include <limits.h>
#include <pthread.h>

/* What a C++ compiler calls for a thread_local object. */
extern int __cxa_thread_atexit_impl(void (*destructor)(void *), void *object, void *dso) __attribute__((weak));
extern void *__dso_handle;

static pthread_key_t first, second;
static __thread unsigned round_of_first;

static void end_of_first(void *value)
{
    t_free(value);
    round_of_first++;
    if (round_of_first < PTHREAD_DESTRUCTOR_ITERATIONS)
        pthread_setspecific(first, t_malloc(200 + round_of_first));
    else
        t_malloc(250); /* stays */
}

static void end_of_second(void *value)
{
    t_free(value);
    if (round_of_first < 2)
        pthread_setspecific(second, t_calloc(1, 300 + round_of_first));
    t_free(t_realloc(t_malloc(310), 320));
}

static void end_of_object(void *value)
{
    t_free(value);
    t_free(t_malloc(400));
}

static void *work(void *unused)
{
    (void)unused;
    if (__cxa_thread_atexit_impl)
        __cxa_thread_atexit_impl(end_of_object, t_malloc(401), &__dso_handle);
    pthread_setspecific(first, t_malloc(200));
    pthread_setspecific(second, t_malloc(300));
    t_free(t_malloc(100));
    return NULL;
}

/* Nothing but at its end. */
static void *end_only(void *unused)
{
    (void)unused;
    pthread_setspecific(second, (void *)0);
    pthread_setspecific(first, NULL);
    if (__cxa_thread_atexit_impl)
        __cxa_thread_atexit_impl(end_of_object, NULL, &__dso_handle);
    return NULL;
}

int main(void)
{
    pthread_t threads[8];

    pthread_key_create(&first, end_of_first);
    pthread_key_create(&second, end_of_second);
    for (int wave = 0; wave < 3; wave++) {
        for (int i = 0; i < 8; i++)
            pthread_create(&threads[i], NULL, i < 6 ? work : end_only, NULL);
        for (int i = 0; i < 8; i++)
            pthread_join(threads[i], NULL);
    }
    if (__cxa_thread_atexit_impl)
        __cxa_thread_atexit_impl(end_of_object, t_malloc(402), &__dso_handle);
    t_free(t_malloc(500));
    return 0;
}
