/* The records inside a chunk's payload: their numbers and the tables that the
 * encoder, the decoder and docs/format.md share. May be included anywhere.
 *
 * The two low bits of a record's first byte say its kind:
 *
 *   kind 0, allocation     tag  2nd byte  stamp  address  size  [function alignment]  [stack]
 *   kind 1, free           tag  stamp  address
 *   kind 2, realloc begin  tag  stamp  address
 *   kind 3, other          tag  varint length  body; tag >> 2 is the rec_other number
 *
 *   tag       bits 2-4: bytes of the stamp - 1; bits 5-7: bytes of the address - 1
 *   2nd byte  bits 0-2: bytes of the size - 1; bits 3-4: rec_stack; bits 5-7: rec_alloc
 *   stamp     ticks since the stream's previous stamp in this chunk (or the chunk's ticks)
 *   address   difference to the stream's previous address in this chunk (or 0), as rec_fold_address
 *   varint    little-endian groups of 7 bits, the high bit set in all but the last */
#ifndef MALLOSCOPE_FORMAT_RECORD_H
#define MALLOSCOPE_FORMAT_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum rec_kind { REC_ALLOC = 0, REC_FREE = 1, REC_REALLOC_BEGIN = 2, REC_OTHER = 3 };

/* The functions that we stand in for. Logged as a number: never renumber. The last two
 * are all of C++'s operators new and delete, where an allocator has its own: elsewhere
 * they call malloc and free. */
#define REC_FUNCTIONS(X)                                                            \
    X(0, MALLOC, "malloc") X(1, CALLOC, "calloc") X(2, REALLOC, "realloc")          \
    X(3, REALLOCARRAY, "reallocarray") X(4, POSIX_MEMALIGN, "posix_memalign")       \
    X(5, ALIGNED_ALLOC, "aligned_alloc") X(6, MEMALIGN, "memalign")                 \
    X(7, VALLOC, "valloc") X(8, PVALLOC, "pvalloc") X(9, FREE, "free")              \
    X(10, CFREE, "cfree") X(11, FREE_SIZED, "free_sized")                           \
    X(12, FREE_ALIGNED_SIZED, "free_aligned_sized")                                 \
    X(13, NEW, "new") X(14, DELETE, "delete")

#define X(number, name, text) REC_FN_##name = number,
enum rec_function { REC_FUNCTIONS(X) REC_FN_COUNT };
#undef X

/* Three bits of an allocation record. */
enum rec_alloc {
    REC_ALLOC_MALLOC = 0,
    REC_ALLOC_CALLOC = 1,
    REC_ALLOC_REALLOC = 2,          /* of NULL */
    REC_ALLOC_REALLOCARRAY = 3,     /* of NULL */
    REC_ALLOC_REALLOC_END = 4,      /* follows a realloc begin of its stream */
    REC_ALLOC_REALLOCARRAY_END = 5,
    REC_ALLOC_ALIGNED = 6,          /* a byte with the rec_function and a varint alignment follow the size */
};

/* Two bits of an allocation record: how its stack differs from the stream's
 * previous one in this chunk (or from the empty one). Stacks are counted from
 * the outermost frame: pops drop inner frames, pushes add them, outer to inner. */
enum rec_stack {
    REC_STACK_SAME = 0,
    REC_STACK_SHORT = 1, /* a byte pops << 4 | pushes, then 2 bytes for each pc number */
    REC_STACK_LONG = 2,  /* varints: rec_stack_flags, pops, pushes, then the pc numbers */
    REC_STACK_AGAIN = 3, /* 2 bytes: the number of a stack of this chunk; its flags come with it */
};

/* In each chunk the stacks that are given in short or long form are numbered, from
 * 0; so many of them. Later ones have no number. */
#define REC_STACK_NUMBERS 8192

enum rec_stack_flags {
    REC_STACK_CUT = 1,      /* deeper than the depth limit: outer frames are missing */
    REC_STACK_PARTIAL = 2,  /* the unwinder gave up: outer frames may be missing */
    REC_STACK_GUESSED = 4,  /* a frame without unwind rules (a JIT's) was stepped over by its frame
                             * pointer: frames outward of it may be wrong */
    REC_STACK_FALLBACK = 8, /* the recorder's own rules could not step this stack; libunwind took it */
    REC_STACK_DIFFERS = 16, /* found by the recorder's self-check: libunwind sees another stack */
};

/* Bytes of an allocation; no address space is larger. An allocator that runs over may succeed all the same
 * (tcmalloc's pvalloc(-1) gives a page): who adds sizes up takes such a one for 0. */
#define REC_SIZE_MAX (1ull << 56)
static inline uint64_t rec_size_counted(uint64_t size)
{
    return size <= REC_SIZE_MAX ? size : 0;
}

#define REC_STACK_DEPTH_MAX 4096 /* frames; more is damage */

/* Kind 3. A reader skips numbers that it does not know, and bytes at the end of
 * a body beyond those that it knows. docs/format.md lists the bodies. */
