/* The log's fixed parts, byte for byte: file header, chunk header, and the live
 * file that holds the chunks which are still being filled.
 *
 * Everything is little-endian and naturally aligned. docs/format.md shows the
 * same tables; tests/unit/test_format_doc holds the two together.
 * May be included anywhere. */
#ifndef MALLOSCOPE_FORMAT_LAYOUT_H
#define MALLOSCOPE_FORMAT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the log is little-endian and is read and written in place"
#endif

#define REC_FILE_MAGIC "\x8fMSCOPE\n" /* 8 bytes: not text, and damaged by text-mode copies */
#define REC_CHUNK_MAGIC 0x4b43534du   /* "MSCK" */
#define REC_LIVE_MAGIC "\x8fMSLIVE\n"
#define REC_VERSION 1

/* A reader that meets an incompatible flag it does not know must not go on; a
 * compatible flag may be ignored. */
enum rec_file_flags {
    REC_FILE_PACKED = 1, /* incompatible: chunks may have REC_CHUNK_PACKED */
};
#define REC_KNOWN_INCOMPATIBLE ((uint64_t)REC_FILE_PACKED)

struct rec_file_header {
    char magic[8];
    uint16_t version;
    uint16_t header_bytes;       /* of this header; chunks start here */
    uint32_t reserved;           /* 0 */
    uint64_t compatible_flags;
    uint64_t incompatible_flags;
    uint8_t session[16];         /* random; processes join by it */
    uint64_t reserved2;          /* 0 */
    uint64_t checksum;           /* XXH64 of the bytes before it */
};

enum rec_chunk_type {
    REC_CHUNK_EVENTS = 1,  /* a run of one stream's records */
    REC_CHUNK_SESSION = 2, /* what the launcher or a reader knows of a process, of no stream */
    REC_CHUNK_NAMES = 3,   /* what a reader has found out about code: functions and lines (names.h) */
};

/* Sequence of the session chunk that sums up a process, written when its live
 * file is merged: its stream is the number of event chunks that the process has. */
#define REC_SESSION_SUM 1u
/* Sequence of the launcher's last session chunk; its first is about pid 0. */
#define REC_SESSION_END 2u
/* Sequence of a session chunk, about pid 0, of programs that nobody else tells of: those of LOG's unrecorded
 * file, or as many as a live file's header counts. */
#define REC_SESSION_UNTRACED 3u

/* x86-64: ticks of the CPU's counter without so many low bits, 5 to 8 ns. They say nothing, as counters go in steps that are
 * longer (of 10 ns, say), and a block that is freed by one thread is another one's no sooner; but they would be a third
 * of a packed log. */
#define REC_COUNTER_SHIFT 4

enum rec_chunk_flags {
    REC_CHUNK_TICKS_ARE_NS = 1, /* the clock is CLOCK_MONOTONIC itself, not a CPU counter */
    REC_CHUNK_PACKED = 2,       /* the payload is a rec_packed_header and a zstd frame */
    REC_CHUNK_CUT = 4,          /* its events are left out; its lost-events record says how many */
    REC_CHUNK_TORN = 8,         /* the first records of a chunk that was cut short; the last one perhaps as well */
};

/* A process is told apart by (pid, image): exec keeps the pid, and pids return. */
struct rec_chunk_header {
    uint32_t magic;
    uint8_t type;
    uint8_t flags;         /* rec_chunk_flags */
    uint16_t header_bytes; /* of this header; the payload follows */
    uint32_t payload_bytes;
    uint32_t pid;          /* 0 in a session chunk about no process */
    uint64_t image;        /* nanoseconds of CLOCK_REALTIME when recording began in this process */
    uint32_t stream;       /* number within the process, from 0; session chunk: see REC_SESSION_SUM */
    uint32_t sequence;     /* number within the stream, from 0; session chunk: 0, REC_SESSION_SUM or _END */
    uint64_t ticks;        /* clock at the chunk's start: base of its stamps, and ... */
    uint64_t clock_ns;     /* ... CLOCK_MONOTONIC then: a calibration pair */
    uint64_t payload_checksum; /* XXH64 of the payload */
    uint64_t header_checksum;  /* XXH64 of the bytes before it */
};

#define REC_CHUNK_PAYLOAD_MAX (1u << 20) /* larger is damage; nothing is allocated for it */

#define REC_COLUMNS 17

