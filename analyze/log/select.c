#include "analyze/log/log.h"

static bool is_wanted(uint32_t pid, const uint32_t *pids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

/* What is left out is dropped as a chunk that is there twice is: it has no payload. */
void log_select(struct log *log, const uint32_t *pids, size_t count)
{
    for (size_t i = 0; i < log->process_count; i++) {
        struct log_process *process = &log->processes[i];
        bool is_session = !process->pid && !process->stream_count; /* the session itself; a process has no pid 0 */
        process->left_out = !is_session && !is_wanted(process->pid, pids, count);
    }
    for (size_t i = 0; i < log->chunk_count; i++)
        if (log->processes[log->chunks[i].process].left_out)
            log->chunks[i].payload_bytes = 0;
    for (size_t i = 0; i < log->stream_count; i++)
        if (log->processes[log->streams[i].process].left_out)
            log->streams[i].chunk_count = 0;
    for (size_t i = 0; i < log->live_count; i++) {
        const struct log_live *live = &log->lives[i];
        const struct log_process *process = &log->processes[live->process];
        if (!process->left_out)
            continue;
        log->recovered_bytes -= live->recovered_bytes;
        if (!process->summed_up)
            log->lost_events -= live->header.lost_events;
    }
    log->is_selection = true;
}

void log_count_selected(const struct log *log, size_t *ret_processes, size_t *ret_streams)
{
    *ret_processes = *ret_streams = 0;
    for (size_t i = 0; i < log->process_count; i++) {
        const struct log_process *process = &log->processes[i];
        if (process->left_out)
            continue;
        *ret_processes += process->stream_count > 0;
        *ret_streams += process->stream_count;
    }
}
