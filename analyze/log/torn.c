/* Torn chunk -> whole chunk. The records are copied as they are, the last one perhaps half: so the copy is as long
 * as what it stands for, and counts against other chunks of that number as that does. Should we be killed amid it, the
 * reader passes over a copy that is torn itself. A limit does not cut it: its events were in the log before. */
#include "analyze/log/torn.h"

#include "analyze/log/append.h"
#include "analyze/log/log.h"
#include "format/chunk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int append_copy(const struct log *log, const struct log_chunk *chunk, int fd)
{
    const struct log_process *process = &log->processes[chunk->process];
    _cleanup_free_ struct rec_chunk_header *copy = alloc_zeroed(1, sizeof *copy + chunk->payload_bytes);
    int error = log_load(log, chunk, copy + 1);

    if (error)
        return error;
    *copy = (struct rec_chunk_header){
        .type = REC_CHUNK_EVENTS,
        .flags = (uint8_t)(REC_CHUNK_TORN | (chunk->ticks_are_ns ? REC_CHUNK_TICKS_ARE_NS : 0) | (chunk->is_cut ? REC_CHUNK_CUT : 0)),
        .pid = process->pid, .image = process->image, .stream = log->streams[chunk->stream].number, .sequence = chunk->sequence,
        .ticks = chunk->ticks, .clock_ns = chunk->clock_ns,
    };
    return append_all(fd, copy, chunk_seal(copy, chunk->payload_bytes));
}

int torn_keep(const char *log_path)
{
    _cleanup_close_ int fd = open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
    struct failure failure;
    struct stat before;
    struct log *log;
    int error = fd < 0 || fstat(fd, &before) != 0 ? -errno : log_open(log_path, &log, &failure);

    if (error)
        return error;
    for (size_t i = 0; !error && i < log->chunk_count; i++)
        if (log->chunks[i].is_piece && log->chunks[i].payload_bytes) /* else there is as much of it elsewhere */
            error = append_copy(log, &log->chunks[i], fd);
    /* A piece of the copy's header the reader would take for more of the chunk. */
    if (error && !log_is_running(log) && ftruncate(fd, before.st_size) != 0)
        error = -errno;
    log_free(log);
    return error;
}
