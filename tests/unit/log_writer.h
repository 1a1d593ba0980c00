/* Logs made by hand, in memory: what test_log, test_damage and test_live read.
 * Clocks are in nanoseconds (REC_CHUNK_TICKS_ARE_NS), so a stamp is a time. */
#ifndef MALLOSCOPE_TESTS_UNIT_LOG_WRITER_H
#define MALLOSCOPE_TESTS_UNIT_LOG_WRITER_H

#include "format/checksum.h"
#include "format/chunk.h"
#include "format/encode.h"
#include "tests/unit/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* This process may take so many bytes more; it ends with 3 where that cannot be set. */
static inline void limit_memory(rlim_t bytes)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (!file || fscanf(file, "%lu", &pages) != 1)
        _exit(3);
    struct rlimit limit = { pages * 4096 + bytes, RLIM_INFINITY };
    setrlimit(RLIMIT_AS, &limit);
}

static const uint8_t log_session[16] = "session of tests";

struct log_bytes {
    uint8_t *data;
    size_t count, capacity;
    size_t starts[1024]; /* offsets of the chunks, then of the end */
    size_t chunk_count;
};

static inline void log_bytes_add(struct log_bytes *l, const void *data, size_t bytes)
{
    if (l->count + bytes > l->capacity) {
        l->capacity = (l->count + bytes) * 2;
        l->data = realloc(l->data, l->capacity);
    }
    memcpy(l->data + l->count, data, bytes);
    l->count += bytes;
}

static inline void log_bytes_begin(struct log_bytes *l)
{
    struct rec_file_header header;

    free(l->data);
    *l = (struct log_bytes){ 0 };
    file_header_make(&header, log_session);
    log_bytes_add(l, &header, sizeof header);
    l->starts[0] = l->count;
}

/* One chunk in the making: records go to `at`. */
static struct {
    struct rec_chunk_header header;
    uint8_t records[65536]; /* more than a slot has */
} made;
static struct encoder encoder;
static uint8_t *at;

static inline void chunk_begin(uint32_t pid, uint32_t stream, uint32_t sequence, uint64_t ns)
{
    made.header = (struct rec_chunk_header){
        .type = REC_CHUNK_EVENTS, .flags = REC_CHUNK_TICKS_ARE_NS, .pid = pid, .image = 1000 + pid, .stream = stream,
        .sequence = sequence, .ticks = ns, .clock_ns = ns,
    };
    encoder_begin(&encoder, ns);
    at = made.records;
}

static inline void log_bytes_add_again(struct log_bytes *l)
{
    log_bytes_add(l, &made, sizeof made.header + made.header.payload_bytes);
    l->starts[++l->chunk_count] = l->count;
}

static inline void chunk_end(struct log_bytes *l)
{
    chunk_seal(&made.header, (uint32_t)(at - made.records));
    log_bytes_add_again(l);
}

static inline void add_malloc(uint64_t ns, uint64_t address, uint64_t size)
{
    at = encode_alloc(&encoder, at, REC_ALLOC_MALLOC, address, size, ns, 0, 0, &(struct encode_stack){ 0 });
}

static inline void add_free(uint64_t ns, uint64_t address)
{
    at = encode_free(&encoder, at, REC_FREE, address, ns);
}

static inline void add_realloc_begin(uint64_t ns, uint64_t address)
{
    at = encode_free(&encoder, at, REC_REALLOC_BEGIN, address, ns);
}

static inline void add_realloc_end(uint64_t ns, uint64_t address, uint64_t size)
{
    at = encode_alloc(&encoder, at, REC_ALLOC_REALLOC_END, address, size, ns, 0, 0, &(struct encode_stack){ 0 });
}

/* --- files ----------------------------------------------------------------- */

static char directory[] = "/tmp/malloscope-unit-XXXXXX";
static char log_path[PATH_MAX];

static inline void directory_make(void)
{
    CHECK(mkdtemp(directory) != NULL);
    snprintf(log_path, sizeof log_path, "%s/log", directory);
}

static inline size_t directory_remove_files(void)
{
    DIR *entries = opendir(directory);
    size_t count = 0;

    for (struct dirent *entry; (entry = readdir(entries));)
        if (entry->d_name[0] != '.')
            count += unlinkat(dirfd(entries), entry->d_name, 0) == 0;
    closedir(entries);
    return count;
}

static inline void directory_remove(void)
{
    directory_remove_files();
    CHECK(rmdir(directory) == 0);
}

static inline void file_write(const char *path, const void *bytes, size_t count)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, bytes, count) == (ssize_t)count);
    close(fd);
}

static inline void log_bytes_write(const struct log_bytes *l)
{
    file_write(log_path, l->data, l->count);
}

#endif
