/* An event as those need it who count: see feed.h. */
#ifndef MALLOSCOPE_MODEL_STEP_H
#define MALLOSCOPE_MODEL_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

#define BATCH_STEPS 4096 /* at most */
#define STEP_NO_PAIR UINT16_MAX

struct step {
    uint64_t ns; /* CLOCK_MONOTONIC */
    uint64_t address, size;
    uint32_t process, stream; /* indexes, as the log's */
    uint32_t thread;          /* index in told.threads; of allocations and frees, always one */
    uint32_t leaf;            /* of STEP_ALLOC and STEP_REALLOC_END */
    uint8_t type;             /* step_type */
    uint8_t function;         /* rec_function */
    uint8_t stack_flags;      /* rec_stack_flags */
    bool is_brief; /* STEP_ALLOC: it is freed in this batch, and nothing else happens to it (pairs.h) */
    bool is_new;   /* STEP_ALLOC: the last step of this address was a free */
    uint16_t pair; /* STEP_FREE: which step of this batch, is_brief, is its allocation; else STEP_NO_PAIR */
};

#endif
