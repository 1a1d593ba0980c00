/* The spool: what goes through it comes out in the log, once it is counted, wherever
 * somebody is interrupted; and nothing is missing at any moment for whoever reads. */
#include "analyze/log/live.h"
#include "analyze/log/pack.h"
#include "analyze/log/reader.h"
#include "analyze/log/spool.h"
#include "analyze/model/facts.h"
#include "tests/unit/log_writer.h"
#include "tests/unit/random.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char spool_name[PATH_MAX + 16], live_name[PATH_MAX + 32];
static struct failure failure;
static uint32_t sequence; /* of the next chunk */
static unsigned sizes = 7; /* so many, by chance where they are many */

static void begin(void)
{
    struct rec_file_header header;

    directory_remove_files();
    file_header_make_with(&header, log_session, REC_FILE_PACKED, sizeof header);
    file_write(log_path, &header, sizeof header);
    CHECK(spool_make(log_path, log_session) == 0);
    sequence = 0;
}

static void append(const void *data, size_t bytes)
{
    int fd = open(spool_name, O_WRONLY | O_APPEND | O_CLOEXEC);
    CHECK(fd >= 0 && write(fd, data, bytes) == (ssize_t)bytes);
    close(fd);
}

/* A chunk of one stream with `count` allocations. */
static void make_chunk(unsigned count)
{
    chunk_begin(7, 0, sequence, 1000 * (sequence + 1));
    for (unsigned i = 0; i < count; i++)
        add_malloc(1000 * (sequence + 1) + i % 900, 0x100000 * (uint64_t)sequence + 64 * i,
                   24 + (sizes == 7 ? i % 7 : random_below(sizes)));
    chunk_seal(&made.header, (uint32_t)(at - made.records));
    sequence++;
}

static void append_chunk(unsigned count)
{
    make_chunk(count);
    append(&made, sizeof made.header + made.header.payload_bytes);
}

/* How many allocations a reader finds; -1: not whole. */
static long allocations(void)
{
    struct log *log;

    if (log_open(log_path, &log, &failure) != 0)
        return -1;
    struct facts *facts = facts_collect(log, NULL);
    long count = log->damage_count || log->missing_chunks || facts->bad_chunks ? -1 : (long)facts->allocations;
    facts_free(facts);
    log_free(log);
    return count;
}

static uint64_t move(struct taker *t, bool all)
{
    uint64_t moved = 0, bytes;

    do {
        if (!CHECK(taker_move(t, all, &bytes) == 0))
            break;
        moved += bytes;
    } while (bytes);
    return moved;
}

static off_t bytes_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : -1;
}

static void ignore_size(void *data, uint64_t size, unsigned stack_flags)
{
    (void)data, (void)size, (void)stack_flags;
}

static void test_way(void)
{
    struct log *log;
    struct taker *t, *second;

    begin();
    CHECK(spool_make(log_path, log_session) == -EEXIST);
    CHECK(taker_make(log_path, 0, &t) == 0 && taker_make(log_path, 0, &second) == -EBUSY);
    CHECK(move(t, false) == 0 && allocations() == 0);
    for (unsigned i = 0; i < 50; i++) {
        append_chunk(100 * i + 1);
        if (i % 7 == 0)
            move(t, false);
        CHECK(allocations() == 50 * i * (i + 1) + i + 1);
    }
    CHECK(spool_adopt(log_path) == 0 && bytes_of(spool_name) > 0); /* somebody is at it */
    move(t, false);
    CHECK(bytes_of(log_path) * 2 < bytes_of(spool_name));
    taker_free(t);
    if (CHECK(log_open(log_path, &log, &failure) == 0)) {
        CHECK(log->chunk_count == 8); /* the first, then seven each time */
        log_free(log);
    }
    CHECK(allocations() == 50 * 49 * 50 + 50);
    CHECK(live_adopt(log_path) == 0 && bytes_of(spool_name) < 0);
    CHECK(allocations() == 50 * 49 * 50 + 50);
}

