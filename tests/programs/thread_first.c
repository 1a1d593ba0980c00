/* Preloaded, and initialised before all other libraries: there is a thread, and it does
 * not end soon, before anything else has run. */
#include <pthread.h>
#include <unistd.h>

static void *waits(void *unused)
{
    usleep(20000);
    return unused;
}

static __attribute__((constructor)) void first(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, waits, NULL) == 0)
        pthread_detach(thread);
}
