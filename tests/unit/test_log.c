/* Logs made by hand, opened and read: whose chunks, in what order, and what the
 * facts make of them. Damage is test_damage's, live files are test_live's. */
#include "analyze/log/pack.h"
#include "analyze/log/reader.h"
#include "analyze/model/count_sizes.h"
#include "analyze/model/facts.h"
#include "tests/unit/log_writer.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct log_bytes bytes;
static struct failure failure;

static struct log *open_written(void)
{
    struct log *log = NULL;

    log_bytes_write(&bytes);
    if (!CHECK(log_open(log_path, &log, &failure) == 0)) {
        printf("    %s\n", failure.text);
        exit(check_summary());
    }
    return log;
}

/* The events as text: kind, address in units of 16, time; 'm f b e' for malloc,
 * free, realloc begin and end, 'o' for others with their number. */
static const char *events_of(const struct log *log)
{
    static char text[4096];
    struct reader *reader = reader_open(log);
    struct timed_event e;
    size_t used = 0;

    text[0] = 0;
    while (reader_next(reader, &e) == 1 && used < sizeof text - 64) {
        if (e.event.type == EVENT_OTHER)
            used += (size_t)sprintf(text + used, "%so%u@%u", used ? " " : "", e.event.other, (unsigned)e.ns);
        else
            used += (size_t)sprintf(text + used, "%s%c%u@%u", used ? " " : "", "mfbe????"[e.event.type],
                                    (unsigned)(e.event.address / 16), (unsigned)e.ns);
    }
    reader_free(reader);
    return text;
}

static bool reads(const char *wanted)
{
    struct log *log = open_written();
    const char *got = events_of(log);
    bool same = strcmp(got, wanted) == 0 && log->damage_count == 0;

    if (!same)
        printf("    read: %s\n", got);
    log_free(log);
    return same;
}

static void test_many(void)
{
    uint64_t ns = 1000, expected_bytes = 0;
    struct sizes_counted counted;

    log_bytes_begin(&bytes);
    for (uint32_t sequence = 0; sequence < 3; sequence++)
        for (uint32_t pid = 10; pid < 13; pid++)
            for (uint32_t stream = 0; stream < 4; stream++) {
                chunk_begin(pid, stream, sequence, ns);
                for (uint32_t i = 0; i < 100; i++, ns += 7) {
                    add_malloc(ns, 0x10000 + 16 * ns, pid * 1000 + i);
                    expected_bytes += pid * 1000 + i;
                    if (i % 2)
                        add_free(ns + 1, 0x10000 + 16 * ns);
                }
                chunk_end(&bytes);
            }
    struct log *log = open_written();
    CHECK(log->chunk_count == 36 && log->process_count == 3 && log->stream_count == 12 && log->recorded_count == 3);
    CHECK(log->damage_count == 0 && log->missing_chunks == 0 && log->first_ns == 1000);

    struct facts *facts = facts_collect(log, NULL);
    CHECK(facts->allocations == 3600 && facts->frees == 1800 && facts->events == 5400);
    CHECK(facts->allocated_bytes == expected_bytes);
    CHECK(facts->leaked_blocks == 1800 && facts->unmatched_frees == 0 && facts->unseen_frees == 0 && facts->bad_chunks == 0);
    CHECK(facts->temporary == 1800);
    for (size_t i = 0; i < 3; i++)
        CHECK(facts->processes[i].told->pid == 10 + i && facts->processes[i].allocations == 1200 &&
              facts->processes[i].leaked_blocks == 600);
    count_sizes(log, NULL, NULL, &counted);
    CHECK(counted.events == 5400 && counted.bad_chunks == 0);
    struct size_table table;
    sizes_table(&counted.sizes, &table);
    CHECK(table.count == 3600 && table.bytes == expected_bytes && table.row_count == 300);
    size_table_release(&table);
    sizes_counted_release(&counted);
    facts_free(facts);
    log_free(log);
}

