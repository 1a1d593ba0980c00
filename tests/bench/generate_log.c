/* generate_log FILE EVENTS [STREAMS [LIVE [STACKS [SEED [packed|plain [DELAY [PROCESSES]]]]]]]  writes a log of
 * about so many events without recording anything: for tests of how exact, fast and frugal its readers are.
 *
 * One process, or several of the same program one after the other, of EVENTS each: STREAMS threads (default 4) that free each other's blocks, LIVE blocks (1000)
 * on average, of random sizes, from STACKS (500) stacks; stamps are nanoseconds, some 50
 * apart; by the clock on the wall it begins DELAY ns later than others. FILE may be - for stdout. What is in the log is printed, a name and a number a
 * line: to stdout, or to stderr where the log goes there. */
#include "analyze/log/pack.h"
#include "analyze/util.h"
#include "format/chunk.h"
#include "format/encode.h"
#include "tests/bench/random.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES 60000
#define DEPTH 10
#define PCS 4096
#define PID 4711
#define IMAGE ((uint64_t)1700000000000000000) /* of CLOCK_REALTIME */
#define BEGIN_NS ((uint64_t)1000000000000) /* of CLOCK_MONOTONIC */

struct stream {
    struct { struct rec_chunk_header header; uint8_t records[CHUNK_BYTES + 4096]; } chunk;
    uint8_t *at; /* NULL: no chunk has begun */
    struct encoder encoder;
    uint32_t sequence;
    uint32_t stack; /* the last one in this chunk; UINT32_MAX: none */
    uint32_t *number_of; /* stack -> 1 + its number in this chunk */
};

struct block {
    uint32_t size;
    uint32_t stack; /* + 1; 0: no block here */
};

static struct {
    int fd;
    struct packer *packer;
    uint64_t ns;
    uint32_t process; /* from 0 */
    uint32_t random;
    uint32_t stack_count;
    struct stream *streams;
    uint32_t stream_count;
    uint64_t chunks, delay_ns;
} g;

static struct {
    uint64_t events, allocations, allocated_bytes, frees, reallocs, live_bytes, live_blocks, peak_bytes, peak_blocks, peak_ns;
    uint64_t by_site[PCS + 1];
} truth;

static void put(const void *data, size_t bytes)
{
    while (bytes) {
        ssize_t written = write(g.fd, data, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            perror("generate_log: cannot write");
            exit(1);
        }
        data = (const char *)data + written;
        bytes -= (size_t)written;
    }
}

static void put_chunk(struct rec_chunk_header *header, size_t payload_bytes)
{
    size_t bytes = chunk_seal(header, (uint32_t)payload_bytes);
    const void *chunk = header;

    if (g.packer)
        chunk = packer_pack(g.packer, chunk, &bytes);
    put(chunk, bytes);
}

static void flush(struct stream *s)
{
    if (!s->at)
        return;
    put_chunk(&s->chunk.header, (size_t)(s->at - s->chunk.records));
    s->at = NULL;
    g.chunks++;
}

static void begin_chunk(struct stream *s, uint32_t number)
{
    s->chunk.header = (struct rec_chunk_header){
        .type = REC_CHUNK_EVENTS, .flags = REC_CHUNK_TICKS_ARE_NS, .pid = PID + g.process, .image = IMAGE + g.process, .stream = number,
        .sequence = s->sequence++, .ticks = g.ns, .clock_ns = g.ns,
    };
    encoder_begin(&s->encoder, g.ns);
    s->at = s->chunk.records;
    s->stack = UINT32_MAX;
    memset(s->number_of, 0, g.stack_count * sizeof *s->number_of);
}

static struct stream *room(uint32_t number)
{
    struct stream *s = &g.streams[number];

    if (s->at && s->at - s->chunk.records > CHUNK_BYTES)
        flush(s);
    if (!s->at)
        begin_chunk(s, number);
    return s;
}

/* The frames of a stack, outer to inner: the last ones tell stacks apart. */
static uint32_t pc_of(uint32_t stack, unsigned level)
{
    return 1 + ((stack >> (2 * (DEPTH - 1 - level))) * 31 + level * 977) % PCS;
}

