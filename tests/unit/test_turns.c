/* analyze/log/reader where many streams have chunks of a megabyte, packed to little, and take turns: they are
 * not all in memory at once, and yet each event comes in its place and with its text. And where very many have chunks of
 * common size, with all that a record may be cut short in by the end of what is in memory. */
#include "analyze/log/pack.h"
#include "analyze/log/reader.h"
#include "tests/unit/log_writer.h"

#include <malloc.h>
#include <sys/wait.h>

#define STREAMS 300u
#define TURNS 4u
#define MARKS 1200u /* of each turn */
#define NAME_BYTES 200

static struct {
    struct rec_chunk_header header;
    uint8_t records[REC_CHUNK_PAYLOAD_MAX];
} large;

static uint64_t stamp(uint32_t stream, uint32_t turn)
{
    return 1000 + turn * STREAMS + stream;
}

static void name_of(uint32_t stream, uint32_t turn, uint32_t number, char name[static NAME_BYTES + 1])
{
    snprintf(name, NAME_BYTES + 1, "%0*u %6u %6u", NAME_BYTES - 14, stream, turn, number);
}

static void write_log(void)
{
    struct packer *packer = packer_make();
    struct log_bytes bytes = { 0 };
    char name[NAME_BYTES + 1];

    log_bytes_begin(&bytes);
    for (uint32_t stream = 0; stream < STREAMS; stream++) {
        chunk_begin(1, stream, 0, stamp(stream, 0));
        large.header = made.header;
        at = large.records;
        for (uint32_t turn = 0; turn < TURNS; turn++)
            for (uint32_t i = 0; i < MARKS; i++) {
                name_of(stream, turn, i, name);
                at = encode_mark(&encoder, at, stamp(stream, turn), (struct encode_text){ name, NAME_BYTES });
            }
        size_t count = chunk_seal(&large.header, (uint32_t)(at - large.records));
        const void *packed = packer_pack(packer, &large, &count);
        log_bytes_add(&bytes, packed, count);
    }
    log_bytes_write(&bytes);
    packer_free(packer);
    free(bytes.data);
}

static bool reads_all(bool one_thread)
{
    struct failure failure;
    struct log *log;
    char name[NAME_BYTES + 1];
    bool right = log_open(log_path, &log, &failure) == 0;

    if (!right)
        return false;
    log->one_thread = one_thread;
    struct reader *reader = reader_open(log);
    for (uint32_t turn = 0; turn < TURNS; turn++)
        for (uint32_t stream = 0; stream < STREAMS; stream++)
            for (uint32_t i = 0; i < MARKS && right; i++) {
                const struct timed_event *e = reader_look(reader);
                name_of(stream, turn, i, name);
                right = e && e->event.other == REC_MARK && e->stream == stream && e->ns == stamp(stream, turn) &&
                        e->event.mark.name.bytes == NAME_BYTES && memcmp(e->event.mark.name.data, name, NAME_BYTES) == 0;
            }
    right = right && !reader_look(reader);
    reader_free(reader);
    log_free(log);
    return right;
}

/* --- records of all kinds -------------------------------------------------------- */

#define THREADS 900u
#define RECORDS_BYTES 58000u

static uint32_t seed;

static uint32_t below(uint32_t most)
{
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)seed * most >> 32);
}

/* Short stacks and now and then one of a thousand frames, said as differences or by their numbers. */
static void add_stack(uint64_t ns, uint32_t *depth)
{
    static uint32_t ids[1000];
    struct encode_stack how = { 0 };
    uint32_t given = encoder.stacks < REC_STACK_NUMBERS ? encoder.stacks : REC_STACK_NUMBERS;

    if (given > 1 && !below(3)) {
        how.again = true;
        how.number = given - 1; /* so that the depth stays */
    } else {
        how.pops = below(*depth < 9 ? *depth + 1 : 9);
        how.pushes = *depth < 2000 && !below(300) ? 1000 : below(6);
        for (uint32_t i = 0; i < how.pushes; i++)
            ids[i] = 1 + below(70000);
        how.ids = ids;
        *depth += how.pushes - how.pops;
    }
    at = encode_alloc(&encoder, at, REC_ALLOC_MALLOC, below(1u << 30), below(5000), ns, 0, 0, &how);
}

static void add_record(uint64_t ns, uint32_t *depth)
{
    static char name[20000];
    uint32_t which = below(20);

    if (which < 12)
        add_stack(ns, depth);
    else if (which < 18)
        add_free(ns, below(1u << 30));
    else if (which < 19)
        at = encode_pc(&encoder, at, 1 + below(1000), 0, below(1u << 30), false);
    else
        at = encode_mark(&encoder, at, ns, (struct encode_text){ name, below(40) ? below(60) : below(sizeof name) });
}