/* A taker that is killed anywhere: after the log has the chunk, before it is counted. */
static void test_interrupted(void)
{
    struct taker *t;

    begin();
    uint64_t starts[11];
    for (unsigned i = 0; i <= 10; i++) {
        starts[i] = (uint64_t)bytes_of(spool_name);
        if (i < 10)
            append_chunk(1000);
    }
    CHECK(taker_make(log_path, 0, &t) == 0);
    move(t, false);
    taker_free(t);
    int fd = open(spool_name, O_RDWR | O_CLOEXEC);
    struct rec_spool_header header;
    CHECK(pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header && header.consumed == (uint64_t)bytes_of(spool_name));
    for (unsigned i = 0; i <= 10; i++) {
        CHECK(pwrite(fd, &starts[i], sizeof starts[i], offsetof(struct rec_spool_header, consumed)) == (ssize_t)sizeof starts[i]);
        CHECK(allocations() == 10000);
    }
    static const uint64_t nonsense[] = { 0, 1, 79, UINT64_MAX, 1 << 30 }; /* then all of it counts */
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        CHECK(pwrite(fd, &nonsense[i], 8, offsetof(struct rec_spool_header, consumed)) == 8);
        CHECK(allocations() == 10000);
    }
    close(fd);
    CHECK(live_adopt(log_path) == 0 && bytes_of(spool_name) < 0 && allocations() == 10000);
    begin();
    append_chunk(1000); /* not in the log */
    fd = open(spool_name, O_RDWR | O_CLOEXEC);
    CHECK(pwrite(fd, &nonsense[3], 8, offsetof(struct rec_spool_header, consumed)) == 8 && allocations() == 1000);
    close(fd);
    CHECK(live_adopt(log_path) == 0 && bytes_of(spool_name) < 0 && allocations() == 1000);
}

/* What was moved is given back; not while somebody reads; zeros there are no damage. */
static void test_holes(void)
{
    struct stat st;
    struct taker *t;
    struct log *log;

    begin();
    CHECK(taker_make(log_path, 0, &t) == 0);
    for (unsigned i = 0; i < 40; i++)
        append_chunk(8000);
    CHECK(log_open(log_path, &log, &failure) == 0);
    move(t, false);
    struct facts *facts = facts_collect(log, NULL); /* from the spool, behind its back */
    CHECK(facts->allocations == 320000 && facts->bad_chunks == 0);
    facts_free(facts);
    log_free(log);
    for (unsigned i = 0; i < 40; i++)
        append_chunk(8000);
    move(t, false);
    CHECK(stat(spool_name, &st) == 0);
    if (!CHECK(st.st_blocks * 512 < st.st_size / 2))
        printf("    %ld of %ld bytes are taken; does this file system know holes?\n", (long)st.st_blocks * 512, (long)st.st_size);
    append_chunk(10);
    CHECK(allocations() == 640010);
    taker_free(t);
    CHECK(live_adopt(log_path) == 0 && allocations() == 640010);
}

/* A chunk that is being written waits; a piece that has a whole one behind it goes on as it is. */
static void test_pieces(void)
{
    struct taker *t;

    begin();
    CHECK(taker_make(log_path, 0, &t) == 0);
    append_chunk(50);
    uint64_t before = (uint64_t)bytes_of(spool_name) - sizeof(struct rec_spool_header);
    make_chunk(60);
    size_t whole = sizeof made.header + made.header.payload_bytes;
    for (size_t done = 0; done < whole; done += 37) {
        append((uint8_t *)&made + done, whole - done < 37 ? whole - done : 37);
        if (done + 37 < whole)
            CHECK(move(t, false) == (done ? 0 : before)); /* what came before it */
    }
    CHECK(move(t, false) == whole && allocations() == 110);
    /* A write of which only a piece came, and the whole once more. */
    make_chunk(70);
    whole = sizeof made.header + made.header.payload_bytes;
    append(&made, 100);
    CHECK(move(t, false) == 0);
    append(&made, whole);
    CHECK(move(t, false) == whole + 100 && allocations() == 180);
    /* Garbage: damage, which stays damage. */
    append("garbage of 20 bytes.", 20);
    append_chunk(80);
    CHECK(move(t, false) > 20 && allocations() == -1);
    struct log *log;
    CHECK(log_open(log_path, &log, &failure) == 0 && log->damage_count == 1 && log->damages[0].bytes == 20 && !log->damages[0].in_spool);
    log_free(log);
    /* At the very end: nobody will complete it. */
    make_chunk(90);
    append(&made, 200);
    CHECK(move(t, false) == 0);
    CHECK(log_open(log_path, &log, &failure) == 0 && log->damage_count == 2);
    CHECK(log->damages[0].in_spool || log->damages[1].in_spool);
    log_free(log);
    CHECK(move(t, true) == 200);
    taker_free(t);
    CHECK(live_adopt(log_path) == 0 && bytes_of(spool_name) < 0);
    CHECK(log_open(log_path, &log, &failure) == 0 && log->damage_count == 2);
    log_free(log);
}

