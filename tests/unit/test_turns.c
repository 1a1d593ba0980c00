/* analyze/log/reader where many streams have chunks of a megabyte, packed to little, and take turns: they are
 * not all in memory at once, and yet each event comes in its place and with its text. */
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
    directory_remove();
    return check_summary();
}