/* Chunks are in the file as their threads filled them, events come by time. */
static void test_order(void)
{
    log_bytes_begin(&bytes);
    chunk_begin(1, 1, 1, 200);
    add_malloc(210, 16 * 3, 1);
    add_free(400, 16 * 3);
    chunk_end(&bytes);
    chunk_begin(1, 0, 0, 100);
    add_malloc(110, 16 * 1, 1);
    add_free(205, 16 * 1);
    add_malloc(206, 16 * 1, 1);
    chunk_end(&bytes);
    chunk_begin(2, 0, 0, 100);
    add_malloc(150, 16 * 9, 1);
    chunk_end(&bytes);
    chunk_begin(1, 1, 0, 100);
    add_malloc(105, 16 * 2, 1);
    add_free(199, 16 * 2);
    chunk_end(&bytes);
    CHECK(reads("m2@105 m1@110 m9@150 f2@199 f1@205 m1@206 m3@210 f3@400"));

    /* Of equal stamps the first stream's comes first, whoever's turn it is, and all that it has of them. */
    log_bytes_begin(&bytes);
    chunk_begin(1, 0, 0, 0);
    add_malloc(20, 16 * 1, 1);
    add_malloc(20, 16 * 2, 1);
    add_malloc(30, 16 * 3, 1);
    chunk_end(&bytes);
    chunk_begin(1, 1, 0, 0);
    add_malloc(10, 16 * 4, 1);
    add_malloc(20, 16 * 5, 1);
    add_malloc(30, 16 * 6, 1);
    chunk_end(&bytes);
    CHECK(reads("m4@10 m1@20 m2@20 m5@20 m3@30 m6@30"));

    /* But who frees comes before who allocates: it may be the same block. */
    log_bytes_begin(&bytes);
    chunk_begin(1, 0, 0, 0);
    add_malloc(20, 16 * 1, 1);
    add_realloc_end(40, 16 * 1, 1);
    chunk_end(&bytes);
    chunk_begin(1, 1, 0, 0);
    add_malloc(10, 16 * 1, 1);
    add_free(20, 16 * 1);
    add_realloc_begin(40, 16 * 1);
    chunk_end(&bytes);
    CHECK(reads("m1@10 f1@20 m1@20 b1@40 e1@40"));

    /* An address that wanders between two threads a thousand times. */
    log_bytes_begin(&bytes);
    for (uint32_t stream = 0; stream < 2; stream++) {
        chunk_begin(1, stream, 0, 0);
        for (uint64_t i = stream; i < 2000; i += 2) {
            if (i)
                add_free(10 * i, 0x1000); /* what the other one has allocated */
            add_malloc(10 * i + 5, 0x1000, 64);
        }
        chunk_end(&bytes);
    }
    struct log *log = open_written();
    struct facts *facts = facts_collect(log, NULL);
    CHECK(facts->allocations == 2000 && facts->frees == 1999 && facts->unmatched_frees == 0 && facts->unseen_frees == 0);
    CHECK(facts->leaked_blocks == 1 && facts->peak_bytes == 64 && facts->temporary == 0);
    facts_free(facts);
    log_free(log);
}

/* A merge on another machine, or after a boot, has another clock: it counts only where the line goes on to it. */
static void test_ticks_of_merge(void)
{
    static const struct { uint64_t ticks, ns, last_ns; } merges[] = {
        { 600, 500, 1010000 },           /* before all others */
        { 300, 3000000, 1010000 },       /* a counter that began anew */
        { 9030000, 50000000, 1010000 },  /* of another rate */
        { 9000000, 3010000, 1010000 },   /* the same line: so it is */
        { 9000000, 3030000, 1016666 },   /* the same to 2 %: this one is longer */
    };

    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        struct timed_event e;
        log_bytes_begin(&bytes);
        for (uint32_t k = 0; k < 2; k++) {
            chunk_begin(1, 0, k, k * 3000000);
            made.header.flags = 0;
            made.header.clock_ns = 10000 + k * 1000000;
            add_malloc(k * 3000000, 16, 1);
            chunk_end(&bytes);
        }
        chunk_begin(1, 2, REC_SESSION_SUM, merges[i].ticks);
        made.header.type = REC_CHUNK_SESSION;
        made.header.flags = 0;
        made.header.clock_ns = merges[i].ns;
        chunk_end(&bytes);
        struct log *log = open_written();
        struct reader *reader = reader_open(log);
        CHECK(log->first_ns == 10000 && log->missing_chunks == 0);
        CHECK(reader_next(reader, &e) && e.ns == 10000);
        CHECK(reader_next(reader, &e) && e.ns / 100 == merges[i].last_ns / 100);
        reader_free(reader);
        log_free(log);
    }
}