/* The live file of a process: of this one, which runs; or of none. */
static void write_live(bool runs)
{
    static uint8_t page[REC_LIVE_HEADER_BYTES];
    struct rec_live_header live = { .version = REC_VERSION, .pid = runs ? (uint32_t)getpid() : 0x7fffffff, .image = 5,
                                    .slot_bytes = REC_LIVE_SLOT_BYTES, .process_start = runs ? 0 : 1 };

    memcpy(live.magic, REC_LIVE_MAGIC, sizeof live.magic);
    memcpy(live.session, log_session, sizeof live.session);
    memcpy(page, &live, sizeof live);
    file_write(live_name, page, sizeof page);
}

/* All allocations that are there, whatever else there is. */
static uint64_t allocations_at_least(void)
{
    struct log *log;

    if (log_open(log_path, &log, &failure) != 0)
        return 0;
    struct facts *facts = facts_collect(log, NULL);
    uint64_t count = facts->allocations;
    facts_free(facts);
    log_free(log);
    return count;
}

/* To the live file of a process that has ended. */
static void add_slot(unsigned count)
{
    static struct {
        struct rec_live_slot head;
        struct rec_chunk_header chunk;
        uint8_t payload[REC_LIVE_SLOT_BYTES - sizeof(struct rec_live_slot) - sizeof(struct rec_chunk_header)];
    } slot;
    int fd = open(live_name, O_WRONLY | O_APPEND | O_CLOEXEC);

    make_chunk(count);
    slot.head.used_bytes = made.header.payload_bytes;
    slot.chunk = made.header;
    slot.chunk.pid = 0x7fffffff;
    slot.chunk.image = 5;
    slot.chunk.sequence = 0;
    memcpy(slot.payload, made.records, made.header.payload_bytes);
    CHECK(fd >= 0 && write(fd, &slot, sizeof slot) == (ssize_t)sizeof slot);
    close(fd);
}

/* Both files end amid a chunk: what they have of it stays when one is appended to the other. */
static void test_torn_ends(void)
{
    begin();
    make_chunk(50);
    int fd = open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    size_t piece = sizeof made.header + made.header.payload_bytes / 2;
    CHECK(fd >= 0 && write(fd, &made, piece) == (ssize_t)piece);
    close(fd);
    const uint64_t half = allocations_at_least();
    CHECK(half > 20 && half < 30);
    append_chunk(100);
    make_chunk(60);
    append(&made, sizeof made.header + made.header.payload_bytes / 2);
    const uint64_t all = allocations_at_least();
    CHECK(all > half + 120 && all < half + 140);
    CHECK(spool_adopt(log_path) == 0 && bytes_of(spool_name) < 0 && allocations_at_least() == all);
    write_live(false); /* its chunk comes behind what the spool ended with */
    add_slot(40);
    CHECK(allocations_at_least() == all + 40 && live_adopt(log_path) == 0 && bytes_of(live_name) < 0);
    CHECK(allocations_at_least() == all + 40);
}

static uint32_t closed(void)
{
    struct rec_spool_header header = { 0 };
    int fd = spool_open(log_path, log_session, O_RDONLY, &header);
    close(fd);
    return header.closed;
}

static void test_adoption(void)
{
    begin();
    append_chunk(100);
    write_live(true);
    CHECK(live_adopt(log_path) == 0 && bytes_of(spool_name) > 0 && !closed() && allocations() == 100);
    write_live(false);
    CHECK(live_adopt(log_path) == 0 && bytes_of(spool_name) < 0 && allocations() == 100);

    /* Another session's, or none at all: not ours. */
    begin();
    unlink(spool_name);
    CHECK(spool_make(log_path, (const uint8_t *)"another session!") == 0);
    append_chunk(100);
    CHECK(live_adopt(log_path) == 0 && bytes_of(spool_name) > 0 && allocations() == 0);
    file_write(spool_name, "short", 5);
    CHECK(live_adopt(log_path) == 0 && bytes_of(spool_name) == 5 && allocations() == 0);
    spool_discard(log_path);
    CHECK(bytes_of(spool_name) == 5);

    /* A log that cannot be written: all stays where it is, and is read from there. */
    struct taker *t;
    begin();
    append_chunk(1000);
    CHECK(taker_make(log_path, 0, &t) == 0);
    move(t, false);
    taker_free(t);
    append_chunk(100);
    struct rlimit limit = { (rlim_t)bytes_of(log_path), RLIM_INFINITY }; /* the spool's header is below that */
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit(live_adopt(log_path) == 0);
    }
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(bytes_of(spool_name) > 0 && !closed() && allocations() == 1100);
    CHECK(live_adopt(log_path) == 0 && bytes_of(spool_name) < 0 && allocations() == 1100);

    /* A log that is not the one any more. */
    uint64_t moved;
    begin();
    CHECK(taker_make(log_path, 0, &t) == 0);
    append_chunk(100);
    CHECK(unlink(log_path) == 0 && taker_move(t, false, &moved) == -ENOENT);
    file_write(log_path, "x", 1);
    CHECK(taker_move(t, false, &moved) == -ESTALE && moved == 0 && bytes_of(log_path) == 1);
    taker_free(t);
}

