#include "interpose/inside/process.h"

#include "interpose/inside/context.h"
#include "interpose/inside/sys.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

struct process *process;
struct session session;
bool sys_forbidden, sys_may_map, sys_careful;
uint32_t sys_known_pid, sys_known_parent_pid;

static void *take_reserved(size_t bytes)
{
    size_t rounded = (bytes + 4095) & ~(size_t)4095, at = atomic_fetch_add(&process->reserved_used, rounded);
    return at + rounded <= process->reserved_bytes ? process->reserved + at : NULL;
}

void *process_map_wiped(size_t bytes)
{
    if (sys_forbidden)
        return take_reserved(bytes);
    void *at = sys_map(-1, 0, bytes);

    if (at && !sys_careful && sys_advise(at, bytes, MADV_WIPEONFORK) != 0) { /* else fork sees to it: process_wipe */
        sys_unmap(at, bytes); /* a kernel before 4.14 */
        return NULL;
    }
    return at;
}

void process_unmap_wiped(void *at, size_t bytes)
{
    if (!sys_forbidden)
        sys_unmap(at, bytes);
}

void process_reserve_wiped(size_t bytes)
{
    for (; !process->reserved && bytes >= 1 << 20; bytes /= 2) {
        process->reserved = process_map_wiped(bytes);
        process->reserved_bytes = process->reserved ? bytes : 0;
    }
}

void process_wipe(void)
{
    struct context *next;

    for (struct context *c = atomic_load(&process->contexts); c; c = next) {
        next = c->next;
        if (c->orphaned)
            continue;
        sys_unmap(c->slot, REC_LIVE_SLOT_BYTES); /* it is shared with the parent */
        memset(c, 0, sizeof *c);
    }
    memset((void *)process, 0, sizeof *process);
}

void process_count_lost(uint64_t events)
{
    if (session.live)
        __atomic_fetch_add(&session.live->lost_events, events, __ATOMIC_RELAXED);
}

void process_count_untraced(int64_t programs)
{
    if (session.live)
        __atomic_fetch_add(&session.live->untraced, (uint64_t)programs, __ATOMIC_RELAXED);
}

uint32_t process_thread_id(void)
{
    clockid_t clock;

    if (!sys_forbidden && !sys_careful)
        return sys_tid();
    /* libc has it, and gives it away in this form: ~id << 3 | 6. */
    return pthread_getcpuclockid(pthread_self(), &clock) == 0 ? ~((uint32_t)clock >> 3) & 0x1fffffff : 1;
}

static void say_why(int error)
{
    /* A forked child without a live file of its own, whose pid is 0 or who is a guest, lacks
     * it in its parent's. */
    bool may_say = !process->pid || process->guest_start || (session.live && session.live->pid == process->pid);

    if (session.live && may_say && !session.live->stop_errno)
        session.live->stop_errno = (uint32_t)error;
}

void process_lack(int error)
{
    if (!process) /* not recorded */
        return;
    say_why(error);
    if (error != ENOMEM && error != EAGAIN && error != (int)REC_STOP_CLOCK) /* what is not there for one thread may be for others */
        atomic_store(&process->state, PROCESS_OFF);
}

void process_stop(int error)
{
    if (!process)
        return;
    say_why(error);
    atomic_store(&process->state, PROCESS_OFF);
}