/* One pair only, of another boot, that was longer: both clocks began with it. */
static void test_ticks_of_boot(void)
{
    const uint64_t ticks = 1ull << 60;
    struct timed_event e;

    log_bytes_begin(&bytes);
    chunk_begin(1, 0, 0, ticks);
    made.header.flags = 0;
    made.header.clock_ns = 4 * ticks;
    add_malloc(ticks + 1000, 16, 1);
    chunk_end(&bytes);
    struct log *log = open_written();
    struct reader *reader = reader_open(log);
    CHECK(reader_next(reader, &e) && e.ns == 4 * ticks + 4000);
    reader_free(reader);
    log_free(log);
}

/* A counter that does 3 ticks a nanosecond: the line goes through the first and
 * the last pair, wherever they are. */
static void test_ticks(void)
{
    static const struct { uint64_t ticks, ns; } pairs[] = { { 3000, 11000 }, { 33000, 21000 }, { 15000, 15000 } };
    struct timed_event e;

    log_bytes_begin(&bytes);
    for (uint32_t i = 0; i < 3; i++) {
        chunk_begin(1, i, 0, pairs[i].ticks);
        made.header.flags = 0;
        made.header.clock_ns = pairs[i].ns;
        add_malloc(pairs[i].ticks + 300, 16 * i, 1);
        chunk_end(&bytes);
    }
    struct log *log = open_written();
    struct reader *reader = reader_open(log);
    CHECK(log->first_ns == 11000);
    CHECK(reader_next(reader, &e) && e.ns == 11100);
    CHECK(reader_next(reader, &e) && e.ns == 15100);
    CHECK(reader_next(reader, &e) && e.ns == 21100);
    CHECK(!reader_next(reader, &e) && !reader_next(reader, &e));
    /* Stamps that no clock gives still have an order and a time. */
    CHECK(log_ns(log, false, 1ull << 62) > log_ns(log, false, 1ull << 61));
    CHECK(log_ns(log, true, UINT64_MAX) == UINT64_MAX);
    log->ns_per_tick = 1000;
    log->base_ticks = 0;
    CHECK(log_ns(log, false, INT64_MAX) >= log_ns(log, false, 1ull << 62));
    CHECK(log_ns(log, false, 1ull << 60) >= log_ns(log, false, 1ull << 40));
    reader_free(reader);
    log_free(log);
}

static void test_sequences(void)
{
    log_bytes_begin(&bytes);
    for (uint32_t sequence = 2; sequence < 6; sequence++) {
        chunk_begin(1, 0, sequence, 100 * sequence);
        add_malloc(100 * sequence, 16 * sequence, 1);
        if (sequence != 4)
            chunk_end(&bytes);
    }
    struct log *log = open_written();
    CHECK(log->missing_chunks == 3 && log->damage_count == 0); /* 0, 1 and 4 */
    log_free(log);
    CHECK(reads("m2@200 m3@300 m5@500"));

    /* The same chunk twice, and a torn copy, as after an interrupted write. */
    log_bytes_begin(&bytes);
    chunk_begin(1, 0, 0, 100);
    add_malloc(100, 16, 1);
    chunk_end(&bytes);
    log_bytes_add_again(&bytes);
    chunk_begin(1, 0, 1, 200);
    add_free(200, 16);
    chunk_end(&bytes);
    log_bytes_add_again(&bytes);
    log_bytes_add_again(&bytes);
    CHECK(reads("m1@100 f1@200"));
    log = open_written();
    struct facts *facts = facts_collect(log, NULL);
    struct sizes_counted counted;
    count_sizes(log, NULL, NULL, &counted);
    CHECK(log->missing_chunks == 0 && facts->allocations == 1 && facts->frees == 1 && counted.events == 2);
    sizes_counted_release(&counted);
    facts_free(facts);
    log_free(log);

    log_bytes_begin(&bytes);
    chunk_begin(1, 0, UINT32_MAX, 100);
    add_malloc(100, 16, 1);
    chunk_end(&bytes);
    log = open_written();
    CHECK(log->missing_chunks == UINT32_MAX);
    log_free(log);
}

/* Chunk n has n + 1 allocations, at 16 * n. */
static void make_numbered(uint32_t sequence)
{
    chunk_begin(1, 0, sequence, 100000 * (sequence + 1));
    for (uint32_t i = 0; i <= sequence; i++)
        add_malloc(100000 * (sequence + 1) + i, 16 * sequence, i);
    chunk_seal(&made.header, (uint32_t)(at - made.records));
}

