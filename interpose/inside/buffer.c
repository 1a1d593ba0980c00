/* A context's buffer is a slot of the live file: filled by its thread, appended
 * to the log when full. Comes after encode, before the log. The hard part is
 * that a kill at any instruction must leave every record in the log or in the
 * slot, or in both, never in neither. */
#include "interpose/inside/buffer.h"

#include "format/chunk.h"
#include "interpose/inside/clock.h"
#include "interpose/inside/context.h"
#include "interpose/inside/guess.h"
#include "interpose/inside/hints.h"
#include "interpose/inside/process.h"
#include "interpose/inside/slots.h"
#include "interpose/inside/sys.h"

static struct rec_chunk_header *chunk_of(struct context *c)
{
    return (struct rec_chunk_header *)(c->slot + 1);
}

void buffer_begin_chunk(struct context *c)
{
    struct rec_chunk_header *chunk = chunk_of(c);

    /* Emptied first: the old chunk, now in the log, must not be read with the
     * new one's number. */
    c->slot->used_bytes = 0;
    __asm__ volatile("" ::: "memory");
    chunk->magic = REC_CHUNK_MAGIC;
    chunk->type = REC_CHUNK_EVENTS;
    chunk->flags = clock_ticks_are_ns() ? REC_CHUNK_TICKS_ARE_NS : 0;
    chunk->header_bytes = sizeof *chunk;
    chunk->payload_bytes = 0;
    chunk->pid = process->pid;
    chunk->image = process->image;
    chunk->stream = c->stream;
    chunk->sequence = c->sequence++;
    chunk->ticks = clock_before_free();
    chunk->clock_ns = clock_monotonic_ns();
    c->at = (uint8_t *)(chunk + 1);
    c->end = (uint8_t *)c->slot + REC_LIVE_SLOT_BYTES;
    encoder_begin(&c->encoder, chunk->ticks);
    stack_forget_logged(&c->stack);
    guess_forget(c);
}

void buffer_begin_anew(struct context *c)
{
    if (atomic_load(&process->state) != PROCESS_RECORDING) {
        c->end = c->at;
    } else if (c->slot->used_bytes) {
        buffer_flush(c);
    } else {
        c->sequence--; /* the chunk that has nothing yet is begun once more */
        buffer_begin_chunk(c);
    }
}

void buffer_fit_clock(struct context *c)
{
    if ((chunk_of(c)->flags & REC_CHUNK_TICKS_ARE_NS) != (clock_ticks_are_ns() ? REC_CHUNK_TICKS_ARE_NS : 0))
        buffer_begin_anew(c);
}

static bool buffer_begin_elsewhere(struct context *c)
{
    int error = slot_take(&c->slot);

    if (!error) {
        buffer_begin_chunk(c);
        return true;
    }
    process_stop(-error);
    c->end = c->at;
    return false;
}

/* Of a log that has so many bytes. Of a spool, whoever packs it knows, and says so in its header, for the time
 * after itself, too. */
static NOINLINE int judge_size(int fd, uint64_t bytes)
{
    struct rec_spool_header spool = { 0 };

    if (session.spools) /* where this fails there is no limit */
        sys_pread(fd, &spool, sizeof spool, 0);
    else
        spool.end_most = session.max_bytes;
    if (spool.stop && spool.stop != REC_STOP_LIMIT && spool.stop >= 4096)
        return -EIO; /* somebody else has written there */
    return spool.stop ? -(int)spool.stop : spool.end_most && bytes > spool.end_most ? -(int)REC_STOP_LIMIT : 0;
}

/* Whether the log may have so many bytes more: 0 or -errno. */
static int check_limit(size_t bytes)
{
    struct kept_use use;

    if (!session.spools && !session.max_bytes)
        return 0;
    int error = kept_file_begin(&session.log, &use);
    if (error)
        return error;
    error = judge_size(use.fd, use.bytes + bytes);
    kept_file_end(&use);
    return error;
}

static void stop_for(struct context *c, int error)
{
    process_stop(error); /* the chunk stays in its slot, where the reader finds it */
    c->end = c->at;
}

void buffer_keep_limit(struct context *c)
{
    if (check_limit(0) == -(int)REC_STOP_LIMIT)
        stop_for(c, REC_STOP_LIMIT);
}

bool buffer_flush(struct context *c)
{
    uint32_t used = (uint32_t)(c->at - (uint8_t *)(chunk_of(c) + 1));

    if (!used)
        return true;
    if (sys_forbidden) /* the chunk stays where it is, and the stream goes on in another slot */
        return buffer_begin_elsewhere(c);
    /* A signal handler that does not come back must not leave it half done. */
    uint64_t mask = sys_block_signals();
    if (c->orphaned) { /* one has forked, and come back here in the child: the chunk is the parent's */
        buffer_begin_chunk(c);
        sys_restore_signals(mask);
        return true;
    }
    size_t whole = chunk_seal(chunk_of(c), used);
    int error = check_limit(whole);

    if (!error)
        error = kept_file_append(&session.log, chunk_of(c), whole);
    bool was_forbidden = error == -EPERM && sys_forbidden; /* since it was looked at above */
    if (!error) {
        buffer_begin_chunk(c);
    } else if (!was_forbidden) {
        stop_for(c, -error);
    }
    sys_restore_signals(mask);
    return was_forbidden ? buffer_begin_elsewhere(c) : !error;
}
