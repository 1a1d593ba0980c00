#include "interpose/outside/threads.h"

#include "interpose/inside/clock.h"
#include "interpose/inside/context.h"
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
    if (current_context != c || !c->slot)
        return;
    if (++c->end_rounds < ROUNDS) {
        pthread_setspecific(key, c);
        return;
    }
    c->busy = CONTEXT_RECORDING;
    c = context_room(c, 2 * ENCODE_EVENT_MAX);
    if (c) {
        log_name_if_new(c);
        context_publish(c, encode_thread_end(&c->encoder, c->at, clock_before_free()));
    }
    current_context = &context_none;
    context_release(context);
}

void threads_prepare(void)
{
    if (!have_key)
        have_key = pthread_key_create(&key, thread_ends) == 0;
}

void threads_begin(struct context *c, uint32_t tid)
{
    c->unwound = false;
    c->own_stack = (struct reach){ 0 };
    sys_thread_name(c->name);
    c->name[15] = 0;
    c = context_room(c, ENCODE_TEXTS_MAX);
    if (!c)
        return;
    struct encode_text text = { c->name, strlen(c->name) };
    context_publish(c, encode_thread_begin(&c->encoder, c->at, clock_before_free(), tid, text));
    if (have_key)
        pthread_setspecific(key, c);
}
