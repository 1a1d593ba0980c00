/* Events to bytes. The caller owns the buffer and has made sure of room: at
 * least ENCODE_EVENT_MAX bytes for an event, plus ENCODE_PUSH_MAX for each
 * pushed frame. Each function returns the new end. Stores of 8 bytes run past
 * that end: the bytes there are not yet anyone's.
 *
 * No allocation, no lock, no system call: may run inside a traced malloc. */
#ifndef MALLOSCOPE_FORMAT_ENCODE_H
#define MALLOSCOPE_FORMAT_ENCODE_H

#include "format/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define ENCODE_EVENT_MAX 96u
#define ENCODE_PUSH_MAX 5u

/* What the next record of a chunk is a difference to. */
struct encoder {
    uint64_t ticks;
    uint64_t address;
    uint64_t pc;
    uint32_t stacks; /* given in short or long form so far: the next such stack's number */
};

static inline void encoder_begin(struct encoder *e, uint64_t chunk_ticks)
{
    e->ticks = chunk_ticks;
    e->address = 0;
    e->pc = 0;
    e->stacks = 0;
}

static inline unsigned encode_bytes_of(uint64_t value)
{
    return (unsigned)(71 - __builtin_clzll(value | 1)) >> 3;
}

static inline void encode_store(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

static inline uint8_t *encode_varint(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

/* Clocks of two CPUs may differ by a few ticks: a stream never goes back. */
static inline uint64_t encode_tick_difference(struct encoder *e, uint64_t ticks)
{
    uint64_t difference = ticks > e->ticks ? ticks - e->ticks : 0;
    e->ticks += difference;
    return difference;
}

static inline uint64_t encode_address_difference(struct encoder *e, uint64_t address)
{
    uint64_t folded = rec_fold_address(address - e->address);
    e->address = address;
    return folded;
}

/* kind: REC_FREE or REC_REALLOC_BEGIN. */
static inline uint8_t *encode_free(struct encoder *e, uint8_t *at, enum rec_kind kind,
                                   uint64_t address, uint64_t ticks)
{
    uint64_t dt = encode_tick_difference(e, ticks), da = encode_address_difference(e, address);
    unsigned nt = encode_bytes_of(dt), na = encode_bytes_of(da);

    at[0] = (uint8_t)((unsigned)kind | (nt - 1) << 2 | (na - 1) << 5);
    encode_store(at + 1, dt);
    encode_store(at + 1 + nt, da);
    return at + 1 + nt + na;
}

/* How a stack differs from the previous one; ids are outer to inner. Or that it is,
 * flags included, one that this chunk has had: then only the number counts. */
struct encode_stack {
    uint32_t pops, pushes;
    unsigned flags;        /* rec_stack_flags of the whole stack */
    bool flags_changed;    /* against the stream's previous stack */
    const uint32_t *ids;   /* of the pushes */
    bool again;
    uint32_t number;       /* what encoder.stacks was before it was given; below REC_STACK_NUMBERS */
};

uint8_t *encode_stack_long(uint8_t *at, const struct encode_stack *stack);

static inline uint8_t *encode_stack(struct encoder *e, uint8_t *at, const struct encode_stack *stack,
                                    unsigned *ret_mode)
{
    if (stack->again) {
        uint16_t number = (uint16_t)stack->number;
        memcpy(at, &number, sizeof number);
        *ret_mode = REC_STACK_AGAIN;
        return at + sizeof number;
    }
    if (stack->pops == 0 && stack->pushes == 0 && !stack->flags_changed) {
        *ret_mode = REC_STACK_SAME;
        return at;
    }
    e->stacks++;
    if (stack->pops < 16 && stack->pushes < 16 && !stack->flags_changed) {
        uint8_t *to = at + 1;
        uint32_t all = 0;
        for (uint32_t i = 0; i < stack->pushes; i++, to += 2) {
            uint32_t id = stack->ids[i];
            all |= id;
            memcpy(to, &id, sizeof id);
        }
        if (all >> 16 == 0) {
            *at = (uint8_t)(stack->pops << 4 | stack->pushes);
            *ret_mode = REC_STACK_SHORT;
            return to;
        }
    }
    *ret_mode = REC_STACK_LONG;
    return encode_stack_long(at, stack);
}

/* function and alignment are looked at only for REC_ALLOC_ALIGNED. */
static inline uint8_t *encode_alloc(struct encoder *e, uint8_t *at, enum rec_alloc which,
                                    uint64_t address, uint64_t size, uint64_t ticks,
                                    enum rec_function function, uint64_t alignment,
                                    const struct encode_stack *stack)
{
    uint64_t dt = encode_tick_difference(e, ticks), da = encode_address_difference(e, address);
    unsigned nt = encode_bytes_of(dt), na = encode_bytes_of(da), ns = encode_bytes_of(size), mode;
    uint8_t *tag = at;

    at += 2;
    encode_store(at, dt);
    at += nt;
    encode_store(at, da);
    at += na;
    encode_store(at, size);
    at += ns;
    if (which == REC_ALLOC_ALIGNED) {
        *at++ = (uint8_t)function;
        at = encode_varint(at, alignment);
    }
    at = encode_stack(e, at, stack, &mode);
    tag[0] = (uint8_t)((unsigned)REC_ALLOC | (nt - 1) << 2 | (na - 1) << 5);
    tag[1] = (uint8_t)((ns - 1) | mode << 3 | (unsigned)which << 5);
    return at;
}

/* The rest are rare. Each body's bytes are in docs/format.md. */
uint8_t *encode_pc(struct encoder *e, uint8_t *at, uint32_t id, uint32_t module, uint64_t pc, bool exact);
uint8_t *encode_alloc_failed(struct encoder *e, uint8_t *at, enum rec_function function, uint64_t size,
                             uint64_t alignment, uint64_t ticks);
uint8_t *encode_realloc_failed(struct encoder *e, uint8_t *at, enum rec_function function,
                               uint64_t size, uint64_t ticks);
uint8_t *encode_realloc_freed(struct encoder *e, uint8_t *at, uint64_t ticks);
uint8_t *encode_free_by(struct encoder *e, uint8_t *at, enum rec_function function, uint64_t address,
                        uint64_t ticks);
uint8_t *encode_thread_end(struct encoder *e, uint8_t *at, uint64_t ticks);
uint8_t *encode_process_end(struct encoder *e, uint8_t *at, uint64_t ticks, uint32_t pid, enum rec_end how,
                            uint32_t wait_status);
uint8_t *encode_module_unload(struct encoder *e, uint8_t *at, uint64_t ticks, uint32_t id);
uint8_t *encode_lost(struct encoder *e, uint8_t *at, uint64_t ticks, uint64_t count, uint32_t reason);

/* Records with texts: room for their texts' lengths plus ENCODE_TEXTS_MAX. */
#define ENCODE_TEXTS_MAX 256u

struct encode_text {
    const char *data;
    size_t bytes;
};

struct encode_segment {
    uint64_t start, end; /* of executable pages */
};

struct encode_module {
    uint32_t id;
    uint64_t bias; /* address at run time - address in the file's symbols */
    const struct encode_segment *segments;
    uint32_t segment_count; /* at most ENCODE_SEGMENTS_MAX */
    struct encode_text build_id, path;
};
#define ENCODE_SEGMENTS_MAX 8u

struct encode_process {
    enum rec_start start;
    uint32_t ppid;
    uint64_t realtime_ns;
    uint64_t page_bytes;
    struct encode_text exe, arguments, directory, environment, call_graph, allocator;
    uint32_t max_depth;    /* frames of a stack that are recorded at most; 0: unknown */
    uint64_t sample_bytes; /* bytes between two samples on average; 0: every allocation is recorded */
    uint64_t min_size;     /* bytes: smaller allocations are not recorded */
    uint32_t flags;        /* rec_process_flags */
    struct encode_text other_malloc; /* path of the module whose malloc the program's calls reach instead of ours */
    uint64_t thread_bytes; /* that recording takes for each thread, without the live buffer; 0: unknown */
    uint64_t pid_namespace; /* its inode number; 0: unknown */
    uint64_t began;         /* field 22 of /proc/PID/stat, of the process and so of all its programs; 0: unknown */
    uint64_t parent_image;  /* of a fork: the image of what it is a copy of; 0: unknown */
};

uint8_t *encode_module_load(struct encoder *e, uint8_t *at, uint64_t ticks, const struct encode_module *m);
uint8_t *encode_thread_begin(struct encoder *e, uint8_t *at, uint64_t ticks, uint32_t tid,
                             struct encode_text name, bool nested);
uint8_t *encode_thread_name(struct encoder *e, uint8_t *at, uint64_t ticks, struct encode_text name);
uint8_t *encode_process_start(struct encoder *e, uint8_t *at, uint64_t ticks, const struct encode_process *p);
uint8_t *encode_untraced(struct encoder *e, uint8_t *at, uint64_t ticks, uint32_t pid, enum rec_untraced reason,
                         struct encode_text path);
uint8_t *encode_mark(struct encoder *e, uint8_t *at, uint64_t ticks, struct encode_text name);
uint8_t *encode_recording(struct encoder *e, uint8_t *at, uint64_t ticks, bool on, enum rec_switch by);
uint8_t *encode_deepbind(struct encoder *e, uint8_t *at, uint64_t ticks, struct encode_text path);
uint8_t *encode_own_heap(struct encoder *e, uint8_t *at, uint64_t ticks, struct encode_text path);
uint8_t *encode_trimmed(struct encoder *e, uint8_t *at, uint64_t ticks, uint64_t from_ns, uint64_t to_ns,
                        uint64_t left_out, uint32_t flags, struct encode_text origin);
/* Between the records of two chunks of one stream that become one chunk: ticks is the second one's. What has to do with differences
 * begins anew. */
uint8_t *encode_chunk_begin(uint8_t *at, uint64_t ticks);
uint8_t *encode_session_start(struct encoder *e, uint8_t *at, uint64_t ticks, uint64_t realtime_ns,
                              struct encode_text command, struct encode_text host,
                              struct encode_text version, uint32_t first_pid, uint32_t flags);

#endif
