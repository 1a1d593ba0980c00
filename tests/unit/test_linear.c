/* Logs that were made to take the square of their length to be read do not: each takes about as long as an
 * ordinary one of its size. */
#include "analyze/model/facts.h"

#include "tests/unit/log_writer.h"

#include <time.h>

#define COUNT 100000u
#define STEP 2971215073ull /* a Fibonacci number: this many times 2^64 / the golden ratio is nearly a multiple of 2^64 */

static struct log_bytes bytes;
static uint32_t sequence;
static uint64_t ns;

static void begin(void)
{
    log_bytes_begin(&bytes);
    sequence = 0;
    ns = 1000;
    chunk_begin(1, 0, sequence++, ns);
}

static void add_chunk(void)
{
    chunk_seal(&made.header, (uint32_t)(at - made.records));
    log_bytes_add(&bytes, &made, sizeof made.header + made.header.payload_bytes);
}

/* Before each event. */
static void room(void)
{
    ns++;
    if (at - made.records < 60000)
        return;
    chunk_end(&bytes);
    chunk_begin(1, 0, sequence++, ns);
}

static void end(void)
{
    chunk_end(&bytes);
    log_bytes_write(&bytes);
}

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Returns the seconds that reading took. */
static double read_log(uint64_t allocations, uint64_t leaked)
{
    struct failure failure;
    struct log *log = NULL;
    double begun = cpu_seconds();

    if (!CHECK(log_open(log_path, &log, &failure) == 0))
        return 0;
    struct facts *f = facts_collect(log, NULL);
    CHECK(f->allocations == allocations && f->frees == allocations - leaked && f->leaked_blocks == leaked);
    CHECK(!f->unmatched_frees && !f->unseen_frees);
    size_t right = 0;
    for (size_t i = 0; i < f->told.notes.untraced_count; i++)
        right += f->told.notes.untraced[i].pid == f->told.processes[f->told.notes.untraced[i].process].pid;
    CHECK(right == f->told.notes.untraced_count);
    facts_free(f);
    log_free(log);
    return cpu_seconds() - begun;
}

static void check_time(const char *what, double seconds, double ordinary)
{
    if (!CHECK(seconds < 10 * ordinary + 0.2))
        printf("%s: %.3f s, where an ordinary log takes %.3f s\n", what, seconds, ordinary);
}

/* Blocks at multiples of `step`, half of which are freed in the end. Pcs go by steps, too. */
static double read_steps(uint64_t step)
{
    begin();
    for (uint64_t i = 1; i <= COUNT; i++) {
        room();
        uint32_t pc = (uint32_t)(i * step);
        struct encode_stack stack = { .ids = &pc, .pushes = 1, .pops = encoder.stacks > 0 };
        at = encode_alloc(&encoder, at, REC_ALLOC_MALLOC, 8 * i * step, i, ns, 0, 0, &stack);
    }
    for (uint64_t i = 1; i <= COUNT / 2; i++) {
        room();
        add_free(ns, 16 * i * step);
    }
    end();
    return read_log(COUNT, COUNT / 2);
}

/* Reallocs that never end: what will become of their blocks each allocation may tell. */
static double read_unfinished(void)
{
    begin();
    for (uint64_t i = 1; i <= 3 * COUNT; i++) {
        room();
        if (i <= COUNT || i > 2 * COUNT)
            add_malloc(ns, 16 * i, 10);
        else
            add_realloc_begin(ns, 16 * (i - COUNT));
    }
    end();
    return read_log(2 * COUNT, 2 * COUNT);
}

/* Chunks, and after each a header that is a piece of another one. */
static double read_pieces(void)
{
    log_bytes_begin(&bytes);
    for (uint32_t i = 0; i < COUNT; i++) {
        chunk_begin(1, 0, i, 1000 + i);
        add_malloc(1000 + i, 16 + 16 * i, 10);
        add_chunk();
        chunk_begin(1, 0, COUNT - 1 - i, 1000 + i);
        add_malloc(1000 + i, 16, 10);
        chunk_seal(&made.header, (uint32_t)(at - made.records));
        log_bytes_add(&bytes, &made.header, sizeof made.header);
    }
    log_bytes_write(&bytes);
    return read_log(COUNT, COUNT);
}

/* Processes, and as many notes on programs that one of them has executed. */
static double read_untraced(void)
{
    log_bytes_begin(&bytes);
    for (uint32_t i = 0; i < COUNT; i++) {
        chunk_begin(1 + i, 0, 0, 1000);
        at = encode_process_start(&encoder, at, 1000, &(struct encode_process){ .exe = { "x", 1 } });
        add_chunk();
        chunk_begin(0, 0, REC_SESSION_UNTRACED, 1000);
        made.header.type = REC_CHUNK_SESSION;
        made.header.image = 0;
        at = encode_untraced(&encoder, at, 1000, COUNT - i, REC_UNTRACED_STATIC, (struct encode_text){ "y", 1 });
        add_chunk();
    }
    log_bytes_write(&bytes);
    return read_log(0, 0);
}

/* Whole headers, each of which claims the megabyte behind it. */
static double read_claims(void)
{
    log_bytes_begin(&bytes);
    chunk_begin(1, 0, 0, 1000);
    add_malloc(1000, 16, 10);
    chunk_end(&bytes);
    made.header.payload_bytes = REC_CHUNK_PAYLOAD_MAX;
    made.header.header_checksum = checksum(&made.header, offsetof(struct rec_chunk_header, header_checksum));
    for (uint32_t i = 0; i < 3 * COUNT; i++)
        log_bytes_add(&bytes, &made.header, sizeof made.header);
    log_bytes_write(&bytes);
    return read_log(1, 1);
}

int main(void)
{
    directory_make();
    double ordinary = read_steps(2);
    check_time("addresses", read_steps(STEP), ordinary);
    check_time("unfinished reallocs", read_unfinished(), ordinary);
    check_time("pieces", read_pieces(), ordinary);
    if (!getenv("TEST_SANITIZED")) /* a second goes before it is seen for what it is; with sanitizers half a minute */
        check_time("claims", read_claims(), ordinary + 0.2);
    check_time("untraced programs", read_untraced(), ordinary);
    free(bytes.data);
    directory_remove();
    return check_summary();
}
