/* paused [SIGNAL]: records on and off, by its own calls, or with a signal sent to
 * itself. It tells what is to be in the log: all of it while recording is on; of the
 * rest the frees of blocks that were recorded. Reallocs go from each state to each. */
#include "interpose/malloscope.h"
#include "truth.h"

#include <pthread.h>
#include <signal.h>

static int by_signal;
static bool on;

static void turn(bool to)
{
    if (on == to)
        return;
    on = to;
    if (by_signal)
        raise(by_signal);
    else if (to)
        malloscope_start();
    else
        malloscope_stop();
}

struct block {
    void *at;
    bool recorded;
};

static struct block take(size_t size)
{
    struct block b = { malloc(size), on };
    if (on)
        truth("malloc", b.at, size, 0);
    return b;
}

static void give(struct block b)
{
    if (b.recorded)
        truth("free", b.at, NO_SIZE, 0);
    free(b.at);
}

static struct block resize(struct block b, size_t size)
{
    struct block to;

    if (b.recorded)
        truth("realloc-begin", b.at, NO_SIZE, 0);
    to = (struct block){ realloc(b.at, size), on };
    if (b.recorded && on)
        truth("realloc-end", to.at, size, 0);
    else if (b.recorded)
        truth("realloc-freed", NULL, NO_SIZE, 0);
    else if (on)
        truth("realloc", to.at, size, 0);
    return to;
}

static void *giver(void *blocks)
{
    for (struct block *b = blocks; b->at; b++)
        give(*b);
    return NULL;
}

int main(int argc, char **argv)
{
    enum { MANY = 200 };
    static struct block blocks[4 * MANY + 1];
    size_t count = 0;
    pthread_t thread;

    by_signal = argc > 1 ? atoi(argv[1]) : 0;
    on = argc > 2 ? false : true; /* as recording began */
    errno = 77;
    malloscope_mark("begin");
    for (size_t i = 0; i < MANY; i++)
        for (int state = 0; state < 4; state++) { /* allocated on or off, resized on or off */
            turn(state & 1);
            struct block b = take(100 + i);
            turn(state & 2);
            b = i % 3 ? resize(b, 1000 + i * 50) : b;
            turn(i & 1);
            if (i % 5 == 0)
                give(b);
            else
                blocks[count++] = b;
        }
    turn(true);
    malloscope_mark("on");
    pthread_create(&thread, NULL, giver, blocks);
    pthread_join(thread, NULL);
    turn(false);
    malloscope_mark("off");
    struct block last = take(50);
    turn(true);
    give(last);
    give(take(60));
    say("errno %d\n", errno);
    return 0;
}
