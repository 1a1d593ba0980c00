/* What trim has to do that recorded programs seldom make it do. */
#include "analyze/model/trim.h"

#include "analyze/log/reader.h"
#include "analyze/model/facts.h"
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

/* The code that allocated, as each process numbers it: "7:5 8:6". */
static const char *numbers(void)
{
    static char text[256];
    struct failure failure;
    struct timed_event e;
    struct log *log;
    size_t used = 0;

    text[0] = 0;
    CHECK(log_open(log_path, &log, &failure) == 0);
    struct reader *reader = reader_open(log);
    while (reader_next(reader, &e))
        if (e.event.type == EVENT_ALLOC)
            used += (size_t)sprintf(text + used, "%u:%u ", log->processes[e.process].pid, e.event.pushes ? e.event.ids[e.event.pushes - 1] : 0);
    reader_free(reader);
    log_free(log);
    return text;
}

static void begin_process(uint32_t pid, uint64_t ns, uint32_t module, const uint32_t *pcs)
{
    const struct encode_segment segment = { 0x1000 * pid, 0x1000 * pid + 0x800 };

    chunk_begin(pid, 0, 0, ns);
    at = encode_module_load(&encoder, at, ns, &(struct encode_module){ .id = module, .bias = segment.start, .segments = &segment,
                            .segment_count = 1, .build_id = { "same", 4 }, .path = { "/same", 5 } });
    for (uint32_t i = 0; i < 3; i++)
        at = encode_pc(&encoder, at, pcs[i], module, segment.start + 0x10 * (i + 1), false);
}

/* The same code has other numbers in another process, which each may say in the part, one process after the other or
 * in turns; and two numbers in one, of which either will do. */
