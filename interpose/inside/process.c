#include "interpose/inside/process.h"

#include "interpose/inside/sys.h"

struct process *process;
struct session session;

void *process_map_wiped(size_t bytes)
{
    void *at = sys_map(-1, 0, bytes);

    if (at && sys_advise(at, bytes, MADV_WIPEONFORK) != 0) {
        sys_unmap(at, bytes); /* a kernel before 4.14 */
        return NULL;
    }
    return at;
}

void process_count_lost(uint64_t events)
{
    if (session.live)
        __atomic_fetch_add(&session.live->lost_events, events, __ATOMIC_RELAXED);
}

void process_stop(int error)
{
    if (session.live && session.live->pid == process->pid && !session.live->stop_errno)
        session.live->stop_errno = (uint32_t)error;
    atomic_store(&process->state, PROCESS_OFF);
}
