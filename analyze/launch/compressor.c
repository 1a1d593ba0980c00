#include "analyze/launch/compressor.h"

#include "analyze/log/spool.h"
#include "analyze/util.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_LEAST_MS 5u
#define PAUSE_MOST_MS 50u   /* ... of a log without limit; one with a limit is to keep to it */
#define PAUSE_SHORT_MS 1u   /* ... where the disk is nearly full: what waits in the spool takes several times its room */
#define BUSY_BYTES (256u << 10) /* found after a pause: then the next one is shorter */
#define NICE 10

struct compressor {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop; /* under the lock */
    int error;
    bool keeps_limit;
    struct taker *taker;
};

/* True: it is time to end. */
static bool pause_for(struct compressor *c, unsigned ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&c->lock);
    while (!c->stop && pthread_cond_timedwait(&c->wake, &c->lock, &until) == 0)
        ;
    bool stop = c->stop;
    pthread_mutex_unlock(&c->lock);
    return stop;
}

static void *run(void *data)
{
    struct compressor *c = data;
    unsigned ms = PAUSE_SHORT_MS;
    bool stop = false;

    if (!c->keeps_limit) /* which it must notice in time */
        setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
    for (;;) {
        uint64_t moved = 0, bytes;
        do {
            c->error = taker_move(c->taker, false, &bytes);
            moved += bytes;
        } while (!c->error && bytes);
        bool may_end = c->error == -ENOSPC || c->error == -EDQUOT; /* there may be room again */
        if ((c->error && !may_end) || stop) /* what came before the end was signalled is there */
            return NULL;
        unsigned most = taker_room_is_short(c->taker) ? PAUSE_SHORT_MS : c->keeps_limit ? PAUSE_LEAST_MS : PAUSE_MOST_MS;
        ms = moved >= BUSY_BYTES ? PAUSE_LEAST_MS : ms * 2;
        ms = ms < most ? ms : most;
        stop = pause_for(c, ms);
    }
}

int compressor_start(const char *log_path, uint64_t limit_bytes, struct compressor **ret_compressor)
{
    struct compressor *c = alloc_zeroed(1, sizeof *c);
    pthread_condattr_t attributes;
    sigset_t all, old;
    int error = taker_make(log_path, limit_bytes, &c->taker);

    if (error) {
        free(c);
        return error;
    }
    c->keeps_limit = limit_bytes != 0;
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&c->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = -pthread_create(&c->thread, NULL, run, c);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error) {
        taker_free(c->taker);
        free(c);
        return error;
    }
    *ret_compressor = c;
    return 0;
}

int compressor_stop(struct compressor *c)
{
    if (!c)
        return 0;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    int error = c->error;
    taker_free(c->taker);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    free(c);
    return error;
}