static void test_shared_code(void)
{
    static const uint32_t one[] = { 1, 2, 3 }, other[] = { 9, 3, 2 };

    for (uint32_t apart = 0; apart < 2; apart++) {
        uint64_t then = apart ? 2000 : 1001;
        log_bytes_begin(&bytes);
        begin_process(PID, 1000, 1, one);
        for (uint32_t i = 0; i < 3; i++)
            add_malloc_at(1000 + 10 * i, 16 + 16 * i, one[i]);
        chunk_end(&bytes);
        begin_process(PID + 1, then, 4, other);
        at = encode_pc(&encoder, at, 70, 4, 0x1000 * (PID + 1) + 0x10, false);
        for (uint32_t i = 0; i < 3; i++)
            add_malloc_at(then + 10 * i, 16 + 16 * i, other[i]);
        add_malloc_at(then + 30, 64, 70);
        chunk_end(&bytes);
        CHECK(trim(0, 0) == 0);
        CHECK(strcmp(numbers(), apart ? "7:1 7:2 7:3 8:9 8:3 8:2 8:9 " : "7:1 8:9 7:2 8:3 7:3 8:2 8:9 ") == 0);
    }
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

/* The part as report --from tells of it, and as report --from --to tells of the whole. */
static bool is_same(uint64_t from_ns, uint64_t to_ns)
{
    struct facts *told[2];
    struct failure failure;
    struct log *log;

    CHECK(trim(from_ns, to_ns) == 0);
    for (int i = 1; i >= 0; i--) {
        CHECK(log_open(log_path, &log, &failure) == 0);
        told[i] = facts_collect(log, &(struct facts_options){ .from_ns = from_ns, .to_ns = i ? 0 : to_ns });
        log_free(log);
        log_bytes_write(&bytes);
    }
    bool same = told[0]->allocations == told[1]->allocations && told[0]->peak_bytes == told[1]->peak_bytes &&
                told[0]->peak_ns == told[1]->peak_ns && told[0]->leaked_blocks == told[1]->leaked_blocks &&
                told[0]->leaked_bytes == told[1]->leaked_bytes;
    facts_free(told[0]);
    facts_free(told[1]);
    return same;
}

/* A realloc's old block waits for its end, and its address is given out again and freed meanwhile. */
static void test_open_realloc(void)
{
    log_bytes_begin(&bytes);
    for (uint32_t i = 0; i < 2; i++) {
        chunk_begin(PID, i, 0, 1000);
        add_malloc(1000 + i, 64 + 16 * i, 1);
        if (i) {
            add_malloc(1005, 16, 7);
            add_realloc_begin(1010, 16);
            add_realloc_end(1100, 32, 9);
        } else {
            add_malloc(1020, 16, 1);
            add_free(1030, 16);
            add_malloc(1200, 96, 1);
        }
        chunk_end(&bytes);
    }
    for (uint64_t to_ns = 1; to_ns <= 210; to_ns += 10)
        CHECK(is_same(0, to_ns) && is_same(5, to_ns));
}

/* Ends of reallocs that were lost, with what came between: another realloc, whose old block is known or is not,
 * and which has ended before the part or has not; an allocation. */
static void test_lost_ends(void)
{
    log_bytes_begin(&bytes);
    chunk_begin(PID, 0, 0, 1000);
    add_malloc(1000, 16, 7);
    add_malloc(1001, 48, 7);
    add_malloc(1002, 96, 3);
    add_realloc_begin(1010, 16);
    add_realloc_begin(1020, 48);
    add_realloc_end(1030, 64, 5);
    add_malloc(1040, 48, 4);
    add_realloc_begin(1050, 48);
    add_realloc_begin(1060, 112);
    add_malloc(20000, 48, 4);
    add_realloc_begin(20010, 96);
    add_malloc(20020, 128, 2);
    add_realloc_end(20030, 144, 6);
    add_realloc_begin(20040, 48);
    chunk_end(&bytes);
    chunk_begin(PID, 1, 0, 1055);
    add_malloc(1055, 160, 1);
    add_malloc(19995, 176, 1);
    add_malloc(20005, 112, 8);
    add_free(20015, 112);
    add_malloc(20035, 112, 8);
    chunk_end(&bytes);
    for (uint64_t from_ns = 1; from_ns <= 65; from_ns += 4)
        CHECK(is_same(from_ns, 0) && is_same(from_ns, 19025));
    for (uint64_t from_ns = 18990; from_ns <= 19045; from_ns += 5)
        CHECK(is_same(from_ns, 0));
    CHECK(trim(55, 0) == 0);
    CHECK(strcmp(events(), "a16 a96 b16 b0 a64 a48 b48 a160 b112 a176 a48 a112 b96 f112 a128 e144 a112 b48 ") == 0);
}

/* Of several blocks at one address, all in reallocs without an end, the last one lives, whatever else is without an end. */
static void test_unfinished_twice(void)
{
    log_bytes_begin(&bytes);
    chunk_begin(PID, 0, 0, 1000);
    add_malloc(1000, 80, 1);
    add_realloc_begin(1010, 80);
    add_malloc(1020, 16, 10);
    add_realloc_begin(1030, 16);
    chunk_end(&bytes);
    chunk_begin(PID, 1, 0, 1001);
    add_malloc(1001, 96, 1);
    add_malloc(1040, 16, 20);
    add_realloc_begin(1050, 16);
    add_malloc(1200, 32, 1);
    chunk_end(&bytes);
    chunk_begin(PID, 2, 0, 1002);
    add_malloc(1002, 112, 1);
    add_realloc_begin(1060, 112);
    chunk_end(&bytes);
    for (uint64_t from_ns = 0; from_ns < 70; from_ns += 5)
        CHECK(is_same(from_ns, 0) && is_same(from_ns, 100));
    struct failure failure;
    struct log *log;
    CHECK(log_open(log_path, &log, &failure) == 0);
    struct facts *facts = facts_collect(log, &(struct facts_options){ .to_ns = 100 });
    CHECK(facts->leaked_blocks == 4 && facts->leaked_bytes == 23);
    facts_free(facts);
    log_free(log);
}

/* What the reader does not know, alone in a stream; it still says until when the stream, and so the process, was there. */
static void test_unknown_record(void)
{
    static const uint8_t later[] = { 40 << 2 | REC_OTHER, 0 };

    log_bytes_begin(&bytes);
    chunk_begin(PID, 0, 0, 1000);
    add_malloc(1000, 16, 7);
    chunk_end(&bytes);
    for (uint32_t i = 0; i < 3; i++) {
        chunk_begin(PID, 1, i, 1000 + 10 * i);
        memcpy(at, later, sizeof later);
        at += sizeof later;
        chunk_end(&bytes);
    }
    chunk_begin(PID + 1, 0, 0, 1005);
    add_malloc(1005, 16, 1);
    add_malloc(1015, 32, 1);
    add_malloc(1025, 48, 1);
    add_malloc(1035, 64, 1);
    chunk_end(&bytes);
    for (uint64_t from_ns = 0; from_ns < 40; from_ns += 3)
        CHECK(is_same(from_ns, 0) && is_same(from_ns, from_ns + 12));
}

/* Events of no process are left out, and nothing else. */
static void test_nobody(void)
{
    log_bytes_begin(&bytes);
    chunk_begin(0, 0, 0, 1000);
    add_malloc(1000, 16, 1);
    chunk_end(&bytes);
    chunk_begin(PID, 0, 0, 1001);
    add_malloc(1001, 32, 1);
    add_free(1500, 48);
    chunk_end(&bytes);
    chunk_begin(0, 0, 1, 1600);
    add_malloc(1600, 64, 1);
    chunk_end(&bytes);
    CHECK(trim(300, 0) == 0);
    CHECK(strcmp(events(), "a32 f48 ") == 0);
}

/* The log is itself a part, whose processes live to its end; of one of them the end is damaged. */
static void test_part_of_part(void)
{
    for (int is_damaged = 0; is_damaged < 2; is_damaged++) {
        log_bytes_begin(&bytes);
        chunk_begin(PID, 0, 0, 1000);
        add_malloc(1000, 16, 7);
        add_malloc(1100, 32, 1);
        if (is_damaged)
            *at++ = 0xff; /* begins a record that the chunk's end cuts off */
        else
            at = encode_trimmed(&encoder, at, 1501, 0, 500, 0, 0, (struct encode_text){ "", 0 });
        chunk_end(&bytes);
        chunk_begin(0, 0, REC_SESSION_END, 1000);
        made.header.type = REC_CHUNK_SESSION;
        at = encode_trimmed(&encoder, at, 1000, 0, 500, 0, 0, (struct encode_text){ "", 0 });
        chunk_end(&bytes);
        for (uint64_t from_ns = 0; from_ns < 500; from_ns += 90)
            CHECK(is_same(from_ns, 0) && is_same(from_ns, 499) && is_same(from_ns, 500) && is_same(from_ns, 501) &&
                  is_same(from_ns, UINT64_MAX));
    }
}

/* Of how a process started nothing gets lost. */
static void test_start(void)
{
    const struct encode_process start = {
        .start = REC_START_FORK, .ppid = 1, .realtime_ns = 2, .page_bytes = 3, .exe = { "exe", 3 }, .arguments = { "arg", 4 },
        .directory = { "dir", 3 }, .environment = { "env", 4 }, .call_graph = { "how", 3 }, .allocator = { "libc", 4 },
        .max_depth = 4, .sample_bytes = 5, .min_size = 6, .flags = REC_PROCESS_PAUSED, .other_malloc = { "own", 3 }, .thread_bytes = 7,
        .pid_namespace = 8, .began = 9, .parent_image = 10 };
    uint8_t wanted[256], again[256];
    struct failure failure;
    struct timed_event e;
    struct log *log;

    log_bytes_begin(&bytes);
    chunk_begin(PID, 0, 0, 1000);
    at = encode_process_start(&encoder, at, 1000, &start);
    size_t size = (size_t)(at - made.records);
    memcpy(wanted, made.records, size);
    add_malloc(1100, 16, 1);
    chunk_end(&bytes);
    CHECK(trim(50, 0) == 0);
    CHECK(log_open(log_path, &log, &failure) == 0);
    struct reader *reader = reader_open(log);
    CHECK(reader_next(reader, &e) == 1 && e.event.type == EVENT_OTHER && e.event.other == REC_PROCESS_START);
    reader_free(reader);
    CHECK(log->chunks[0].payload_bytes > size && log_read_at(log->fd, again, size, log->chunks[0].offset) == 0 &&
          memcmp(again, wanted, size) == 0);
    log_free(log);
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
    test_shared_code();
    test_free_first();
    test_reallocs();
    test_open_realloc();
    test_lost_ends();
    test_unfinished_twice();
    test_unknown_record();
    test_nobody();
    test_part_of_part();
    test_start();
    test_interruption();
    free(bytes.data);
    free(trimmed.data);
    directory_remove();
    return check_summary();
}