static uint8_t *encode_block(struct stream *s, enum rec_alloc which, uint64_t address, const struct block *block)
{
    uint32_t ids[DEPTH], stack = block->stack - 1;
    struct encode_stack how = { .ids = ids };

    if (s->number_of[stack] && stack != s->stack) {
        how.again = true;
        how.number = s->number_of[stack] - 1;
    } else if (stack != s->stack) {
        unsigned same = 0;
        while (s->stack != UINT32_MAX && same < DEPTH && pc_of(s->stack, same) == pc_of(stack, same))
            same++;
        how.pops = s->stack == UINT32_MAX ? 0 : DEPTH - same;
        for (unsigned level = same; level < DEPTH; level++)
            ids[how.pushes++] = pc_of(stack, level);
        if (s->encoder.stacks < REC_STACK_NUMBERS)
            s->number_of[stack] = 1 + s->encoder.stacks;
    }
    s->stack = stack;
    return encode_alloc(&s->encoder, s->at, which, address, block->size, g.ns, 0, 0, &how);
}

static void lives(const struct block *block)
{
    truth.allocations++;
    truth.allocated_bytes += block->size;
    truth.by_site[pc_of(block->stack - 1, DEPTH - 1)]++;
    truth.live_blocks++;
    truth.live_bytes += block->size;
    if (truth.live_bytes > truth.peak_bytes) {
        truth.peak_bytes = truth.live_bytes;
        truth.peak_blocks = truth.live_blocks;
        truth.peak_ns = g.ns - BEGIN_NS;
    }
}

static void dies(const struct block *block)
{
    truth.frees++;
    truth.live_blocks--;
    truth.live_bytes -= block->size;
}

#define REALLOC_EVERY 16

/* As in programs, from each stack one function allocates; if there is one stack alone, both do. */
static uint32_t random_stack(bool of_realloc)
{
    uint32_t stack = random_next(&g.random) % g.stack_count;

    if (of_realloc)
        return stack / REALLOC_EVERY * REALLOC_EVERY;
    return stack % REALLOC_EVERY || g.stack_count == 1 ? stack : stack + 1 < g.stack_count ? stack + 1 : stack - 1;
}

/* Sizes of one to four digits, all about as often. */
static struct block random_block(bool of_realloc)
{
    uint32_t most = (uint32_t[]){ 10, 100, 1000, 10000 }[random_next(&g.random) % 4];
    return (struct block){ 1 + random_next(&g.random) % most, 1 + random_stack(of_realloc) };
}

static void make_event(struct block *block, uint64_t address)
{
    uint32_t stream = random_next(&g.random) % g.stream_count;
    struct stream *s;

    g.ns += 1 + random_next(&g.random) % 100;
    s = room(stream);
    truth.events++;
    if (!block->stack) {
        *block = random_block(false);
        s->at = encode_block(s, REC_ALLOC_MALLOC, address, block);
        lives(block);
    } else if (random_next(&g.random) % 16 == 0) { /* in place: the address stays */
        s->at = encode_free(&s->encoder, s->at, REC_REALLOC_BEGIN, address, g.ns++);
        dies(block);
        *block = random_block(true);
        s->at = encode_block(s, REC_ALLOC_REALLOC_END, address, block);
        lives(block);
        truth.events++;
        truth.reallocs++;
    } else {
        s->at = encode_free(&s->encoder, s->at, REC_FREE, address, g.ns);
        dies(block);
        block->stack = 0;
    }
}

#define TEXT(text) (struct encode_text){ text, strlen(text) }

static void put_session(uint32_t pid, uint32_t stream, uint32_t sequence)
{
    struct { struct rec_chunk_header header; uint8_t records[4096]; } chunk = { .header = {
        .type = REC_CHUNK_SESSION, .flags = REC_CHUNK_TICKS_ARE_NS, .pid = pid, .image = pid ? IMAGE + g.process : 0, .stream = stream,
        .sequence = sequence, .ticks = g.ns, .clock_ns = g.ns } };
    struct encoder e;
    uint8_t *at = chunk.records;

    encoder_begin(&e, g.ns);
    if (!pid)
        at = encode_session_start(&e, at, g.ns, IMAGE + g.delay_ns, TEXT("generate_log"), TEXT("nowhere"), TEXT("0"), 0, 0);
    else if (sequence == REC_SESSION_END)
        at = encode_process_end(&e, at, g.ns, pid, true, 0);
    put_chunk(&chunk.header, (size_t)(at - chunk.records));
}

