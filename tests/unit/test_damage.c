/* Logs that are not whole: cut, bent and filled up at every place. What is whole
 * must still be read, and what is not must be named, with its offset. */
#include "analyze/log/pack.h"
#include "analyze/log/reader.h"
#include "analyze/model/count_sizes.h"
#include "analyze/model/facts.h"
#include "tests/unit/log_writer.h"
#include "tests/unit/random.h"

#include <errno.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static struct log_bytes whole;
static struct packer *packer; /* NULL: chunks are not packed */
static struct failure failure;

static void chunk_end_packed(struct log_bytes *l)
{
    size_t bytes;

    chunk_seal(&made.header, (uint32_t)(at - made.records));
    const void *packed = packer_pack(packer, &made, &bytes);
    CHECK(packed != (const void *)&made);
    log_bytes_add(l, packed, bytes);
    l->starts[++l->chunk_count] = l->count;
}

/* A few KB with everything in it. Each chunk has allocations of its own number. */
static void make_log(void)
{
    static const uint32_t ids[] = { 1, 2, 3, 400 };

    log_bytes_begin(&whole);
    for (uint32_t i = 0; i < 12; i++) {
        chunk_begin(1 + i % 2, i / 6, i / 2 % 3, 1000 * i + 1000);
        if (i < 2)
            at = encode_process_start(&encoder, at, 1000 * i + 1000,
                                      &(struct encode_process){ .exe = { "/bin/program", 12 }, .arguments = { "a\0b", 4 } });
        at = encode_module_load(&encoder, at, 1000 * i + 1000,
                                &(struct encode_module){ .id = i + 1, .bias = 0x1000, .path = { "/lib/library.so", 15 } });
        for (uint32_t k = 0; k < 4; k++)
            at = encode_pc(&encoder, at, ids[k], i + 1, 0x1000 + k, k == 3);
        for (uint32_t k = 0; k <= i; k++)
            at = encode_alloc(&encoder, at, REC_ALLOC_MALLOC, 0x1000 * i + 16 * k, 100 * k, 1000 * i + 1010 + k, 0, 0,
                              &(struct encode_stack){ .pops = k ? 1 : 0, .pushes = k ? 1 : 4, .ids = ids });
        add_realloc_begin(1000 * i + 1100, 0x1000 * i);
        add_realloc_end(1000 * i + 1110, 0x1000 * i + 0x800, 5000);
        add_free(1000 * i + 1120, 0x1000 * i + 0x800);
        if (i == 11)
            made.header.type = REC_CHUNK_SESSION;
        for (uint32_t k = 0; packer && k < 60; k++) {
            add_malloc(1000 * i + 1200 + 10 * k, 0x1000 * i + 16 * k, 24 + k);
            add_free(1000 * i + 1205 + 10 * k, 0x1000 * i + 16 * k);
        }
        if (packer)
            chunk_end_packed(&whole);
        else
            chunk_end(&whole);
    }
}

static struct log *open_only(void)
{
    struct log *log = NULL;
    return log_open(log_path, &log, &failure) == 0 ? log : NULL;
}

/* Opens and reads it in every way. NULL: it cannot be opened. */
static struct log *read_all(void)
{
    struct sizes_counted counted;
    struct log *log = open_only();

    if (!log)
        return NULL;
    struct facts *facts = facts_collect(log, NULL);
    count_sizes(log, NULL, NULL, &counted);
    if (counted.bad_chunks != facts->bad_chunks)
        CHECK(false);
    facts_free(facts);
    sizes_counted_release(&counted);
    return log;
}

/* Those that are not cut short by the file's end. */
static size_t whole_chunks(const struct log *log)
{
    size_t count = 0;
    for (size_t i = 0; i < log->chunk_count; i++)
        count += !log->chunks[i].torn;
    return count;
}

static bool has_chunk(const struct log *log, const struct log_bytes *l, size_t number, size_t moved_by)
{
    for (size_t i = 0; i < log->chunk_count; i++)
        if (!log->chunks[i].torn && log->chunks[i].offset == l->starts[number] + sizeof(struct rec_chunk_header) + moved_by)
            return true;
    return false;
}

/* All chunks but `lost` (-1: all), those from `moved` on further back; and one
 * damage of these bytes (0: none). */
static bool is_whole_but(const struct log *log, int lost, size_t moved, size_t moved_by, uint64_t offset, uint64_t bytes)
{
    bool right = log && whole_chunks(log) == whole.chunk_count - (lost >= 0);

    for (size_t i = 0; right && i < whole.chunk_count; i++)
        right = has_chunk(log, &whole, i, i >= moved ? moved_by : 0) == ((int)i != lost);
    right = right && log->damage_count == (bytes ? 1 : 0) && log->damaged_bytes == bytes;
    if (right && bytes)
        right = log->damages[0].offset == offset && log->damages[0].bytes == bytes && log->damages[0].reason;
    return right;
}

