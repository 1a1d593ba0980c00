/* A libFuzzer target for what makes logs of logs: 4 bytes that say which part is wanted,
 * then a log, whose checksums are put right; or FUZZ_MADE, and what made_log.h makes a log of.
 * Its part must be a sound log and tell of the part what the log tells of it. */
#include "analyze/hash.h"
#include "analyze/model/facts.h"
#include "analyze/model/trim.h"
#include "format/checksum.h"
#include "format/chunk.h"
#include "tests/fuzz/made_log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUZZ_MADE "MADE"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static char directory[PATH_MAX - 16], log_path[PATH_MAX], part_path[PATH_MAX];

static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz_trim: not so: %s\n", what);
    abort();
}

static int put(void *data, const struct rec_chunk_header *chunk, size_t bytes)
{
    demand(chunk_header_sound(chunk) && chunk_payload_intact(chunk, chunk + 1), "a chunk is sound");
    return write(*(int *)data, chunk, bytes) == (ssize_t)bytes ? 0 : -EIO;
}

static bool goes_on(void *data, double progress)
{
    (void)data;
    return progress <= 1;
}

/* Checksums and lengths as they should be. */
static void mend(uint8_t *data, size_t size)
{
    static const uint32_t magic = REC_CHUNK_MAGIC;
    struct rec_file_header header;

    file_header_make(&header, (const uint8_t *)"session of fuzz ");
    memcpy(data, &header, sizeof header);
    for (size_t at = sizeof header; at + sizeof(struct rec_chunk_header) <= size;) {
        struct rec_chunk_header chunk;
        memcpy(&chunk, data + at, sizeof chunk);
        if (chunk.magic != magic) {
            at++;
            continue;
        }
        chunk.flags &= (uint8_t)~REC_CHUNK_PACKED;
        chunk.header_bytes = sizeof chunk;
        if (chunk.type == REC_CHUNK_EVENTS && !chunk.pid) /* that is nobody: left out */
            chunk.pid = 1;
        if (chunk.payload_bytes > size - at - sizeof chunk)
            chunk.payload_bytes = (uint32_t)(size - at - sizeof chunk);
        chunk.payload_checksum = checksum(data + at + sizeof chunk, chunk.payload_bytes);
        chunk.header_checksum = checksum(&chunk, offsetof(struct rec_chunk_header, header_checksum));
        memcpy(data + at, &chunk, sizeof chunk);
        at += sizeof chunk + chunk.payload_bytes;
    }
}

static void make_file(const uint8_t *data, size_t size)
{
    static struct made_log log;

    if (size >= strlen(FUZZ_MADE) && memcmp(data, FUZZ_MADE, strlen(FUZZ_MADE)) == 0)
        made_log(&log, data + strlen(FUZZ_MADE), size - strlen(FUZZ_MADE));
    else
        memcpy(log.bytes, data, log.count = size < sizeof log.bytes ? size : sizeof log.bytes);
    if (log.count >= sizeof(struct rec_file_header))
        mend(log.bytes, log.count);
    int fd = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    demand(fd >= 0 && write(fd, log.bytes, log.count) == (ssize_t)log.count, "a file can be written");
    close(fd);
}

static uint64_t sum(const uint64_t *numbers, size_t count)
{
    uint64_t all = 0;

    for (size_t i = 0; i < count; i++)
        all += numbers[i];
    return all;
}

static void compare(const struct facts *part, const struct facts *whole)
{
    demand(part->allocations == whole->allocations && part->allocated_bytes == whole->allocated_bytes, "allocations are the same");
    demand(part->goes_on == whole->goes_on && (part->duration_ns == whole->duration_ns || !whole->goes_on), "it is cut at the same time");
    demand(part->peak_bytes == whole->peak_bytes && part->peak_ns == whole->peak_ns, "the peak is the same");
    demand(part->leaked_blocks == whole->leaked_blocks && part->leaked_bytes == whole->leaked_bytes, "what lives is the same");
    demand(sum(part->lifetimes_us, FACTS_LIFETIMES) == sum(whole->lifetimes_us, FACTS_LIFETIMES), "what was freed is the same");
    demand(part->frees == whole->frees && memcmp(part->by_function, whole->by_function, sizeof part->by_function) == 0, "frees and calls are the same");
    demand(part->temporary == whole->temporary && part->failed == whole->failed, "temporary and failed ones are the same");
}