static void begin_process(void)
{
    const struct encode_process process = { .realtime_ns = IMAGE, .page_bytes = 4096, .exe = TEXT("/generated/program"),
                                            .call_graph = TEXT("generated"), .allocator = TEXT("/generated/libc") };
    const struct encode_segment segment = { 0x10000000, 0x20000000 };
    struct stream *s = room(0);

    s->at = encode_process_start(&s->encoder, s->at, g.ns, &process);
    s->at = encode_module_load(&s->encoder, s->at, g.ns, &(struct encode_module){
        .id = 1, .bias = segment.start, .segments = &segment, .segment_count = 1, .path = TEXT("/generated/program") });
    for (uint32_t i = 1; i <= PCS; i++)
        s->at = encode_pc(&s->encoder, s->at, i, 1, segment.start + 16 * i, false);
    for (uint32_t i = 0; i < g.stream_count; i++) {
        s = room(i);
        s->at = encode_thread_begin(&s->encoder, s->at, g.ns, PID + g.process + i, TEXT("generated"), false);
    }
}

/* What it leaves dies with it. */
static void make_process(uint64_t events, struct block *blocks, uint64_t place_count)
{
    const uint64_t end = truth.events + events;

    truth.live_bytes = truth.live_blocks = g.chunks = 0;
    begin_process();
    while (truth.events < end) {
        uint64_t place = (uint64_t)random_next(&g.random) << 16 ^ random_next(&g.random);
        place %= place_count;
        make_event(&blocks[place], 0x7f0000000000 + place * 16384);
    }
    for (uint32_t i = 0; i < g.stream_count; i++) {
        flush(&g.streams[i]);
        g.streams[i].sequence = 0;
    }
    put_session(PID + g.process, (uint32_t)g.chunks, REC_SESSION_SUM);
    put_session(PID + g.process, 0, REC_SESSION_END);
}

static void print_truth(FILE *to)
{
    uint64_t sites = 0, top = 0;

    for (size_t i = 1; i <= PCS; i++) {
        sites += truth.by_site[i] > 0;
        top = truth.by_site[i] > top ? truth.by_site[i] : top;
    }
#define PRINT(name) fprintf(to, #name " %" PRIu64 "\n", truth.name)
    PRINT(events), PRINT(allocations), PRINT(allocated_bytes), PRINT(frees), PRINT(reallocs);
    PRINT(peak_bytes), PRINT(peak_blocks), PRINT(peak_ns), PRINT(live_bytes), PRINT(live_blocks);
    fprintf(to, "sites %" PRIu64 "\ntop_site_allocations %" PRIu64 "\nduration_ns %" PRIu64 "\n", sites, top, g.ns - BEGIN_NS);
}

static uint64_t number(int argc, char **argv, int at, uint64_t otherwise)
{
    return argc > at ? strtoull(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    uint64_t events = number(argc, argv, 2, 0), place_count = 2 * number(argc, argv, 4, 1000);
    bool to_stdout = argc > 1 && strcmp(argv[1], "-") == 0;
    uint64_t processes = number(argc, argv, 9, 1);
    struct rec_file_header header;

    g.stream_count = (uint32_t)number(argc, argv, 3, 4);
    g.stack_count = (uint32_t)number(argc, argv, 5, 500);
    g.random = (uint32_t)number(argc, argv, 6, 1);
    g.packer = argc > 7 && strcmp(argv[7], "packed") == 0 ? packer_make() : NULL;
    g.delay_ns = number(argc, argv, 8, 0);
    g.ns = BEGIN_NS;
    if (argc < 3 || !g.stream_count || !place_count || !g.stack_count || !g.random) {
        fputs("usage: generate_log FILE EVENTS [STREAMS [LIVE [STACKS [SEED [packed|plain [DELAY [PROCESSES]]]]]]]\n", stderr);
        return 2;
    }
    g.fd = to_stdout ? STDOUT_FILENO : open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (g.fd < 0) {
        perror(argv[1]);
        return 1;
    }
    struct block *blocks = alloc_zeroed(place_count, sizeof *blocks);
    g.streams = alloc_zeroed(g.stream_count, sizeof *g.streams);
    for (uint32_t i = 0; i < g.stream_count; i++)
        g.streams[i].number_of = alloc_zeroed(g.stack_count, sizeof *g.streams[i].number_of);
    uint64_t session[2] = { g.random, g.delay_ns };
    file_header_make_with(&header, (const uint8_t *)session, g.packer ? REC_FILE_PACKED : 0, sizeof header);
    put(&header, sizeof header);
    put_session(0, 0, 0);
    for (; g.process < processes; g.process++) {
        memset(blocks, 0, place_count * sizeof *blocks);
        make_process(events, blocks, place_count);
    }
    print_truth(to_stdout ? stderr : stdout);
    for (uint32_t i = 0; i < g.stream_count; i++)
        free(g.streams[i].number_of);
    free(g.streams);
    free(blocks);
    packer_free(g.packer);
    return 0;
}
