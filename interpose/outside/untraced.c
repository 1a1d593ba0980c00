/* The hard problem is whose stream to write into. A vfork child has its parent
 * thread's context and may use it, if it is one: a child made by clone(CLONE_VM)
 * has it, too, while the parent goes on writing there. A signal handler may have
 * interrupted our own code. Those write into a stream of their own. */
#include "interpose/outside/untraced.h"

#include "interpose/inside/clock.h"
#include "interpose/inside/context.h"
#include "interpose/inside/process.h"
#include "interpose/inside/start.h"
#include "interpose/inside/sys.h"
#include "interpose/outside/unrecorded.h"

#include <pthread.h>
#include <string.h>

/* Whether this runs in another process than the thread that it seems to be. The C
 * library keeps the thread's id, which is in the number of its clock; but not for a
 * copy that was made by a system call of the program's own, which is known by the
 * wiped memory of its parent. */
static bool is_borrowed(uint32_t tid)
{
    clockid_t clock;

    if (pthread_getcpuclockid(pthread_self(), &clock) != 0 || (uint32_t)~(clock >> 3) == tid)
        return false;
    return atomic_load(&process->state) != PROCESS_NEW || !session.live || session.live->pid != sys_parent_pid();
}

/* No stream can take it. As each withdrawal goes where its record went, the counts agree. */
static void tell_elsewhere(uint32_t pid, enum rec_untraced reason, const char *path)
{
    if (sys_forbidden || !unrecorded_note(pid, reason, path))
        process_count_untraced(reason == REC_UNTRACED_WITHDRAWN ? -1 : 1);
}

static void write_record(struct context *c, uint32_t pid, enum rec_untraced reason, const char *path)
{
    size_t length = strnlen(path, 4096);

    c->busy = CONTEXT_RECORDING;
    struct context *now = context_room(c, ENCODE_TEXTS_MAX + length);
    if (now) {
        struct encode_text text = { path, length };
        context_publish(now, encode_untraced(&now->encoder, now->at, clock_before_free(), pid, reason, text));
        c = now;
    } else {
        tell_elsewhere(pid, reason, path); /* by another user's child that cannot have a live file, say */
    }
    c->busy = CONTEXT_IDLE;
}

void untraced_log(uint32_t pid, enum rec_untraced reason, const char *path)
{
    struct context *c = current_context;

    if (session.unrecorded || !process)
        return;
    uint64_t mask = sys_block_signals(); /* a handler's calls would be taken for our own */
    if (!is_borrowed(process_thread_id()) && (!c->busy || c == &context_none)) {
        c = c == &context_none ? start_thread(NULL) : c;
        if (c)
            write_record(c, pid, reason, path);
        else
            tell_elsewhere(pid, reason, path);
    } else if ((c = start_nested())) {
        write_record(c, pid, reason, path);
        context_release(c);
    } else {
        tell_elsewhere(pid, reason, path);
    }
    sys_restore_signals(mask);
}

void untraced_log_into(struct context *c, uint32_t pid, enum rec_untraced reason, const char *path)
{
    if (c && (size_t)(c->end - c->at) >= ENCODE_TEXTS_MAX + strnlen(path, 4096))
        write_record(c, pid, reason, path);
    else
        tell_elsewhere(pid, reason, path);
}
