/* Bytes to events: walks the records of one chunk's payload. Whatever the bytes
 * are, it reads only inside them, ends, and says where and why it could not go
 * on. Pure; may be called anywhere. */
#ifndef MALLOSCOPE_FORMAT_DECODE_H
#define MALLOSCOPE_FORMAT_DECODE_H

#include "format/record.h"

#include <stdbool.h>
#include <stddef.h>

enum event_type {
    EVENT_ALLOC,
    EVENT_FREE,
    EVENT_REALLOC_BEGIN,  /* address is the old block */
    EVENT_REALLOC_END,    /* address and size are the new block's */
    EVENT_REALLOC_FAILED, /* the old block lives on */
    EVENT_REALLOC_FREED,  /* realloc(p, 0) that freed */
    EVENT_ALLOC_FAILED,
    EVENT_OTHER,          /* other says which, and where its fields are */
};

struct text {
    const char *data; /* inside the payload; not terminated */
    size_t bytes;
};

#define EVENT_SEGMENTS_MAX 8

struct event {
    enum event_type type;
    uint8_t function;    /* rec_function */
    uint8_t stack_mode;  /* rec_stack; only for EVENT_ALLOC and EVENT_REALLOC_END */
    uint8_t stack_flags; /* rec_stack_flags; valid where stack_mode is REC_STACK_LONG */
    uint64_t ticks;
    uint64_t address;
    uint64_t size;       /* bytes */
    uint64_t alignment;  /* bytes, 0: none asked */
    uint32_t pops, pushes; /* 0 where stack_mode is REC_STACK_AGAIN */
    const uint32_t *ids; /* of the pushes, outer to inner; the decoder's memory */
    uint32_t stack_number; /* REC_STACK_AGAIN: of the stack that it is. Short and long form: the
                            * one that the stack gets, none if it is not below REC_STACK_NUMBERS */

    unsigned other;      /* rec_other; the fields below belong to it */
    union {
        struct { uint32_t id, module; uint64_t pc; bool exact; } pc; /* exact: REC_PC_EXACT */
        struct {
            uint32_t id, segment_count;
            uint64_t bias;
            struct { uint64_t start, end; } segments[EVENT_SEGMENTS_MAX];
            struct text build_id, path;
        } module; /* load; unload has the id only */
        struct { uint32_t tid; struct text name; bool nested; } thread; /* nested: another stream of a thread that has one */
        struct {
            unsigned start;
            uint32_t ppid;
            uint32_t max_depth;    /* 0: unknown; thread_bytes too */
            uint64_t realtime_ns, page_bytes, thread_bytes;
            uint64_t sample_bytes, min_size; /* 0: none */
            uint32_t flags;        /* rec_process_flags */
            uint64_t pid_namespace, began, parent_image; /* 0: unknown */
            struct text exe, arguments, directory, environment, call_graph, allocator, other_malloc;
        } process;
        struct { uint32_t pid; unsigned how; uint32_t wait_status; } end; /* how: rec_end */
        struct { uint64_t count; uint32_t reason; } lost; /* reason: errno that stopped logging, 0 none */
        struct { uint64_t realtime_ns; struct text command, host, version; uint32_t first, flags; } session; /* flags: rec_session_flags */
        struct { uint32_t pid; unsigned reason; struct text path; } untraced; /* reason: rec_untraced */
        struct { struct text name; } mark;
        struct { bool on; unsigned by; } recording; /* by: rec_switch */
        struct { struct text path; } deepbind, own_heap;
        /* to_ns 0: to the end; flags: rec_trimmed_flags; origin: a session id */
        struct { uint64_t from_ns, to_ns, left_out; uint32_t flags; struct text origin; } trimmed;
    };
};

/* One chunk's decoding, in memory that is somebody else's: for who has many at a time. */
struct decoding {
    const uint8_t *start, *at, *end;
    uint64_t ticks, address, pc;
    uint32_t depth;      /* of the stream's stack so far */
    const char *problem; /* why decoding stopped before the end; NULL: it did not */
    uint32_t stacks;     /* given in short or long form so far */
    uint16_t *depths;    /* of those that have numbers */
    uint32_t depth_room; /* so many; where it is less than REC_STACK_NUMBERS, and `stacks` comes to it, decoding fails */
    uint64_t chunk_ticks;
    uint32_t begins;     /* so many chunk-begin records are to come; decoding_begin(): 0 */
    uint32_t *ids;       /* room for REC_STACK_DEPTH_MAX; an event's, until the next one is decoded */
};

/* depths, depth_room and ids are set. */
void decoding_begin(struct decoding *d, const void *payload, size_t bytes, uint64_t chunk_ticks);

/* 1: *ret_event is the next event. 0: the end. -1: the bytes at
 * d->at - d->start are no record, d->problem says why; nothing follows. DECODING_ANEW: *ret_event is a chunk-begin record: what was
 * a chunk of its own has begun, and as in every chunk, stacks are told and numbered anew. Where only the
 * record goes on beyond the end, or there is no room for a depth, all but end and problem is then as it was: who has more of
 * either sets it, start, at, end and problem, and goes on. */
#define DECODING_ANEW 2
int decoding_next(struct decoding *d, struct event *ret_event);

/* The same, with the memory, for who does not care where a chunk was. */
struct decoder {
    struct decoding now;
    uint16_t depths[REC_STACK_NUMBERS];
    uint32_t ids[REC_STACK_DEPTH_MAX];
};

void decoder_begin(struct decoder *d, const void *payload, size_t bytes, uint64_t chunk_ticks);

static inline int decoder_next(struct decoder *d, struct event *ret_event)
{
    int got;

    do
        got = decoding_next(&d->now, ret_event);
    while (got == DECODING_ANEW);
    return got;
}

#endif