static struct rec_spool_header spool_header(void)
{
    struct rec_spool_header header = { 0 };
    int fd = spool_open(log_path, log_session, O_RDONLY, &header);
    close(fd);
    return header;
}

/* What is in the log, and what it says is not. */
static void count(uint64_t *ret_there, uint64_t *ret_lost)
{
    struct log *log;

    *ret_there = *ret_lost = 0;
    if (!CHECK(log_open(log_path, &log, &failure) == 0))
        return;
    struct facts *facts = facts_collect(log, NULL);
    struct reader_lost lost = reader_lost_events(log);
    CHECK(!log->damage_count && !log->missing_chunks && !facts->bad_chunks && lost.count == facts->told.lost_events);
    CHECK(lost.count == lost.beyond_limit && (!lost.count || lost.reason == REC_STOP_LIMIT));
    *ret_there = facts->allocations;
    *ret_lost = lost.count;
    facts_free(facts);
    log_free(log);
}

#define LIMIT 40000
/* What a chunk leaves behind that is cut. */
#define CUT_BYTES 100

/* Much more than the log may have is on its way when somebody looks. */
static void test_limit(void)
{
    enum { SMALL = 12000 };
    uint64_t there, lost, there_again, lost_again, start = sizeof(struct rec_spool_header);
    struct taker *t;

    begin();
    CHECK(taker_make(log_path, SMALL, &t) == 0 && spool_header().log_most == SMALL);
    for (unsigned i = 0; i < 20; i++)
        append_chunk(1000);
    CHECK(bytes_of(spool_name) < 256 << 10); /* it makes no holes */
    move(t, false);
    taker_free(t);
    CHECK(spool_header().stop == REC_STOP_LIMIT);
    off_t bytes = bytes_of(log_path);
    CHECK(bytes > SMALL - 2000 && bytes < SMALL + 20 * CUT_BYTES);
    count(&there, &lost);
    CHECK(there + lost == 20000 && there > 2000 && lost > 2000);

    /* Killed before it was counted as consumed: all of it comes once more. */
    int fd = open(spool_name, O_RDWR | O_CLOEXEC);
    CHECK(pwrite(fd, &start, sizeof start, offsetof(struct rec_spool_header, consumed)) == (ssize_t)sizeof start);
    close(fd);
    CHECK(live_adopt(log_path) == 0 && bytes_of(spool_name) < 0);
    count(&there_again, &lost_again);
    CHECK(there == there_again && lost == lost_again);

    begin(); /* little by little */
    CHECK(taker_make(log_path, LIMIT, &t) == 0);
    while (!spool_header().stop && sequence < 1000) {
        append_chunk(300);
        move(t, false);
    }
    CHECK(bytes_of(log_path) > LIMIT - 4000 && bytes_of(log_path) < LIMIT + 2 * CUT_BYTES);
    taker_free(t);
}

/* When the taker has gone, processes know from the spool how much more there may be about, and
 * who comes then how much exactly. */
static void test_limit_without_taker(void)
{
    uint64_t there, lost;
    struct taker *t;

    begin();
    CHECK(taker_make(log_path, LIMIT, &t) == 0);
    for (unsigned i = 0; i < 10; i++)
        append_chunk(300);
    move(t, false);
    taker_free(t);
    uint64_t most = spool_header().end_most, taken = (uint64_t)bytes_of(spool_name);
    CHECK(!spool_header().stop && most > taken + (8u << 20) && most < (10u << 20));
    for (unsigned i = 0; i < 990; i++)
        append_chunk(300);
    CHECK(live_adopt(log_path) == 0 && bytes_of(spool_name) < 0);
    CHECK(bytes_of(log_path) > LIMIT - 4000 && bytes_of(log_path) < LIMIT + 990 * CUT_BYTES);
    count(&there, &lost);
    CHECK(there + lost == 300000 && lost > 100000);

    begin(); /* no limit */
    CHECK(taker_make(log_path, 0, &t) == 0);
    append_chunk(300);
    move(t, false);
    taker_free(t);
    CHECK(!spool_header().end_most && !spool_header().stop && !spool_header().log_most);
}

/* Somebody cuts the spool short, at any place: what is written from then on is there, and that
 * something is missing is told. */