static void test_cuts(void)
{
    bool right = true;

    log_bytes_write(&whole);
    for (size_t bytes = whole.count; bytes-- > 0 && right;) {
        size_t chunks = 0;
        right = truncate(log_path, (off_t)bytes) == 0;
        struct log *log = read_all();
        if (bytes < sizeof(struct rec_file_header)) {
            right = right && !log;
            continue;
        }
        while (chunks < whole.chunk_count && whole.starts[chunks + 1] <= bytes)
            chunks++;
        uint64_t rest = bytes - whole.starts[chunks];
        right = right && log && whole_chunks(log) == chunks && log->damage_count == (rest ? 1 : 0) && log->damaged_bytes == rest &&
                (!rest || (log->damages[0].offset == whole.starts[chunks] && log->damages[0].bytes == rest));
        for (size_t i = 0; i < chunks && right; i++)
            right = has_chunk(log, &whole, i, 0);
        if (!right)
            printf("    cut at %zu\n", bytes);
        log_free(log);
    }
    CHECK(right);
}

static size_t chunk_of(size_t offset)
{
    size_t chunk = 0;
    while (whole.starts[chunk + 1] <= offset)
        chunk++;
    return chunk;
}

static void test_flips(void)
{
    static const uint8_t with[] = { 1, 0x80, 0xff };
    bool right = true;

    log_bytes_write(&whole);
    int fd = open(log_path, O_RDWR | O_CLOEXEC);
    for (size_t offset = 0; offset < whole.count && right; offset++) {
        for (size_t k = 0; k < sizeof with && right; k++) {
            uint8_t value = whole.data[offset] ^ with[k];
            right = pwrite(fd, &value, 1, (off_t)offset) == 1;
            struct log *log = k ? open_only() : read_all();
            if (offset < sizeof(struct rec_file_header)) {
                right = right && !log;
            } else {
                size_t chunk = chunk_of(offset), start = whole.starts[chunk];
                right = right && is_whole_but(log, (int)chunk, 0, 0, start, whole.starts[chunk + 1] - start);
            }
            log_free(log);
            if (!right)
                printf("    flip of %02x at %zu\n", with[k], offset);
        }
        right = right && pwrite(fd, whole.data + offset, 1, (off_t)offset) == 1;
    }
    close(fd);
    CHECK(right);
}

/* Writes the log with garbage before chunk `number`. */
static void write_with(size_t number, const void *garbage, size_t bytes)
{
    struct log_bytes l = { 0 };

    log_bytes_add(&l, whole.data, whole.starts[number]);
    log_bytes_add(&l, garbage, bytes);
    log_bytes_add(&l, whole.data + whole.starts[number], whole.count - whole.starts[number]);
    log_bytes_write(&l);
    free(l.data);
}

/* Whether a piece that is shorter than a header, amid the log, may be of a chunk that is there whole. */
static bool may_be_known(const uint8_t *piece, size_t bytes, size_t number)
{
    static const struct rec_chunk_header begins = { .magic = REC_CHUNK_MAGIC, .type = REC_CHUNK_EVENTS };
    return number < whole.chunk_count && bytes < offsetof(struct rec_chunk_header, ticks) && memcmp(piece, &begins, bytes < 5 ? bytes : 5) == 0;
}

static void test_garbage(void)
{
    uint8_t garbage[3000];
    const uint32_t magic = REC_CHUNK_MAGIC;
    bool right = true;

    for (int i = 0; i < 500 && right; i++) {
        size_t number = random_below(whole.chunk_count + 1), bytes = 1 + random_below(random_below(4) ? 200 : 3000);
        bool is_known = false;
        for (size_t k = 0; k < bytes; k++)
            garbage[k] = (uint8_t)random_number();
        switch (random_below(4)) {
        case 0: /* magic numbers of nothing */
            for (size_t k = 0; k + 4 <= bytes; k += 1 + random_below(20))
                memcpy(garbage + k, &magic, 4);
            break;
        case 1: /* the beginning of a chunk, as a write() that was cut short leaves it */
            bytes = 1 + random_below(whole.starts[1] - whole.starts[0] - 1);
            memcpy(garbage, whole.data + whole.starts[0], bytes);
            /* Its chunk is there, so nothing is lost; less than a header, at the end, is what a file has that was cut. */
            is_known = bytes >= sizeof(struct rec_chunk_header) || number < whole.chunk_count;
            break;
        }
        is_known |= may_be_known(garbage, bytes, number);
        write_with(number, garbage, bytes);
        struct log *log = read_all();
        right = is_whole_but(log, -1, number, bytes, whole.starts[number], is_known ? 0 : bytes);
        if (!right)
            printf("    %zu bytes before chunk %zu, number %d\n", bytes, number, i);
        log_free(log);
    }
    CHECK(right);
}

