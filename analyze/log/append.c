#include "analyze/log/append.h"

#include "analyze/log/ballast.h"
#include "analyze/log/calibrate.h"
#include "analyze/util.h"
#include "format/chunk.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int append_once(int fd, const void *data, size_t bytes)
{
    ssize_t written;

    do
        written = write(fd, data, bytes);
    while (written < 0 && errno == EINTR);
    return written == (ssize_t)bytes ? 0 : written < 0 ? -errno : -ENOSPC;
}

bool append_lacks_room(int error)
{
    return error == -ENOSPC || error == -EDQUOT;
}

int append_all(int fd, const void *data, size_t bytes)
{
    int error = append_once(fd, data, bytes);

    if (!append_lacks_room(error))
        return error;
    ballast_drop(fd);
    return append_once(fd, data, bytes); /* the reader drops the torn piece */
}

void append_begin(struct append_chunk *chunk, uint32_t pid, uint64_t image, uint8_t *records)
{
    memset(chunk, 0, sizeof *chunk);
    chunk->header.type = REC_CHUNK_SESSION;
    chunk->header.pid = pid;
    chunk->header.image = image;
    clock_now(&chunk->header.ticks, &chunk->header.clock_ns);
    chunk->records = chunk->at = records;
    encoder_begin(&chunk->encoder, chunk->header.ticks);
}

int append_end(struct append_chunk *chunk, int fd)
{
    size_t used = (size_t)(chunk->at - chunk->records);
    _cleanup_free_ struct rec_chunk_header *whole = alloc_zeroed(1, sizeof *whole + used);

    *whole = chunk->header;
    memcpy(whole + 1, chunk->records, used);
    return append_all(fd, whole, chunk_seal(whole, (uint32_t)used));
}

int append_names(int fd, struct packer *packer, uint32_t pid, uint64_t image, const void *payload, size_t bytes)
{
    _cleanup_free_ struct rec_chunk_header *whole = alloc_zeroed(1, sizeof *whole + bytes);

    /* They may be found out on another machine: its clock must not count. */
    *whole = (struct rec_chunk_header){ .type = REC_CHUNK_NAMES, .flags = REC_CHUNK_TICKS_ARE_NS, .pid = pid, .image = image };
    memcpy(whole + 1, payload, bytes);
    size_t whole_bytes = chunk_seal(whole, (uint32_t)bytes);
    const void *packed = packer ? packer_pack(packer, whole, &whole_bytes) : whole;
    return append_all(fd, packed, whole_bytes);
}