static void test_cut_short(void)
{
    struct taker *t;
    struct log *log;

    for (unsigned place = 0; place < 4; place++) {
        begin();
        CHECK(taker_make(log_path, 0, &t) == 0);
        for (unsigned i = 0; i < 20; i++)
            append_chunk(500);
        move(t, false);
        for (unsigned i = 0; i < 10; i++)
            append_chunk(500); /* not taken yet */
        CHECK(truncate(spool_name, (off_t[]){ 0, sizeof(struct rec_spool_header), 3000, bytes_of(spool_name) / 2 }[place]) == 0);
        CHECK(place == 0 || move(t, false) < 3000u * 500);
        for (unsigned i = 0; i < 5; i++)
            append_chunk(500);
        move(t, false);
        taker_free(t);
        if (CHECK(log_open(log_path, &log, &failure) == 0)) {
            struct facts *facts = facts_collect(log, NULL);
            CHECK(facts->allocations >= 25 * 500 && log->missing_chunks == 35 - facts->allocations / 500);
            CHECK(log->missing_chunks == 10 && facts->bad_chunks == 0);
            facts_free(facts);
            log_free(log);
        }
    }
}

/* On a full disk the log's last block had room for a few bytes of a chunk, which is in the spool: nothing is missing. */
static void test_last_bytes(void)
{
    for (size_t there = 0; there <= sizeof made.header + 3; there++) {
        struct log *log;
        begin();
        append_chunk(100);
        int fd = open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC);
        CHECK(write(fd, &made, there) == (ssize_t)there);
        close(fd);
        if (CHECK(log_open(log_path, &log, &failure) == 0)) {
            CHECK(!log->damage_count && !log->damaged_bytes && !log->missing_chunks);
            log_free(log);
        }
        CHECK(allocations() == 100);
        CHECK(live_adopt(log_path) == 0 && allocations() == 100);
    }
}

/* A chunk that is packed already, in the spool. */
static void test_sizes(void)
{
    struct packer *packer = packer_make();
    struct log *log;
    uint64_t events = 0;
    size_t bytes;

    begin();
    make_chunk(1000);
    const void *packed = packer_pack(packer, &made, &bytes);
    append(packed, bytes);
    packer_free(packer);
    if (CHECK(log_open(log_path, &log, &failure) == 0 && log->chunk_count == 1 && log->chunks[0].packed_bytes)) {
        CHECK(log_load_sizes(log, &log->chunks[0], ignore_size, NULL, &events) == 0 && events == 1000);
        log_free(log);
    }
}

/* A writer, a taker that is killed again and again, and a reader, all at once. */
static void test_together(void)
{
    enum { CHUNKS = 400, EVENTS = 500 };

    begin();
    fflush(stdout);
    pid_t writer = fork();
    if (writer == 0) {
        for (unsigned i = 0; i < CHUNKS; i++) {
            append_chunk(EVENTS);
            usleep(500);
        }
        _exit(0);
    }
    bool right = true, ended = false;
    long before = 0;
    int rounds = 0;
    while (!ended) {
        pid_t taker = fork();
        if (taker == 0) {
            struct taker *t;
            uint64_t bytes;
            if (taker_make(log_path, 0, &t) != 0)
                _exit(1);
            while (taker_move(t, false, &bytes) == 0)
                usleep(200);
            _exit(1);
        }
        for (int i = 0; i < 3; i++, rounds++) {
            long now = allocations(); /* -1: the end of the spool is being written */
            if (now >= 0 && (now < before || now % EVENTS != 0)) {
                printf("    %ld after %ld\n", now, before);
                right = false;
            }
            before = now < 0 ? before : now;
        }
        ended = waitpid(writer, NULL, WNOHANG) == writer;
        kill(taker, SIGKILL);
        waitpid(taker, NULL, 0);
    }
    if (!CHECK(right))
        printf("    %d rounds\n", rounds);
    if (!CHECK(allocations() == CHUNKS * EVENTS))
        printf("    %ld\n", allocations());
    CHECK(live_adopt(log_path) == 0 && bytes_of(spool_name) < 0);
    CHECK(allocations() == CHUNKS * EVENTS);
}

int main(void)
{
    directory_make();
    snprintf(spool_name, sizeof spool_name, "%s" SPOOL_ENDING, log_path);
    snprintf(live_name, sizeof live_name, "%s.live.7", log_path);
    test_way();
    test_interrupted();
    test_holes();
    test_pieces();
    test_torn_ends();
    test_adoption();
    sizes = 1000; /* which do not pack well, together or alone */
    test_limit();
    test_limit_without_taker();
    sizes = 7;
    test_cut_short();
    test_last_bytes();
    test_sizes();
    test_together();
    directory_remove();
    return check_summary();
}