/* Damage in two places is said twice, and a chunk within a broken one is found. */
static void test_several(void)
{
    struct log_bytes l = { 0 };

    log_bytes_add(&l, whole.data, whole.count);
    l.data[whole.starts[1] + 70] ^= 1;
    l.data[whole.starts[5] + 3] ^= 1;
    l.data[whole.starts[6] + 3] ^= 1; /* next to each other: one piece */
    log_bytes_write(&l);
    struct log *log = read_all();
    CHECK(log->chunk_count == whole.chunk_count - 3 && log->damage_count == 2);
    CHECK(log->damages[0].offset == whole.starts[1] && log->damages[1].offset == whole.starts[5]);
    CHECK(log->damages[1].bytes == whole.starts[7] - whole.starts[5]);
    log_free(log);
    free(l.data);

    /* A write of 1 MB that stopped after its header; the next process went on. */
    struct rec_chunk_header torn = { .type = REC_CHUNK_EVENTS, .pid = 9 };
    torn.magic = REC_CHUNK_MAGIC;
    torn.header_bytes = sizeof torn;
    torn.payload_bytes = REC_CHUNK_PAYLOAD_MAX;
    torn.header_checksum = checksum(&torn, offsetof(struct rec_chunk_header, header_checksum));
    write_with(2, &torn, sizeof torn);
    log = read_all();
    CHECK(is_whole_but(log, -1, 2, sizeof torn, whole.starts[2], sizeof torn));
    log_free(log);
    torn.payload_bytes = 300;
    torn.header_checksum = checksum(&torn, offsetof(struct rec_chunk_header, header_checksum));
    write_with(2, &torn, sizeof torn);
    log = read_all();
    CHECK(is_whole_but(log, -1, 2, sizeof torn, whole.starts[2], sizeof torn));
    log_free(log);
}

/* Pieces side by side of writes that were cut short: each chunk is there whole, in what order they ever lie. */
static void test_pieces(void)
{
    uint8_t pieces[20000];
    bool right = true;

    for (int i = 0; i < 2000 && right; i++) {
        size_t number = random_below(whole.chunk_count), bytes = 0, unknown = 0, first_unknown = 0, before_lacks = 0;
        for (size_t k = 0, count = 2 + random_below(3); k < count; k++) {
            size_t of = random_below(whole.chunk_count - 1), all = whole.starts[of + 1] - whole.starts[of];
            size_t piece = sizeof(struct rec_chunk_header) + random_below(all - sizeof(struct rec_chunk_header));
            if (k == count - 1 && before_lacks > 1 && random_below(2)) /* it is taken for more of the piece before it */
                piece = 1 + random_below(before_lacks < sizeof(struct rec_chunk_header) ? before_lacks - 1 : sizeof(struct rec_chunk_header) - 1);
            before_lacks = all - piece;
            memcpy(pieces + bytes, whole.data + whole.starts[of], piece);
            if (!random_below(20) && !unknown && piece > sizeof(struct rec_chunk_header)) { /* of a chunk that is nowhere */
                struct rec_chunk_header header; /* pieces lie anywhere */
                memcpy(&header, pieces + bytes, sizeof header);
                header.sequence = 1000;
                header.header_checksum = checksum(&header, offsetof(struct rec_chunk_header, header_checksum));
                memcpy(pieces + bytes, &header, sizeof header);
                first_unknown = whole.starts[number] + bytes;
                unknown = piece;
            }
            bytes += piece;
        }
        write_with(number, pieces, bytes);
        struct log *log = read_all();
        bool is_last_short = log && unknown && log->damaged_bytes > unknown && log->damaged_bytes < unknown + sizeof(struct rec_chunk_header);
        right = is_whole_but(log, -1, number, bytes, first_unknown, is_last_short ? log->damaged_bytes : unknown);
        if (!right)
            printf("    %zu bytes of pieces before chunk %zu, number %d: %zu damages, %lu bytes at %lu, wanted %zu at %zu\n", bytes, number, i,
                   log->damage_count, (unsigned long)log->damaged_bytes, log->damage_count ? (unsigned long)log->damages[0].offset : 0, unknown, first_unknown);
        log_free(log);
    }
    CHECK(right);
}