/* claims: to be so many chunks, if not 0. cut: so many bytes are not there. */
static void add_claiming(uint32_t from, uint32_t count, uint32_t claims, size_t cut)
{
    static struct packer *packer;
    uint8_t chunks[8192], *to = chunks;
    size_t whole = sizeof made.header;

    packer = packer ? packer : packer_make();
    for (uint32_t i = 0; i < count; i++) {
        make_numbered(from + i);
        whole = sizeof made.header + made.header.payload_bytes;
        to = mempcpy(to, &made, whole);
    }
    const void *packed = count > 1 ? packer_pack_run(packer, chunks, count, &whole) : chunks;
    if (!CHECK(packed))
        return;
    if (claims) {
        struct rec_chunk_header *chunk = (void *)packed;
        memcpy((uint8_t *)(chunk + 1) + offsetof(struct rec_packed_header, sequences), &claims, sizeof claims);
        chunk_seal(chunk, chunk->payload_bytes);
    }
    log_bytes_add(&bytes, packed, whole - cut);
}

static void add_numbered(uint32_t from, uint32_t count)
{
    add_claiming(from, count, 0, 0);
}

/* Which of the numbered chunks are there; the events of each must be, once, and in their order. */
static uint64_t numbered_there(uint64_t *ret_missing)
{
    struct log *log = open_written();
    struct reader *reader = reader_open(log);
    struct timed_event e;
    uint64_t there = 0, next_of = 0, before = 0;
    size_t part = SIZE_MAX;
    struct sizes_counted counted;
    uint64_t events = 0;

    CHECK(log->damage_count == 0);
    while (reader_next(reader, &e) == 1) {
        uint64_t number = e.event.address / 16;
        next_of = there >> number & 1 ? next_of : 0;
        CHECK(e.event.type == EVENT_ALLOC && e.event.size == next_of++ && e.ns >= before && e.ns == 100000 * (number + 1) + e.event.size);
        CHECK((part != e.chunk) == !(there >> number & 1)); /* where a chunk was, its stack begins anew */
        part = e.chunk;
        there |= 1ull << number;
        before = e.ns;
        events++;
    }
    count_sizes(log, NULL, NULL, &counted);
    CHECK(counted.events == events);
    sizes_counted_release(&counted);
    *ret_missing = log->missing_chunks;
    reader_free(reader);
    log_free(log);
    return there;
}

/* Several chunks in one: whoever has been interrupted between writing them and counting them as written comes again, and finds
 * the same, or more by then. */
static void test_runs(void)
{
    static const struct {
        struct { uint8_t from, count; } chunks[8];
        uint64_t there, missing;
    } logs[] = {
        { { { 0, 30 } }, 0x3fffffff, 0 },
        { { { 10, 20 } }, 0x3ffffc00, 10 },
        { { { 5, 10 }, { 20, 10 } }, 0x3ff07fe0, 10 },
        { { { 20, 10 }, { 0, 20 } }, 0x3fffffff, 0 },
        { { { 0, 10 }, { 0, 20 }, { 20, 1 } }, 0x1fffff, 0 },
        { { { 0, 20 }, { 0, 10 }, { 10, 10 } }, 0xfffff, 0 },
        { { { 0, 1 }, { 1, 1 }, { 2, 1 }, { 0, 20 }, { 1, 1 }, { 19, 1 }, { 20, 1 } }, 0x1fffff, 0 },
        { { { 0, 15 }, { 3, 1 }, { 14, 1 }, { 16, 1 } }, 0x17fff, 1 },
    };
    uint64_t missing;

    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
        log_bytes_begin(&bytes);
        for (unsigned k = 0; k < 8 && logs[i].chunks[k].count; k++)
            add_numbered(logs[i].chunks[k].from, logs[i].chunks[k].count);
        uint64_t there = numbered_there(&missing);
        if (!CHECK(there == logs[i].there && missing == logs[i].missing))
            printf("    log %zu: %#llx, %llu missing\n", i, (unsigned long long)there, (unsigned long long)missing);
    }

    /* Who claims to be others than it is. */
    static const uint32_t claims[] = { 1, 19, 21, 60 };
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        struct sizes_counted counted;
        log_bytes_begin(&bytes);
        add_claiming(0, 20, claims[i], 0);
        struct log *log = open_written();
        struct facts *facts = facts_collect(log, NULL);
        count_sizes(log, NULL, NULL, &counted);
        CHECK(facts->bad_chunks == 1 && counted.bad_chunks == 1 && log->damage_count == 0);
        sizes_counted_release(&counted);
        facts_free(facts);
        log_free(log);
    }

    /* A piece of a chunk that is in another with others is no damage; of one that is not, it is. */
    for (uint32_t piece = 19; piece <= 20; piece++) {
        log_bytes_begin(&bytes);
        make_numbered(piece);
        log_bytes_add(&bytes, &made, sizeof made.header + 20);
        add_numbered(0, 20);
        struct log *log = open_written();
        CHECK((log->damage_count == 0) == (piece == 19) && (log->damaged_bytes == 0) == (piece == 19));
        log_free(log);
    }
    for (uint32_t there = 0; there <= 20; there += 20) { /* nor is a piece of several, if they are there one by one */
        log_bytes_begin(&bytes);
        add_claiming(0, 20, 0, 10);
        for (uint32_t i = 0; i < there; i++)
            add_numbered(i, 1);
        if (!there)
            add_numbered(20, 1);
        struct log *log = open_written();
        CHECK((log->damage_count == 0) == (there == 20) && log->missing_chunks == (there ? 0 : 20));
        log_free(log);
    }
}

