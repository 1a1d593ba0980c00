/* What trim has to do that recorded programs seldom make it do. */
#include "analyze/model/trim.h"

#include "analyze/log/reader.h"
#include "tests/unit/log_writer.h"

#include <errno.h>

#define PID 7

static struct log_bytes bytes, trimmed;

static int put(void *data, const struct rec_chunk_header *chunk, size_t count)
{
    log_bytes_add(data, chunk, count);
    return 0;
}

static bool goes_on(void *data, double progress)
{
    return *(bool *)data && progress >= 0;
}

static bool going = true;

/* The part, as the log at log_path. */
static int trim(uint64_t from_ns, uint64_t to_ns)
{
    struct failure failure;
    struct log *log;
    uint64_t bad, offset;

    log_bytes_write(&bytes);
    log_bytes_begin(&trimmed);
    CHECK(log_open(log_path, &log, &failure) == 0);
    int error = trim_log(log, &(struct trim_options){ .from_ns = from_ns, .to_ns = to_ns, .put = put, .put_data = &trimmed,
                                                      .goes_on = goes_on, .goes_on_data = &going }, &bad, &offset);
    log_free(log);
    file_write(log_path, trimmed.data, trimmed.count);
    return error;
}

/* Its heap events, "a16 f32": what, and at which address; code as "p1". */
static const char *events(void)
{
    static char text[1024];
    struct failure failure;
    struct timed_event e;
    struct log *log;
    size_t used = 0;

    text[0] = 0;
    CHECK(log_open(log_path, &log, &failure) == 0 && log->damage_count == 0 && log->missing_chunks == 0 && log->cut_processes == 0);
    struct reader *reader = reader_open(log);
    while (reader_next(reader, &e)) {
        if (e.event.type == EVENT_OTHER && e.event.other == REC_PC)
            used += (size_t)sprintf(text + used, "p%u ", e.event.pc.id);
        else if (e.event.type != EVENT_OTHER)
            used += (size_t)sprintf(text + used, "%c%llu ", "afbexg!"[e.event.type],
                                    e.event.type <= EVENT_REALLOC_END ? (unsigned long long)e.event.address : 0);
    }
    reader_free(reader);
    log_free(log);
    return text;
}

static void add_malloc_at(uint64_t ns, uint64_t address, uint32_t pc)
{
    at = encode_alloc(&encoder, at, REC_ALLOC_MALLOC, address, 10, ns, 0, 0, &(struct encode_stack){ .pushes = 1, .ids = &pc });
}

/* A number is used before another thread announces it, and after the end of the part. */
static void test_late_code(void)
{
    log_bytes_begin(&bytes);
    chunk_begin(PID, 0, 0, 1000);
    add_malloc_at(1000, 16, 5);
    add_malloc_at(3000, 32, 6);
    chunk_end(&bytes);
    chunk_begin(PID, 1, 0, 2500);
    at = encode_thread_begin(&encoder, at, 2500, 2, (struct encode_text){ "x", 1 }, false);
    at = encode_pc(&encoder, at, 6, 0, 0x600, false);
    at = encode_pc(&encoder, at, 5, 0, 0x500, false);
    chunk_end(&bytes);
    CHECK(trim(0, 1000) == 0);
    CHECK(strcmp(events(), "a16 p5 ") == 0);
}

/* A free that is stamped before its allocation, and the part begins between the two. */
static void test_free_first(void)
{
    log_bytes_begin(&bytes);
    chunk_begin(PID, 0, 0, 1000);
    add_malloc(1000, 16, 1);
    add_malloc(2010, 32, 1);
    add_malloc(3000, 48, 1);
    chunk_end(&bytes);
    chunk_begin(PID, 1, 0, 2000);
    add_free(2000, 32);
    add_free(3100, 48);
    chunk_end(&bytes);
    CHECK(trim(1005, 0) == 0);
    CHECK(strcmp(events(), "a16 f32 a32 a48 f48 ") == 0);
}

/* Reallocs over the border, without ends, failed, freed; and a process that had ended. */
static void test_reallocs(void)
{
    log_bytes_begin(&bytes);
    chunk_begin(PID, 0, 0, 1000);
    add_malloc(1000, 16, 1);
    add_malloc(1001, 32, 1);
    add_malloc(1002, 48, 1);
    add_malloc(1003, 64, 1);
    add_realloc_begin(1100, 32); /* failed */
    at = encode_realloc_failed(&encoder, at, REC_FN_REALLOC, 9, 1110);
    add_realloc_begin(1200, 48); /* freed */
    at = encode_realloc_freed(&encoder, at, 1210);
    add_realloc_begin(1300, 64); /* moved */
    add_realloc_end(1310, 80, 2);
    add_realloc_begin(1400, 16); /* over the border */
    add_realloc_end(1600, 96, 2);
    add_free(1700, 32);
    add_free(1710, 80);
    chunk_end(&bytes);
    chunk_begin(PID + 1, 0, 0, 1000);
    add_malloc(1000, 16, 1);
    add_malloc(1100, 160, 1);
    chunk_end(&bytes);
    CHECK(trim(500, 0) == 0);
    CHECK(strcmp(events(), "a16 a32 a80 b16 e96 f32 f80 ") == 0);
}

static void test_interruption(void)
{
    uint64_t ns = 1000;

    log_bytes_begin(&bytes);
    for (uint32_t i = 0; i < 40; i++) {
        chunk_begin(PID, 0, i, ns);
        for (int k = 0; k < 4000; k++)
            add_free(ns++, 16);
        chunk_end(&bytes);
    }
    going = false;
    CHECK(trim(0, 0) == -EINTR);
    CHECK(trim(100000, 0) == -EINTR);
    going = true;
    CHECK(trim(0, 0) == 0);
}

int main(void)
{
    directory_make();
    test_late_code();
    test_free_first();
    test_reallocs();
    test_interruption();
    free(bytes.data);
    free(trimmed.data);
    directory_remove();
    return check_summary();
}
