/* All of it may run in a signal handler, and so in the middle of an event. */
#include "interpose/outside/control.h"

#include "interpose/inside/arch.h"
#include "interpose/inside/clock.h"
#include "interpose/inside/nested.h"
#include "interpose/inside/select.h"
#include "interpose/inside/start.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define NAME_MAX_BYTES 1000

/* What malloscope.h calls. */
void malloscope_recorder_start(void);
void malloscope_recorder_stop(void);
void malloscope_recorder_mark(const char *name);

#define HERE (&(struct walk_start){ (uint64_t)__builtin_return_address(0), ARCH_CALLER_SP, \
                                    *(const uint64_t *)__builtin_frame_address(0) })

/* A context of this thread in which `bytes` can be written; NULL: there is none. */
static struct context *begin(const struct walk_start *start, size_t bytes)
{
    struct context *c = current_context;

    if (c == &context_none)
        c = start_thread(NULL);
    else if (c->busy)
        c = nested_context(c, start);
    if (!c)
        return NULL;
    c->busy = start->sp | CONTEXT_RECORDING;
    context_fence();
    struct context *now = context_room(c, bytes);
    if (!now)
        c->busy = CONTEXT_IDLE;
    return now;
}

static void end(struct context *c, uint8_t *at)
{
    context_publish(c, at);
    context_fence();
    c->busy = CONTEXT_IDLE;
}

static void set_paused(bool paused, enum rec_switch by, const struct walk_start *start)
{
    int saved_errno = errno;
    bool changes = session.selection.paused != paused;
    struct context *c = begin(start, ENCODE_EVENT_MAX);

    if (changes)
        select_pause(paused);
    if (c)
        end(c, changes ? encode_recording(&c->encoder, c->at, clock_before_free(), !paused, by) : c->at);
    errno = saved_errno;
}

EXPORT void malloscope_recorder_start(void)
{
    set_paused(false, REC_SWITCH_CALL, HERE);
}

EXPORT void malloscope_recorder_stop(void)
{
    set_paused(true, REC_SWITCH_CALL, HERE);
}

EXPORT void malloscope_recorder_mark(const char *name)
{
    int saved_errno = errno;
    struct encode_text text = { name, name ? strnlen(name, NAME_MAX_BYTES) : 0 };
    struct context *c = begin(HERE, ENCODE_TEXTS_MAX + text.bytes);

    if (c)
        end(c, encode_mark(&c->encoder, c->at, clock_before_free(), text));
    errno = saved_errno;
}

static void toggle(int number)
{
    (void)number;
    set_paused(!session.selection.paused, REC_SWITCH_SIGNAL, HERE);
}

void control_prepare(int toggle_signal)
{
    struct sigaction action = { .sa_handler = toggle, .sa_flags = SA_RESTART | SA_ONSTACK };

    if (toggle_signal)
        sigaction(toggle_signal, &action, NULL);
}