/* reallocating: by stream, the block that it is in a realloc of; 0: none, or its address was given out again. */
static bool is_taken_twice(const struct log *log, const struct timed_event *e, uint64_t *reallocating)
{
    bool is_taken = e->event.type == EVENT_FREE || e->event.type == EVENT_REALLOC_BEGIN, twice = false;
    bool is_given = e->event.type == EVENT_ALLOC || e->event.type == EVENT_REALLOC_END;

    for (size_t i = 0; (is_taken || is_given) && i < log->stream_count; i++) {
        if (log->streams[i].process != e->process || !reallocating[i] || reallocating[i] != e->event.address)
            continue;
        twice |= is_taken && i != e->stream;
        reallocating[i] = is_given ? 0 : reallocating[i];
    }
    if (e->event.type == EVENT_REALLOC_BEGIN)
        reallocating[e->stream] = e->event.address;
    else if (e->event.type == EVENT_REALLOC_END || e->event.type == EVENT_REALLOC_FAILED || e->event.type == EVENT_REALLOC_FREED)
        reallocating[e->stream] = 0;
    return twice;
}

/* Not where stamps run backwards, or beyond what a number holds; nor where streams have events in one nanosecond,
 * whose order may be another in the part; nor where one stream frees a block, or begins to reallocate it, that is in another's
 * realloc: no thread may, and where that realloc fails then, the block is there again, and the free has missed it. */
static bool is_ordered(const struct log *log)
{
    struct reader *reader = reader_open(log);
    uint64_t *last = calloc(log->stream_count + 1, sizeof *last), last_ns = 0;
    uint64_t *reallocating = calloc(log->stream_count + 1, sizeof *reallocating); /* addresses */
    uint32_t last_stream = 0;
    struct timed_event e;
    bool is_so = true;

    while (reader_next(reader, &e)) {
        is_so &= e.ns >= last[e.stream] && e.ns >= log->first_ns && e.ns < UINT64_MAX / 4;
        is_so &= e.ns > last_ns || e.stream == last_stream;
        is_so &= !is_taken_twice(log, &e, reallocating);
        last[e.stream] = last_ns = e.ns;
        last_stream = e.stream;
    }
    reader_free(reader);
    free(last);
    free(reallocating);
    return is_so;
}

static void trim(struct log *log, uint64_t from_ns, uint64_t to_ns, bool is_countable)
{
    struct rec_file_header header;
    struct failure failure;
    struct log *made;
    uint64_t bad, offset;
    int fd = open(part_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    file_header_make(&header, (const uint8_t *)"session of part ");
    demand(fd >= 0 && write(fd, &header, sizeof header) == (ssize_t)sizeof header, "a file can be written");
    demand(trim_log(log, &(struct trim_options){ .from_ns = from_ns, .to_ns = to_ns, .put = put, .put_data = &fd, .goes_on = goes_on },
                    &bad, &offset) == 0, "a log can be trimmed");
    close(fd);
    demand(log_open(part_path, &made, &failure) == 0, "the part is a log");
    demand(!made->damage_count, "nothing in the part is damaged");
    demand(!made->missing_chunks, "no chunk of the part is missing");
    demand(!made->cut_processes, "no process of the part is cut");
    struct facts *whole = facts_collect(log, &(struct facts_options){ .from_ns = from_ns, .to_ns = to_ns });
    struct facts *part = facts_collect(made, &(struct facts_options){ .from_ns = from_ns });
    demand(part->bad_chunks == 0, "its chunks are good");
    /* How much a sampled allocation stands for a process's first record tells, which in a made-up log may come late. */
    bool is_sampled = !settings_all_recorded(&whole->settings) || !settings_all_recorded(&part->settings);
    if (is_countable && !is_sampled && is_ordered(log))
        compare(part, whole);
    facts_free(whole);
    facts_free(part);
    log_free(made);
}

static void remove_files(void)
{
    unlink(log_path);
    unlink(part_path);
    rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *temporary = getenv("TMPDIR");

    (void)argc;
    (void)argv;
    memset(hash_key, 1, sizeof hash_key); /* the same bytes do the same each time */
    snprintf(directory, sizeof directory, "%s/fuzz_trim-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    demand(mkdtemp(directory) != NULL, "a directory can be made");
    snprintf(log_path, sizeof log_path, "%s/log", directory);
    snprintf(part_path, sizeof part_path, "%s/part", directory);
    atexit(remove_files);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct failure failure;
    uint16_t part[2];
    struct log *log;

    if (size < sizeof part)
        return 0;
    memcpy(part, data, sizeof part);
    make_file(data + sizeof part, size - sizeof part);
    if (log_open(log_path, &log, &failure) != 0)
        return 0;
    log->one_thread = true;
    struct facts *all = facts_collect(log, NULL);
    uint64_t from_ns = (uint64_t)((double)all->duration_ns * part[0] / 65536), to_ns = (uint64_t)((double)all->duration_ns * part[1] / 65536);
    /* What no sum holds counts as lost: in the part less may be before it. And a log of no event has no time. */
    bool is_countable = all->allocated_bytes < 1ull << 48 && !all->told.lost_events && all->events;
    facts_free(all);
    trim(log, from_ns, to_ns > from_ns ? to_ns : 0, is_countable);
    log_free(log);
    return 0;
}