/* A later version adds chunk types, records, fields, and longer headers. */
static void test_later_version(void)
{
    struct rec_file_header header;

    log_bytes_begin(&bytes);
    memcpy(&header, bytes.data, sizeof header);
    header.header_bytes = 80;
    header.compatible_flags = 4;
    header.checksum = checksum(&header, offsetof(struct rec_file_header, checksum));
    memcpy(bytes.data, &header, sizeof header);
    log_bytes_add(&bytes, "sixteen bytes of", 16);
    chunk_begin(1, 0, 0, 100);
    made.header.type = 3;
    memset(at, 0xff, 300);
    at += 300;
    chunk_end(&bytes);
    chunk_begin(1, 0, 0, 100);
    add_malloc(100, 16, 1);
    memcpy(at, "\xa3\x02xy", 4); /* record 40 */
    at += 4;
    memcpy(at, "\x2b\x04\x05\x07xy", 6); /* lost-events with a field more */
    encoder.ticks += 5;
    at += 6;
    add_free(107, 16);
    /* A header of 72 bytes: 8 of the "payload" belong to it. */
    memmove(made.records + 8, made.records, (size_t)(at - made.records));
    uint32_t payload_bytes = (uint32_t)(at - made.records);
    chunk_seal(&made.header, payload_bytes);
    made.header.header_bytes = 72;
    made.header.payload_checksum = checksum(made.records + 8, payload_bytes);
    made.header.header_checksum = checksum(&made.header, offsetof(struct rec_chunk_header, header_checksum));
    log_bytes_add(&bytes, &made, sizeof made.header + 8 + payload_bytes);
    CHECK(reads("m1@100 o40@100 o10@105 f1@107"));
    struct log *log = open_written();
    struct facts *facts = facts_collect(log, NULL);
    CHECK(facts->told.lost_events == 7 && facts->bad_chunks == 0 && log->chunk_count == 1);
    facts_free(facts);
    log_free(log);
}

static int error_of(const void *data, size_t count)
{
    struct log *log = NULL;

    file_write(log_path, data, count);
    int error = log_open(log_path, &log, &failure);
    CHECK(error == 0 || (log == NULL && strstr(failure.text, log_path)));
    log_free(log);
    return error;
}

static int error_with(size_t offset, uint8_t value)
{
    struct rec_file_header header;

    log_bytes_begin(&bytes);
    memcpy(&header, bytes.data, sizeof header);
    ((uint8_t *)&header)[offset] = value;
    header.checksum = checksum(&header, offsetof(struct rec_file_header, checksum));
    return error_of(&header, sizeof header);
}

