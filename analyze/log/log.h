/* A log on disk, made safe: which chunks it has that are whole, whose they are,
 * and what is not whole. Chunks that processes have left in their live files
 * count as the log's own.
 *
 * Opening reads the whole file, and its spool, once and tests every checksum; what
 * has passed can be loaded later, in any order, from several threads at once. Memory:
 * 64 bytes for each chunk, and a copy of what is in live files. Functions return 0
 * or -errno and never print. */
#ifndef MALLOSCOPE_LOG_LOG_H
#define MALLOSCOPE_LOG_LOG_H

#include "analyze/log/columns.h"
#include "analyze/log/index.h"
#include "analyze/util.h"
#include "format/layout.h"

#define LOG_FILE_SPOOL UINT32_MAX

struct log_chunk {
    uint64_t offset; /* of the payload, in its file */
    uint32_t file;   /* 0: the log; LOG_FILE_SPOOL; else 1 + index of the live file */
    uint32_t payload_bytes; /* of the records */
    uint32_t packed_bytes;  /* as which the payload is stored; 0: it is as it is */
    uint32_t process; /* index */
    uint32_t stream;  /* index; UINT32_MAX for a session chunk */
    uint32_t sequence;
    uint32_t sequences; /* it is so many chunks: `sequence` and the next ones */
    bool ticks_are_ns;
    bool is_cut; /* REC_CHUNK_CUT */
    bool torn; /* cut short by the recording's end: its first records are whole */
    bool is_piece; /* torn, and found as such: no chunk by itself, and not one of REC_CHUNK_TORN */
    uint64_t ticks, clock_ns;
};

struct log_stream {
    uint32_t process; /* index */
    uint32_t number;  /* within the process */
    size_t *chunks;   /* indexes, by sequence */
    size_t chunk_count, chunk_capacity;
};

struct log_process {
    uint32_t pid;
    uint64_t image;
    uint32_t stream_count; /* 0: only the launcher knows of it */
    bool summed_up;        /* its live file has been merged, but for its removal perhaps */
    bool has_live;         /* its live file is there */
    bool left_out;         /* by log_select */
    uint64_t chunk_count, expected_chunks; /* of events; expected: where it is summed up */
    uint64_t gaps;         /* chunks missing between others */
};

struct log_damage {
    bool in_spool; /* not in the log */
    uint64_t offset, bytes;
    const char *reason;
    struct rec_chunk_header header; /* of the chunk that is not whole, as far as it is there */
    uint32_t header_bytes;          /* of it that are there; 0: it is none */
};

/* Names of code that somebody has found out (format/names.h). */
struct log_names {
    struct log_chunk chunk; /* for log_load(); of no process or stream of the log */
    uint32_t pid;           /* of the process, for code in no file; else 0 */
    uint64_t image;
};

struct log_slot; /* a copy of what a live file's slot holds */

struct log_live {
    char *path;
    struct rec_live_header header;
    struct log_slot **slots; /* by number, as they were when the log was opened; NULL: no chunk */
    size_t slot_count, slot_capacity;
    uint32_t process;
    bool running; /* its process still writes */
    bool is_cut;  /* the file is shorter than what was written: a chunk at least is missing */
    uint64_t recovered_bytes; /* of payload that is nowhere else */
};

struct log {
    char *path;
    int fd;
    uint64_t bytes; /* of the file, when it was opened */
    bool is_alone;  /* it came through a pipe: what lies beside the file is not known */
    bool is_beginning; /* and the user did not wait for its end. Set by who opens it */
    struct rec_file_header header;
    int spool_fd;         /* -1: no spool */
    uint64_t spool_end;   /* its bytes, when it was opened */
    uint64_t spool_bytes; /* of them, those that were not in the log then */
    struct unpackers *unpackers;
    bool one_thread; /* who reads it starts no threads; what is read is the same. Set by the user of the log */

    struct log_chunk *chunks;
    size_t chunk_count, chunk_capacity;
    struct log_names *names; /* in the order of the file */
    size_t names_count, names_capacity;
    struct log_stream *streams;
    size_t stream_count, stream_capacity;
    struct log_process *processes;
    size_t process_count, process_capacity;
    struct index process_index, stream_index; /* by pid and image, by process and number */
    struct index session_index; /* session chunks by their checksums */
    size_t recorded_count; /* processes that have a stream */
    struct log_live *lives;
    size_t live_count, live_capacity;

    struct log_damage *damages;
    size_t damage_count, damage_capacity;
    uint64_t damaged_bytes;
    uint64_t missing_chunks; /* that the streams' sequences or the sums tell of */
    bool has_session_start, has_session_end; /* the launcher's first and last chunk */
    size_t cut_processes;    /* whose end is not there: no sum and no live file */
    bool lacks_processes;    /* from which some that are here come; looked at where the launcher's end is missing */
    bool is_selection;       /* log_select has left out processes */
    uint32_t stop_errno;     /* why logging ended early in a process whose live file is there; 0: it did not */
    bool launcher_runs;      /* and holds the log */
    uint64_t lost_events;    /* said by the live files of this log */
    uint64_t untraced;        /* programs that live files count of which there is no record */
    uint64_t recovered_bytes;

