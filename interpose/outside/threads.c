#include "interpose/outside/threads.h"

#include "interpose/inside/clock.h"
#include "interpose/inside/context.h"
#include "interpose/inside/nested.h"
#include "interpose/inside/process.h"
#include "interpose/inside/sys.h"

#include <pthread.h>
#include <string.h>

static pthread_key_t key;
static bool have_key;

/* glibc runs destructors four times over as long as values remain. */
#define ROUNDS 3

static void log_name_if_new(struct context *c)
{
    char name[16] = "";

    if (sys_forbidden)
        return;
    sys_thread_name(name);
    name[15] = 0;
    if (strcmp(name, c->name) == 0)
        return;
    memcpy(c->name, name, sizeof name);
    struct encode_text text = { c->name, strlen(c->name) };
    context_publish(c, encode_thread_name(&c->encoder, c->at, clock_before_free(), text));
}

static void thread_ends(void *context)
{
    struct context *c = context;

    /* In a forked child that has not allocated, c is wiped memory. */
    if (!c->slot || !c->ring || atomic_load(&c->owner) != process_thread_id())
        return;
    if (++c->end_rounds < ROUNDS) {
        pthread_setspecific(key, c);
        return;
    }
    /* A handler's calls would be taken for our own. */
    uint64_t mask = sys_block_signals();
    /* A thread that ends inside a signal handler may leave any context in mid-record. */
    if (c->busy)
        context_recover(c);
    c->busy = CONTEXT_RECORDING;
    c = context_room(c, 2 * ENCODE_EVENT_MAX);
    if (c) {
        log_name_if_new(c);
        context_publish(c, encode_thread_end(&c->encoder, c->at, clock_before_free()));
    }
    current_context = &context_none;
    nested_release(context);
    context_release(context);
    sys_restore_signals(mask);
}

void threads_prepare(void)
{
    if (!have_key)
        have_key = pthread_key_create(&key, thread_ends) == 0;
}

static void log_begin(struct context *c, uint32_t tid, bool nested)
{
    c->unwound = false;
    reach_forget(&c->own_stack);
    c->name[0] = 0;
    if (!sys_forbidden)
        sys_thread_name(c->name);
    c->name[15] = 0;
    c = context_room(c, ENCODE_TEXTS_MAX);
    if (!c)
        return;
    struct encode_text text = { c->name, strlen(c->name) };
    context_publish(c, encode_thread_begin(&c->encoder, c->at, clock_before_free(), tid, text, nested));
}

void threads_begin(struct context *c, uint32_t tid)
{
    log_begin(c, tid, false);
    if (have_key)
        pthread_setspecific(key, c);
}

void threads_begin_nested(struct context *c, uint32_t tid)
{
    log_begin(c, tid, true);
}