static void test_no_log(void)
{
    struct log *log = NULL;
    char fifo[PATH_MAX];

    CHECK(error_with(offsetof(struct rec_file_header, reserved), 1) == 0);
    CHECK(error_with(offsetof(struct rec_file_header, version), 2) == -EPROTO && strstr(failure.text, "newer"));
    CHECK(error_with(offsetof(struct rec_file_header, incompatible_flags) + 7, 1) == -EPROTO);
    CHECK(error_with(offsetof(struct rec_file_header, header_bytes), 10) == -EINVAL);
    CHECK(error_with(offsetof(struct rec_file_header, header_bytes), 65) == -ENODATA && strstr(failure.text, "truncated"));
    CHECK(error_of("", 0) == -ENODATA);
    CHECK(error_of("x", 1) == -EINVAL);
    CHECK(error_of(REC_FILE_MAGIC, 7) == -EINVAL && error_of(REC_FILE_MAGIC, 8) == -ENODATA);
    CHECK(error_of("#!/bin/sh\necho this is no log, however long it is made\n............", 65) == -EINVAL);
    CHECK(strstr(failure.text, "not a malloscope log"));
    CHECK(log_open(directory, &log, &failure) == -EINVAL && strstr(failure.text, "directory"));
    CHECK(log_open("/dev/null", &log, &failure) == -EINVAL);
    CHECK(log_open("/nonexistent/log", &log, &failure) == -ENOENT);
    snprintf(fifo, sizeof fifo, "%s/fifo", directory);
    CHECK(mkfifo(fifo, 0600) == 0 && log_open(fifo, &log, &failure) == -EINVAL); /* and does not wait */
    CHECK(log == NULL);
    log_free(NULL);
    reader_free(NULL);
    facts_free(NULL);

    log_bytes_begin(&bytes); /* a header and nothing more is a log */
    CHECK(reads(""));
    log = open_written();
    struct facts *facts = facts_collect(log, NULL);
    CHECK(facts->events == 0 && facts->duration_ns == 0);
    facts_free(facts);
    log_free(log);
}

static void test_realloc(void)
{
    log_bytes_begin(&bytes);
    chunk_begin(1, 0, 0, 100);
    add_malloc(110, 0x10, 100);
    add_realloc_begin(120, 0x10);
    chunk_end(&bytes);
    chunk_begin(1, 1, 0, 100);
    add_malloc(130, 0x10, 7); /* the old address, given out before the realloc has returned */
    chunk_end(&bytes);
    chunk_begin(1, 0, 1, 140);
    add_realloc_end(150, 0x20, 200);
    add_free(160, 0x20);
    chunk_end(&bytes);
    CHECK(reads("m1@110 b1@120 m1@130 e2@150 f2@160"));
    struct log *log = open_written();
    struct facts *facts = facts_collect(log, NULL);
    CHECK(facts->allocations == 3 && facts->frees == 2 && facts->allocated_bytes == 307);
    CHECK(facts->leaked_blocks == 1 && facts->leaked_bytes == 7 && facts->unseen_frees == 0 && facts->unmatched_frees == 0);
    CHECK(facts->peak_bytes == 207);
    facts_free(facts);
    log_free(log);

    /* Killed within realloc, or the call failed: the block lives on. */
    for (int ending = 0; ending < 3; ending++) {
        log_bytes_begin(&bytes);
        chunk_begin(1, 0, 0, 100);
        add_malloc(110, 0x10, 100);
        add_realloc_begin(120, 0x10);
        if (ending == 1)
            at = encode_realloc_failed(&encoder, at, REC_FN_REALLOC, 1ull << 50, 130);
        if (ending == 2)
            at = encode_realloc_freed(&encoder, at, 130);
        chunk_end(&bytes);
        log = open_written();
        facts = facts_collect(log, NULL);
        CHECK(facts->leaked_blocks == (ending < 2) && facts->leaked_bytes == (ending < 2 ? 100 : 0));
        CHECK(facts->failed == (ending == 1) && facts->frees == (ending == 2) && facts->unmatched_frees == 0);
        facts_free(facts);
        log_free(log);
    }
}

/* Killed or cancelled within realloc, after another thread has got the old address: the block has moved. */
static void test_realloc_unfinished(bool cancelled)
{
    static const uint64_t leaked[] = { 102, 9, 2 };

    for (int given_out = 0; given_out < 3; given_out++) {
        log_bytes_begin(&bytes);
        chunk_begin(1, 0, 0, 100);
        add_malloc(110, 0x10, 100);
        add_realloc_begin(120, 0x10);
        if (cancelled) {
            at = encode_thread_end(&encoder, at, 121);
            at = encode_thread_begin(&encoder, at, 160, 2, (struct encode_text){ "next", 4 }, false);
        }
        chunk_end(&bytes);
        chunk_begin(1, 1, 0, 100);
        add_malloc(105, 0x40, 1);
        if (given_out)
            add_malloc(130, 0x10, 7);
        if (given_out == 2)
            add_free(140, 0x10);
        add_malloc(150, 0x50, 1);
        chunk_end(&bytes);
        struct log *log = open_written();
        struct facts *facts = facts_collect(log, NULL);
        CHECK(facts->unseen_frees == 0 && facts->unmatched_frees == 0);
        CHECK(facts->leaked_bytes == leaked[given_out]);
        facts_free(facts);
        log_free(log);
    }
}