    /* Ticks to nanoseconds, for streams that count in CPU ticks. */
    double ns_per_tick;
    uint64_t base_ticks, base_ns;
    uint64_t first_ns; /* CLOCK_MONOTONIC of the session's first chunk */
    uint64_t opened_ns, opened_realtime_ns; /* what is later is not here */
};

int log_open(const char *path, struct log **ret_log, struct failure *ret_failure);
/* For the launcher, which holds the log by this descriptor (hold.h) and is not to be taken for another. */
int log_open_held(const char *path, int launcher_fd, struct log **ret_log, struct failure *ret_failure);
/* A regular file that is all there is of a log: nothing that lies beside it is looked at. The
 * descriptor is the log's from here on. */
int log_open_fd(int fd, const char *name, struct log **ret_log, struct failure *ret_failure);
void log_free(struct log *log);

/* From here on the log has the events of processes with these pids only. What is
 * damaged or missing is still told of the whole log. Once for a log. */
void log_select(struct log *log, const uint32_t *pids, size_t count);
/* Processes that recorded and are not left out, and their streams. */
void log_count_selected(const struct log *log, size_t *ret_processes, size_t *ret_streams);

/* Whether a process of the session still records, or `record` itself still runs, on this machine. */
bool log_is_running(const struct log *log);

/* The launcher began the log and did not end it, nor will it: it was killed, could not
 * write it, or the log was cut. */
static inline bool log_launcher_died(const struct log *log)
{
    return log->has_session_start && !log->has_session_end && log->recorded_count && !log_is_running(log);
}

/* All that the processes of the log have recorded is there, as far as their sums and
 * live files tell. */
static inline bool log_events_are_whole(const struct log *log)
{
    return !log->damage_count && !log->missing_chunks && !log->cut_processes && !log->lacks_processes;
}

/* To decode a chunk's payload, of so many chunks as it is. */
static inline void log_decoder_begin(struct decoder *d, const struct log_chunk *chunk, const void *payload)
{
    decoder_begin(d, payload, chunk->payload_bytes, chunk->ticks);
    d->now.begins = chunk->payload_bytes ? chunk->sequences - 1 : 0; /* of what is also elsewhere nothing is read */
}

/* Reads a chunk's payload into buffer, which has room for payload_bytes. -EBADMSG: it
 * is packed and cannot be unpacked. */
int log_load(const struct log *log, const struct log_chunk *chunk, void *buffer);

/* The same of a chunk that is packed, as columns, for columns_at() and columns_next(): *columns is make_room_for()'s. */
int log_load_columns(const struct log *log, const struct log_chunk *chunk, void **columns, size_t *capacity);

/* Only the sizes of a chunk's allocations, without the rest being unpacked: add() is
 * called for each. *ret_events: of allocations and frees. -EAGAIN: it takes log_load(). */
int log_load_sizes(const struct log *log, const struct log_chunk *chunk, columns_add *add, void *data, uint64_t *ret_events);

#define LOG_NS_MAX 0x1p62 /* a century; what is further away is damage, and no number to convert */

/* CLOCK_MONOTONIC in nanoseconds of a stamp in this chunk's clock. Keeps the order of stamps. */
static inline uint64_t log_ns(const struct log *log, bool ticks_are_ns, uint64_t ticks)
{
    if (ticks_are_ns)
        return ticks;
    double ns = (double)(int64_t)(ticks - log->base_ticks) * log->ns_per_tick;
    return log->base_ns + (uint64_t)(int64_t)(ns > LOG_NS_MAX ? LOG_NS_MAX : ns < -LOG_NS_MAX ? -LOG_NS_MAX : ns);
}

/* For the files of this folder. */
struct log_chunk *log_add_chunk(struct log *log, const struct rec_chunk_header *header, uint32_t file,
                                uint64_t payload_offset);
int log_read_at(int fd, void *buffer, size_t bytes, uint64_t offset); /* all of it; -ENODATA: it is not there */
uint32_t log_find_process(struct log *log, uint32_t pid, uint64_t image);
/* scan.c: adds the chunks of the log (file 0) or of its spool, from offset to end, and what is damaged. */
void log_scan(struct log *log, uint32_t file, int fd, uint64_t offset, uint64_t end);
void log_scan_spool(struct log *log); /* if there is one */
/* streams.c, in this order, when all chunks are there: each stream's by sequence, each once; what is missing; and
 * pieces of what is also whole are no damage. */
void log_order_streams(struct log *log);
void log_count_missing(struct log *log);
void log_forget_torn_pieces(struct log *log);
int log_read_lives(struct log *log); /* live.c: looks at the live files, and ... */
void log_add_lives(struct log *log); /* ... counts what they had as the log's own */
void log_load_live(const struct log_live *live, const struct log_chunk *chunk, void *buffer);

#endif