/* Whole, by its checksums; but the writer has written nonsense. */
static void test_garbage_payload(void)
{
    struct log_bytes l = { 0 };
    struct sizes_counted counted;
    struct timed_event e;
    const char *reason;
    uint64_t offset;

    log_bytes_begin(&l);
    chunk_begin(1, 0, 0, 100);
    add_malloc(110, 0x10, 100);
    size_t good = (size_t)(at - made.records);
    memset(at, 0xf0, 500); /* no kind of allocation */
    at += 500;
    chunk_end(&l);
    chunk_begin(1, 0, 1, 200);
    add_malloc(210, 0x20, 200);
    chunk_end(&l);
    log_bytes_write(&l);
    struct log *log = read_all();
    CHECK(log->damage_count == 0 && log->chunk_count == 2);
    struct reader *reader = reader_open(log);
    CHECK(reader_next(reader, &e) == 1 && e.event.address == 0x10);
    CHECK(reader_next(reader, &e) == 1 && e.event.address == 0x20 && reader_next(reader, &e) == 0);
    CHECK(reader_bad_chunks(reader, &offset, &reason) == 1 && reason);
    CHECK(offset == l.starts[0] + sizeof(struct rec_chunk_header) + good);
    reader_free(reader);
    struct facts *facts = facts_collect(log, NULL);
    CHECK(facts->allocations == 2 && facts->bad_chunks == 1 && facts->bad_offset == offset && facts->leaked_blocks == 2);
    facts_free(facts);
    count_sizes(log, NULL, NULL, &counted);
    CHECK(counted.events == 2 && counted.bad_chunks == 1);
    sizes_counted_release(&counted);
    log_free(log);

    for (int i = 0; i < 200; i++) { /* pure noise, in three streams */
        log_bytes_begin(&l);
        for (uint32_t stream = 0; stream < 3; stream++) {
            chunk_begin(1, stream, 0, random_number());
            for (uint64_t bytes = random_below(2000); bytes; bytes--)
                *at++ = (uint8_t)random_number();
            chunk_end(&l);
        }
        log_bytes_write(&l);
        log = read_all();
        if (!log || log->chunk_count != 3 || log->damage_count != 0)
            CHECK(false);
        log_free(log);
    }
    free(l.data);
}

/* A length of 4 GiB, rightly checksummed: in a process that cannot have as much. */
static void test_huge_length(void)
{
    struct rec_chunk_header huge = { .magic = REC_CHUNK_MAGIC, .type = REC_CHUNK_EVENTS, .header_bytes = sizeof huge,
                                     .payload_bytes = UINT32_MAX };
    int status = -1;

    huge.header_checksum = checksum(&huge, offsetof(struct rec_chunk_header, header_checksum));
    write_with(3, &huge, sizeof huge);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        limit_memory(256u << 20);
        struct log *log = read_all();
        bool right = is_whole_but(log, -1, 3, sizeof huge, whole.starts[3], sizeof huge);
        log_free(log);
        _exit(!right);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* 10 MB with 10,000 places that look like a chunk's beginning, each as far as
 * `header` goes; and the log's last chunk behind them. */
static void test_many_magics(const struct rec_chunk_header *header, size_t header_bytes)
{
    enum { BYTES = 10 << 20, PLACES = 10000 };
    uint8_t *garbage = calloc(1, BYTES);

    for (size_t i = 0; i < PLACES; i++)
        memcpy(garbage + i * (BYTES / PLACES), header, header_bytes);
    write_with(7, garbage, BYTES);
    double before = cpu_seconds();
    struct log *log = read_all();
    double seconds = cpu_seconds() - before;
    CHECK(is_whole_but(log, -1, 7, BYTES, whole.starts[7], BYTES));
    before = cpu_seconds();
    volatile uint64_t once = checksum(garbage, BYTES);
    (void)once;
    double pass = cpu_seconds() - before;
    /* Sixty passes, with headers that are sound. To its end from each place it would be 5,000. */
    if (!CHECK(seconds < 300 * pass))
        printf("    %g s, a pass %g s\n", seconds, pass);
    log_free(log);
    free(garbage);
}

static void test_time(void)
{
    struct rec_chunk_header header = { .magic = REC_CHUNK_MAGIC, .type = REC_CHUNK_EVENTS, .header_bytes = sizeof header };

    test_many_magics(&header, sizeof header.magic);
    header.payload_bytes = 60000; /* sound headers, of chunks as large as they really are */
    header.header_checksum = checksum(&header, offsetof(struct rec_chunk_header, header_checksum));
    test_many_magics(&header, sizeof header);
}

/* What no memory can hold is no allocation: neither counted nor shown as a negative number. */
static void test_absurd_sizes(void)
{
    static const uint64_t sizes[] = { REC_SIZE_MAX + 1, 1ull << 63, UINT64_MAX };
    struct log *log;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct sizes_counted counted;
        struct log_bytes absurd = { 0 };
        log_bytes_begin(&absurd);
        chunk_begin(1, 0, 0, 100);
        for (unsigned k = 0; k < 200; k++)
            add_malloc(100 + k, 0x1000 + 16 * k, REC_SIZE_MAX);
        add_malloc(300, 0x10, sizes[i]);
        chunk_end(&absurd);
        log_bytes_write(&absurd);
        if (!CHECK(log_open(log_path, &log, &failure) == 0))
            return;
        struct facts *f = facts_collect(log, NULL);
        CHECK(f->bad_chunks == 0 && f->allocations == 128 && f->told.lost_events == 73);
        CHECK(f->allocated_bytes == 127 * REC_SIZE_MAX && f->peak_bytes == f->allocated_bytes && f->leaked_bytes == f->allocated_bytes);
        count_sizes(log, NULL, NULL, &counted);
        struct size_table table;
        sizes_table(&counted.sizes, &table);
        CHECK(counted.bad_chunks == 0 && table.count == 201 && table.bytes == INT64_MAX && table.rows[0].size == 0);
        size_table_release(&table);
        sizes_counted_release(&counted);
        facts_free(f);
        log_free(log);
        free(absurd.data);
    }
}