#define REC_OTHERS(X)                                                                \
    X(1, PC, "pc") X(2, MODULE_LOAD, "module-load") X(3, MODULE_UNLOAD, "module-unload") \
    X(4, THREAD_BEGIN, "thread-begin") X(5, THREAD_END, "thread-end")                \
    X(6, THREAD_NAME, "thread-name") X(7, PROCESS_START, "process-start")            \
    X(9, PROCESS_END, "process-end")                                                 \
    X(10, LOST, "lost-events") X(11, ALLOC_FAILED, "allocation-failed")              \
    X(12, REALLOC_FAILED, "realloc-failed") X(13, REALLOC_FREED, "realloc-freed")    \
    X(14, FREE_BY, "free-by") X(15, SESSION_START, "session-start")                  \
    X(16, UNTRACED, "untraced-program") X(17, MARK, "mark") X(18, RECORDING, "recording")  \
    X(19, DEEPBIND, "deepbind") X(20, TRIMMED, "trimmed")                              \
    X(21, OWN_HEAP, "own-heap") X(22, CHUNK_BEGIN, "chunk-begin")

#define X(number, name, text) REC_##name = number,
enum rec_other { REC_OTHERS(X) REC_OTHER_COUNT = 64 };
#undef X

enum rec_pc_flags {
    REC_PC_EXACT = 1, /* the address of an interrupted instruction (a signal came), not a return address */
};

/* How a process came to be recorded: a new program in a new process; a copy of
 * its parent; a new program in a process that was recorded before. */
enum rec_start { REC_START_IMAGE = 0, REC_START_FORK = 1, REC_START_EXEC = 2 };

/* Why a program that a recorded process executed is not recorded. */
enum rec_untraced {
    REC_UNTRACED_WITHDRAWN = 0,  /* the exec that the process's last such record told of has failed */
    REC_UNTRACED_STATIC = 1,     /* statically linked */
    REC_UNTRACED_PRIVILEGED = 2, /* set-user-ID, set-group-ID, file capabilities; or the process has other effective ids than real ones */
    REC_UNTRACED_MACHINE = 3,    /* for another architecture */
    REC_UNTRACED_LIBC = 4,       /* for another C library: musl */
    REC_UNTRACED_UNREACHABLE = 5, /* the process cannot open the recorder's library or the log, or its limits leave no room for them */
    REC_UNTRACED_SANITIZER = 6,  /* linked with a sanitizer's runtime that must be loaded first, or told to preload one */
    REC_UNTRACED_SANDBOX = 7,    /* the process has forbidden itself system calls that recording needs, on pain of death */
    REC_UNTRACED_STATIC_PASSES = 8, /* as REC_UNTRACED_STATIC, but what it starts may be recorded */
    REC_UNTRACED_FAILED = 9,     /* the recorder was in it, and could not begin: no room for a live file, no right to make one */
    REC_UNTRACED_UNTOLD = 10,    /* no more is known of it: the executing process could write no record, and counted it */
};

/* What a process-start record's flags say. */
enum rec_process_flags {
    REC_PROCESS_PAUSED = 1,   /* recording begins paused */
};

/* What a trimmed record says of the log that this one was made from. */
enum rec_trimmed_flags {
    REC_TRIMMED_INCOMPLETE = 1, /* it was damaged, or something was missing in it */
};

/* What a session leaves out. */
enum rec_session_flags {
    REC_SESSION_NO_PROGRAMS = 1, /* that its processes execute: --follow fork or none */
    REC_SESSION_NO_CHILDREN = 2, /* forked ones: --follow none */
};

/* Who says that a process ended, and how. */
enum rec_end { REC_END_EXIT = 0, REC_END_AWAITED = 1, REC_END_LEFT = 2, REC_END_QUICK = 3 };

/* Who paused recording or went on with it. */
enum rec_switch { REC_SWITCH_CALL = 0, REC_SWITCH_SIGNAL = 1 };

/* So many zero bytes at a record's place are none: a file was cut there and has grown again. As
 * allocations they would be three of 0 bytes at one address in no time, without a free. */
#define REC_HOLE_BYTES 16

static inline bool rec_is_hole(const uint8_t *at, const uint8_t *end)
{
    static const uint8_t zeros[REC_HOLE_BYTES];
    return *at == 0 && end - at >= REC_HOLE_BYTES && memcmp(at, zeros, sizeof zeros) == 0;
}

/* Names for people; NULL for a number that is not known. */
const char *rec_function_name(unsigned function);
const char *rec_other_name(unsigned other);

/* Addresses are mostly multiples of 16: the difference's low 4 bits go to the
 * top, so that they cost bytes only where they are not 0, and its sign to the
 * lowest bit. One to one on all of uint64_t. */
static inline uint64_t rec_fold_address(uint64_t difference)
{
    int64_t sixteenths = (int64_t)difference >> 4;
    uint64_t folded = ((uint64_t)sixteenths << 1) ^ (uint64_t)(sixteenths >> 63);
    return folded | (difference & 15) << 60;
}

static inline uint64_t rec_unfold_address(uint64_t folded)
{
    uint64_t low = folded >> 60, zigzag = folded & (~0ull >> 4);
    uint64_t sixteenths = (zigzag >> 1) ^ (0 - (zigzag & 1));
    return sixteenths << 4 | low;
}

static inline uint64_t rec_zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static inline int64_t rec_unzigzag(uint64_t value)
{
    return (int64_t)((value >> 1) ^ (0 - (value & 1)));
}

#endif