static void add_process_start(uint64_t ns, enum rec_start start, uint32_t ppid, const char *exe)
{
    at = encode_process_start(&encoder, at, ns, &(struct encode_process){
        .start = start, .ppid = ppid, .exe = { exe, strlen(exe) }, .arguments = { "a\0b c", 6 },
        .call_graph = { "none", 4 }, .allocator = { "/libc", 5 } });
}

/* One program forks; the child frees what it inherited, then runs another one. */
static void test_processes(void)
{
    log_bytes_begin(&bytes);
    chunk_begin(10, 0, 0, 100);
    add_process_start(100, REC_START_IMAGE, 1, "/bin/parent");
    at = encode_thread_begin(&encoder, at, 101, 10, (struct encode_text){ "main", 4 }, false);
    add_malloc(110, 0x10, 1);
    chunk_end(&bytes);
    chunk_begin(20, 0, 0, 200);
    add_process_start(200, REC_START_FORK, 10, "/bin/parent");
    add_free(210, 0x10);
    add_free(220, 0x990);
    chunk_end(&bytes);
    chunk_begin(20, 0, 0, 300);
    made.header.image += 5;
    add_process_start(300, REC_START_EXEC, 10, "/bin/child");
    add_malloc(310, 0x10, 5);
    chunk_end(&bytes);
    chunk_begin(20, 0, 0, 400);
    made.header.type = REC_CHUNK_SESSION;
    made.header.image += 5;
    at = encode_process_end(&encoder, at, 400, 20, true, 0x0900);
    chunk_end(&bytes);
    struct log *log = open_written();
    struct facts *facts = facts_collect(log, NULL);
    CHECK(log->process_count == 3 && log->recorded_count == 3 && log->stream_count == 3 && facts->told.process_count == 3);
    static const unsigned starts[] = { REC_START_IMAGE, REC_START_FORK, REC_START_EXEC };
    for (size_t i = 0; i < 3; i++)
        CHECK(facts->processes[i].told->started && facts->processes[i].told->start == starts[i] &&
              facts->processes[i].told->pid == (i ? 20 : 10) && facts->processes[i].told->ppid == (i ? 10 : 1));
    CHECK(strcmp(facts->processes[2].told->exe, "/bin/child") == 0 && strcmp(facts->processes[2].told->arguments, "a b c") == 0);
    CHECK(facts->processes[2].told->status_known && facts->processes[2].told->wait_status == 0x0900 && !facts->processes[1].told->status_known);
    CHECK(facts->processes[0].told->threads == 1);
    CHECK(facts->inherited_frees == 2 && facts->unmatched_frees == 0);
    CHECK(facts->processes[0].leaked_blocks == 1 && facts->processes[1].leaked_blocks == 0 &&
          facts->processes[2].leaked_bytes == 5);
    CHECK(facts->frees == 2);
    facts_free(facts);
    /* What was allocated before a part is none of it, in the parent or inherited. */
    facts = facts_collect(log, &(struct facts_options){ .from_ns = 50 });
    CHECK(facts->allocations == 1 && facts->frees == 0 && facts->inherited_frees == 2);
    facts_free(facts);
    facts = facts_collect(log, &(struct facts_options){ .from_ns = 205 }); /* after these frees */
    CHECK(facts->allocations == 1 && facts->frees == 0 && facts->inherited_frees == 2);
    facts_free(facts);
    log_free(log);
}

/* A free that is stamped before its allocation, in another stream (waiting.h), counts once: of a whole log, and of a part. */
static void test_inverted_free(void)
{
    log_bytes_begin(&bytes);
    chunk_begin(10, 0, 0, 100);
    add_malloc(110, 0x990, 1);
    add_malloc(210, 0x10, 1);
    chunk_end(&bytes);
    chunk_begin(10, 1, 0, 200);
    add_free(205, 0x10);
    chunk_end(&bytes);
    struct log *log = open_written();
    for (uint64_t from_ns = 0; from_ns <= 50; from_ns += 50) {
        struct facts *facts = facts_collect(log, &(struct facts_options){ .from_ns = from_ns });
        uint64_t of_threads = 0;
        for (size_t i = 0; i < facts->told.threads.count; i++)
            of_threads += facts->threads[i].frees;
        CHECK(facts->frees == 1 && of_threads == 1 && facts->leaked_blocks == !from_ns);
        facts_free(facts);
    }
    log_free(log);
}