/* In every third chunk zeros follow, or what is no record, before the end. */
static void write_threads(void)
{
    struct log_bytes bytes = { 0 };

    seed = 1;
    log_bytes_begin(&bytes);
    for (uint32_t stream = 0; stream < THREADS; stream++) {
        uint32_t depth = 0;
        chunk_begin(1, stream, 0, 1000 + stream);
        for (uint64_t ns = 1000 + stream; (size_t)(at - made.records) < RECORDS_BYTES - 22000; ns += below(2000))
            add_record(ns, &depth);
        memset(at, stream % 3 ? 0xff : 0, 40);
        at += stream % 3 == 1 ? 0 : 40;
        size_t count = chunk_seal(&made.header, (uint32_t)(at - made.records));
        log_bytes_add(&bytes, &made, count);
    }
    log_bytes_write(&bytes);
    free(bytes.data);
}

static bool is_same_event(const struct event *a, const struct event *b)
{
    bool has_stack = a->type == EVENT_ALLOC;

    if (a->type != b->type || a->ticks != b->ticks)
        return false;
    if (a->type == EVENT_OTHER && a->other == REC_MARK)
        return b->other == REC_MARK && a->mark.name.bytes == b->mark.name.bytes && memcmp(a->mark.name.data, b->mark.name.data, a->mark.name.bytes) == 0;
    if (a->type == EVENT_OTHER)
        return b->other == a->other && a->pc.id == b->pc.id && a->pc.pc == b->pc.pc;
    return a->address == b->address && (!has_stack || (a->size == b->size && a->stack_mode == b->stack_mode && a->stack_number == b->stack_number &&
           a->pops == b->pops && a->pushes == b->pushes && memcmp(a->ids, b->ids, a->pushes * sizeof *a->ids) == 0));
}

/* Against each chunk decoded as a whole. */
static bool reads_threads(bool one_thread)
{
    struct failure failure;
    struct log *log;
    struct decoder *whole = malloc(THREADS * sizeof *whole);
    uint8_t (*payloads)[RECORDS_BYTES] = malloc(THREADS * sizeof *payloads);
    uint64_t bad = 0, offset;
    const char *reason;
    bool right = log_open(log_path, &log, &failure) == 0 && log->stream_count == THREADS;

    if (!right)
        return false;
    log->one_thread = one_thread;
    for (uint32_t i = 0; i < THREADS; i++) {
        const struct log_chunk *chunk = &log->chunks[log->streams[i].chunks[0]];
        log_load(log, chunk, payloads[i]);
        log_decoder_begin(&whole[i], chunk, payloads[i]);
    }
    struct reader *reader = reader_open(log);
    for (const struct timed_event *e; right && (e = reader_look(reader));) {
        struct event wanted;
        right = decoder_next(&whole[e->stream], &wanted) == 1 && is_same_event(&wanted, &e->event) &&
                reader_stream_ended(reader) == (whole[e->stream].now.at == whole[e->stream].now.end);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        struct event none;
        int got = decoder_next(&whole[i], &none);
        right = right && got != 1;
        bad += got < 0;
    }
    right = right && bad > THREADS / 2 && reader_bad_chunks(reader, &offset, &reason) == bad;
    reader_free(reader);
    /* The first one that is bad, wherever it came. */
    bool is_found = false;
    for (uint32_t i = 0; i < THREADS; i++)
        is_found |= offset == log->chunks[log->streams[i].chunks[0]].offset + (uint64_t)(whole[i].now.at - payloads[i]);
    log_free(log);
    free(whole);
    free(payloads);
    return right && is_found;
}

static void check_reading(bool one_thread)
{
    fflush(stdout);
    pid_t pid = fork();
    struct rusage before = { 0 }, usage;
    int status;

    if (pid == 0) {
        getrusage(RUSAGE_SELF, &before);
        bool right = reads_all(one_thread);
        getrusage(RUSAGE_SELF, &usage);
        long mb = (usage.ru_maxrss - before.ru_maxrss) >> 10;
        printf("%ld MB for %u chunks\n", mb, STREAMS);
        fflush(stdout);
        _exit(!right ? 1 : mb > 160 && !getenv("TEST_SANITIZED") ? 2 : 0); /* sanitizers keep what was freed */
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(void)
{
    directory_make();
    mallopt(M_MMAP_THRESHOLD, 256 << 10); /* as the program does: so that what is freed is given back */
    write_log();
    check_reading(false);
    check_reading(true);
    write_threads();
    CHECK(reads_threads(false));
    CHECK(reads_threads(true));
    directory_remove();
    return check_summary();
}
