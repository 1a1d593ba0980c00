/* The events of a log as steps: in one order, with the number of their stack and
 * thread instead of the log's differences. Reading is done ahead, in a thread of its
 * own, so that on two cores it costs those who count nothing; the steps are the same
 * without it. */
#ifndef MALLOSCOPE_MODEL_FEED_H
#define MALLOSCOPE_MODEL_FEED_H

#include "analyze/model/ends.h"
#include "analyze/model/told.h"

enum step_type {
    STEP_ALLOC,
    STEP_FREE,
    STEP_REALLOC_BEGIN,  /* address: the old block */
    STEP_REALLOC_END,    /* address and size: the new block */
    STEP_REALLOC_FAILED, /* the old block lives on */
    STEP_REALLOC_FREED,  /* the old block is freed, there is no new one */
    STEP_ALLOC_FAILED,
    STEP_PROCESS_STARTS, /* address: not 0: by a fork; size: not 0: paused */
    STEP_PAUSED,         /* allocations of the process are not recorded from here on */
    STEP_THREAD_BEGINS,  /* address: its tid */
    STEP_THREAD_ENDS,
    STEP_MARK,           /* size: its place in told.notes.marks */
    STEP_STREAM_ENDS,    /* without being an event */
    STEP_PROCESS_ENDS,   /* likewise; stream and thread: none */
};

struct step {
    uint64_t ns; /* CLOCK_MONOTONIC */
    uint64_t address, size;
    uint32_t process, stream; /* indexes, as the log's */
    uint32_t thread;          /* index in told.threads; of allocations and frees, always one */
    uint32_t leaf;            /* of STEP_ALLOC and STEP_REALLOC_END */
    uint8_t type;             /* step_type */
    uint8_t function;         /* rec_function */
    uint8_t stack_flags;      /* rec_stack_flags */
};

struct feed;

/* Everything that the log tells in words, up to to_ns (CLOCK_MONOTONIC; UINT64_MAX: to its end), goes to *told, which
 * told_begin() has begun. Nobody may look into it, or into *ends, before feed_close(), but at what became of a process
 * whose STEP_PROCESS_ENDS has come, and at ends->is_replaced. */
struct feed *feed_open(const struct log *log, uint64_t to_ns, struct ends *ends, struct told *told);

/* The next steps, valid until the next call. 0: there are no more. */
size_t feed_next(struct feed *feed, const struct step **ret_steps);

/* Leaves that steps have had so far, these included; chunks read and to be read. */
size_t feed_leaves(const struct feed *feed);
size_t feed_threads(const struct feed *feed);
double feed_progress(const struct feed *feed);
/* When there are no more: the log has something after to_ns. */
bool feed_was_cut(const struct feed *feed);

/* bad chunks: as reader_bad_chunks(). May come before the end. */
uint64_t feed_close(struct feed *feed, uint64_t *ret_offset);

#endif