/* Begins the payload of a packed chunk. The zstd frame behind it holds the columns
 * one after the other; docs/format.md says how records are made of them. */
struct rec_packed_header {
    uint64_t payload_checksum; /* XXH64 of the records */
    uint32_t payload_bytes;    /* of the records; at most REC_CHUNK_PAYLOAD_MAX */
    uint32_t sequences;        /* so many chunks have become this one: the chunk's sequence, and those that follow it; 1 or more */
    uint32_t column_bytes[REC_COLUMNS];
    uint32_t reserved;         /* 0 */
};

/* Begins LOG.spool: chunks on their way into a log with REC_FILE_PACKED. The words
 * behind the file header are no part of its checksum: they change. */
struct rec_spool_header {
    struct rec_file_header file; /* with this struct's header_bytes */
    uint64_t consumed;           /* offset; what is before it is in the log, and may be a hole here */
    uint32_t closed;             /* not 0: about to be removed; a process that comes now appends to the log */
    uint32_t stop;               /* not 0: nothing is to be logged any more, and why (as stop_errno) */
    uint64_t end_most;           /* bytes; a chunk with which the spool becomes larger is one too many; 0: none is */
    uint64_t log_most;           /* bytes that the log may have; 0: no limit */
};

/* The live file, LOG.live.PID, or LOG.live.PID.N for the Nth program that a
 * process exec'd: a header page, then slots of slot_bytes.
 * It is mapped shared, so it outlives its process however that dies. */
struct rec_live_header {
    char magic[8];
    uint16_t version;
    uint16_t reserved;
    uint32_t pid;
    uint64_t image;
    uint8_t session[16];
    uint64_t process_start;  /* clock ticks since boot, field 22 of /proc/PID/stat; 0 unknown */
    uint32_t slot_bytes;
    uint32_t stop_errno;     /* why logging stopped: an errno value or REC_STOP_LIMIT; 0: it did not */
    uint64_t lost_events;    /* events that could not be logged */
    uint64_t log_most;       /* bytes that the log may have; 0: no limit */
    uint64_t untraced;       /* programs that could not be recorded, and of which no record could be written */
};

/* The unrecorded file, in memory: made by the launcher, so that a program which can make no file, write to none
 * beside the log or find no room there has a place where it can say so. A header, then entries, each appended by one
 * write(); everybody may write to it. */
#define REC_UNRECORDED_MAGIC "\x8fMSUNRE\n"
struct rec_unrecorded_header {
    char magic[8];
    uint64_t consumed; /* offset; the entries before it are in the log */
    uint8_t reserved[240];
};

struct rec_unrecorded {
    uint32_t pid;
    uint32_t reason; /* rec_untraced */
    char path[248];  /* of the program; what is longer is cut */
};

/* In place of an errno value. The log has the size that the user allows. */
#define REC_STOP_LIMIT 5000u
/* The program has forbidden itself system calls, and the slots kept for that are full. */
#define REC_STOP_SANDBOX 5001u
/* The program has forbidden itself the clocks that can be read without a system call. */
#define REC_STOP_CLOCK 5002u

#define REC_LIVE_HEADER_BYTES 4096u
#define REC_LIVE_SLOT_BYTES 65536u

/* A program that may have less than this of data (RLIMIT_DATA) is not recorded: what it can write of
 * the recorder's counts, too. */
#define REC_LEAST_DATA_LIMIT (64u << 20)

/* Each slot: this, then a chunk header, then payload. The chunk in a slot is
 * whole up to used_bytes; it has no length and no checksum yet. */
struct rec_live_slot {
    uint64_t used_bytes; /* of payload; published after each record */
    /* 0: the slot is of the live file's process. Else of a forked child without a live
     * file of its own, and this is that process's process_start; 1 unknown. */
    uint64_t owner_start;
};

_Static_assert(sizeof(struct rec_file_header) == 64, "file header");
_Static_assert(sizeof(struct rec_chunk_header) == 64, "chunk header");
_Static_assert(sizeof(struct rec_packed_header) == 88, "packed header");
_Static_assert(sizeof(struct rec_spool_header) == 96, "spool header");
_Static_assert(sizeof(struct rec_live_header) == 80, "live header");
_Static_assert(sizeof(struct rec_unrecorded_header) == 256, "unrecorded header");
_Static_assert(sizeof(struct rec_unrecorded) == 256, "unrecorded entry");
_Static_assert(sizeof(struct rec_live_slot) == 16, "live slot");

#endif