/* A session chunk that somebody has copied into the log again says nothing new; another one does. */
static void test_session_twice(void)
{
    struct failure unused;
    struct log_bytes twice = { 0 };
    struct log *log;

    log_bytes_begin(&twice);
    for (uint64_t i = 0; i < 2; i++) {
        chunk_begin(1, 0, 0, 100 + i);
        made.header.type = REC_CHUNK_SESSION;
        at = encode_lost(&encoder, at, 100 + i, 5, 0);
        at = encode_untraced(&encoder, at, 100 + i, 300, REC_UNTRACED_LIBC, (struct encode_text){ "/x", 2 });
        chunk_end(&twice);
        log_bytes_add_again(&twice);
    }
    log_bytes_write(&twice);
    if (CHECK(log_open(log_path, &log, &unused) == 0)) {
        struct facts *f = facts_collect(log, NULL);
        CHECK(f->told.lost_events == 10 && f->told.notes.untraced_programs == 2 && reader_lost_events(log).count == 10);
        facts_free(f);
        log_free(log);
    }
    free(twice.data);
}

/* Processes that lost no event: one is in the log, one had no memory to get there, one had no reason to end early. */
static void test_no_stream(void)
{
    struct failure unused;
    struct log_bytes bytes = { 0 };
    struct log *log;

    log_bytes_begin(&bytes);
    chunk_begin(1, 0, 0, 100);
    add_malloc(100, 0x1000, 5);
    chunk_end(&bytes);
    for (uint32_t pid = 1; pid <= 3; pid++) {
        chunk_begin(pid, pid == 1, REC_SESSION_SUM, 200);
        made.header.type = REC_CHUNK_SESSION;
        at = encode_lost(&encoder, at, 200, 0, pid < 3 ? ENOMEM : 0);
        chunk_end(&bytes);
    }
    log_bytes_write(&bytes);
    if (CHECK(log_open(log_path, &log, &unused) == 0)) {
        struct reader_lost lost = reader_lost_events(log);
        CHECK(lost.count == 0 && lost.reason == ENOMEM && lost.programs == 1);
        log_free(log);
    }
    free(bytes.data);
}

int main(void)
{
    mallopt(M_TRIM_THRESHOLD, 64 << 20); /* thousands of logs, one after another */
    directory_make();
    test_absurd_sizes();
    test_session_twice();
    test_no_stream();
    make_log();
    CHECK(whole.count > 2000 && whole.count < 5000);
    test_cuts();
    test_flips();
    test_garbage();
    test_several();
    test_pieces();
    test_garbage_payload();
    test_huge_length();
    test_time();
    /* The same, packed. */
    packer = packer_make();
    make_log();
    CHECK(whole.count > 2000 && whole.count < 8000);
    test_cuts();
    test_flips();
    test_garbage();
    test_several();
    test_pieces();
    test_huge_length();
    packer_free(packer);
    free(whole.data);
    directory_remove();
    return check_summary();
}