/* What the log says of its numbers is not believed. */
static void read_numbers(uint32_t number)
{
    log_bytes_begin(&bytes);
    chunk_begin(1, 0, 0, 100);
    at = encode_module_load(&encoder, at, 101, &(struct encode_module){ .id = number, .path = { "/x", 2 } });
    at = encode_pc(&encoder, at, number, number, 0x1234, false);
    at = encode_pc(&encoder, at, 1, number, 0x1234, false);
    at = encode_alloc(&encoder, at, REC_ALLOC_MALLOC, 0x10, 5, 110, 0, 0,
                      &(struct encode_stack){ .pushes = 2, .ids = (uint32_t[]){ number, 1 } });
    at = encode_module_unload(&encoder, at, 120, number);
    chunk_end(&bytes);
    struct log *log = open_written();
    struct facts *facts = facts_collect(log, NULL);
    CHECK(facts->allocations == 1);
    code_pc(&facts->told.code, 0, number);
    code_pc(&facts->told.code, 0, 1);
    facts_free(facts);
    log_free(log);
}

/* In a child that can have 256 MB more, and no more. */
static bool reads_in_little_memory(uint32_t number)
{
    fflush(stdout);
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        check_failed_count = 0;
        limit_memory(256u << 20);
        read_numbers(number);
        fflush(stdout);
        _exit(check_failed_count != 0);
    }
    return waitpid(pid, &status, 0) == pid && status == 0;
}

static void test_numbers(void)
{
    static const uint32_t numbers[] = { UINT32_MAX, UINT32_MAX - 1, 1u << 31, 1u << 26, (1u << 26) - 1, 1u << 25, 65536, 0, 1, 5 };

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!CHECK(reads_in_little_memory(numbers[i])))
            printf("    number %u\n", numbers[i]);
}

/* As of a `make`: one after the other, each with a chunk and a sum. In less
 * memory than a decoder for each would take; a sanitizer keeps some of what is freed. */
static bool reads_many_processes(uint32_t count)
{
    log_bytes_begin(&bytes);
    for (uint32_t i = 1; i <= count; i++) {
        for (int sum = 0; sum < 2; sum++) {
            chunk_begin(i, sum ? 1 : 0, sum ? REC_SESSION_SUM : 0, 100 + i * 10);
            made.header.type = sum ? REC_CHUNK_SESSION : REC_CHUNK_EVENTS;
            if (!sum) {
                add_malloc(101 + i * 10, 0x10, 1);
                add_free(102 + i * 10, 0x10);
                add_malloc(103 + i * 10, 0x10, 2);
            }
            chunk_seal(&made.header, (uint32_t)(at - made.records));
            log_bytes_add(&bytes, &made, sizeof made.header + made.header.payload_bytes);
        }
    }
    log_bytes_write(&bytes);
    fflush(stdout);
    pid_t pid = fork();
    int status;
    if (pid == 0) {
        struct log *log;
        limit_memory(450u << 20);
        if (log_open(log_path, &log, &failure) != 0)
            _exit(1);
        struct facts *facts = facts_collect(log, NULL);
        bool wrong = log->process_count != count || log->stream_count != count || log->missing_chunks ||
                     log->cut_processes || facts->events != 3 * count || facts->leaked_bytes != 2 * count ||
                     facts->unmatched_frees;
        facts_free(facts);
        log_free(log);
        _exit(wrong);
    }
    return waitpid(pid, &status, 0) == pid && status == 0;
}

int main(void)
{
    directory_make();
    test_many();
    test_order();
    test_ticks();
    test_ticks_of_merge();
    test_ticks_of_boot();
    test_sequences();
    test_runs();
    test_later_version();
    test_no_log();
    test_realloc();
    test_realloc_unfinished(false);
    test_realloc_unfinished(true);
    test_processes();
    test_inverted_free();
    test_numbers();
    CHECK(reads_many_processes(20000));
    free(bytes.data);
    directory_remove();
    return check_summary();
}
