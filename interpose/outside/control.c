/* All of it may run in a signal handler, and so in the middle of an event. */
#include "interpose/outside/control.h"

#include "interpose/inside/clock.h"
#include "interpose/inside/select.h"
#include "interpose/inside/sys.h"
#include "interpose/outside/remark.h"
#include "interpose/outside/sandbox.h"
#include "interpose/stand_in.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define NAME_MAX_BYTES 1000

/* What malloscope.h calls. */
void malloscope_recorder_start(void);
void malloscope_recorder_stop(void);
void malloscope_recorder_mark(const char *name);

static void set_paused(bool paused, enum rec_switch by, const struct walk_start *start)
{
    int saved_errno = errno;
    if (!sys_forbidden && sandbox_is_vfork_child())
        return; /* its parent's recording is not the child's to pause */
    bool changes = session.selection.paused != paused;
    struct context *c = remark_begin(start, ENCODE_EVENT_MAX);

    if (changes)
        select_pause(paused);
    if (c)
        remark_end(c, changes ? encode_recording(&c->encoder, c->at, clock_before_free(), !paused, by) : c->at);
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
    struct context *c = remark_begin(HERE, ENCODE_TEXTS_MAX + text.bytes);

    if (c)
        remark_end(c, encode_mark(&c->encoder, c->at, clock_before_free(), text));
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
