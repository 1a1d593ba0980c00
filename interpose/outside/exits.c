/* The hard problem is who calls: a signal handler in the middle of an event, a vfork child, whose memory is its
 * parent's, a forked child that has not begun to record. Where it is not sure that the record would be this process's
 * there is none, and its last event counts as its end. */
#include "interpose/outside/exits.h"

#include "interpose/inside/clock.h"
#include "interpose/inside/process.h"
#include "interpose/inside/sys.h"
#include "interpose/outside/remark.h"
#include "interpose/outside/sandbox.h"
#include "interpose/stand_in.h"

#include <stdlib.h>
#include <unistd.h>

static void (*real_Exit)(int status), (*real_exit)(int status);

void exits_prepare(void)
{
    stand_in_find("_Exit", &real_Exit);
    stand_in_find("_exit", &real_exit);
}

/* In the middle of what we do outside of any hook there is no place for a record, and nothing is lost by that. */
static bool may_note(void)
{
    const struct context *c = current_context;

    if (!process || sys_forbidden || sys_careful || atomic_load(&process->state) != PROCESS_RECORDING || sandbox_is_vfork_child())
        return false;
    return c == &context_none || !c->busy || c->busy & ~(uint64_t)CONTEXT_STATE_MASK;
}

static void note_end(enum rec_end how, int status, const struct walk_start *start)
{
    struct context *c = may_note() ? remark_begin(start, ENCODE_EVENT_MAX) : NULL;

    if (c)
        remark_end(c, encode_process_end(&c->encoder, c->at, clock_before_free(), process->pid, how, (uint32_t)(status & 0xff) << 8));
}

void exits_note(const struct walk_start *start)
{
    note_end(REC_END_EXIT, 0, start);
}

/* The first that is registered runs last: the program's own may still end the process otherwise. */
static void at_end_of_quick_exit(void)
{
    note_end(REC_END_QUICK, 0, HERE);
}

void exits_watch(void)
{
    at_quick_exit(at_end_of_quick_exit);
}

static _Noreturn void leave(void (**real)(int status), int status)
{
    if (!*real)
        exits_prepare();
    if (*real)
        (*real)(status);
    for (;;)
        sys_call(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

EXPORT void _exit(int status)
{
    note_end(REC_END_LEFT, status, HERE);
    leave(&real_exit, status);
}

EXPORT void _Exit(int status)
{
    note_end(REC_END_LEFT, status, HERE);
    leave(&real_Exit, status);
}
