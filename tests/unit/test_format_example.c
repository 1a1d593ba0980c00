/* The example in docs/format.md: its bytes are what the encoder writes today, its
 * words are what the decoder makes of them, and log_open reads it as a log.
 *
 * `test_format_example --example` prints it, for the document. */
#include "analyze/log/reader.h"
#include "format/chunk.h"
#include "format/encode.h"
#include "tests/unit/check.h"
#include "tests/unit/format_fields.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define PID 4711u
#define IMAGE 1700000000000000000ull

static uint8_t example[1024];
static size_t example_bytes;

/* A chunk in the making; its place in the log need not be aligned. */
static struct {
    struct rec_chunk_header header;
    uint8_t records[512];
} chunk;

static uint8_t *begin_chunk(struct encoder *e, uint8_t type, uint64_t ticks, uint64_t clock_ns)
{
    chunk.header = (struct rec_chunk_header){ .type = type, .pid = PID, .image = IMAGE, .ticks = ticks, .clock_ns = clock_ns };
    encoder_begin(e, ticks);
    return chunk.records;
}

static void end_chunk(const uint8_t *end)
{
    size_t bytes = chunk_seal(&chunk.header, (uint32_t)(end - chunk.records));

    memcpy(example + example_bytes, &chunk, bytes);
    example_bytes += bytes;
}

static void make_example(void)
{
    static const uint8_t session[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    static const struct encode_segment segment = { 0x401000, 0x402000 };
    static const uint32_t ids[] = { 1, 2, 3 };
    const struct encode_module module = { 1, 0x400000, &segment, 1, { "\xde\xad\xbe\xef", 4 }, { "/bin/x", 6 } };
    const struct encode_stack first = { .pushes = 2, .ids = ids };
    const struct encode_stack other = { .pops = 1, .pushes = 1, .ids = ids + 2 };
    const struct encode_stack again = { .again = true, .number = 1 };
    const struct encode_stack partial = { .flags = REC_STACK_PARTIAL, .flags_changed = true };
    struct rec_file_header header;
    struct encoder e;

    file_header_make(&header, session);
    memcpy(example, &header, sizeof header);
    example_bytes = sizeof header;
    uint8_t *at = begin_chunk(&e, REC_CHUNK_EVENTS, 1000000, 5000000000);
    at = encode_thread_begin(&e, at, 1000010, PID, (struct encode_text){ "x", 1 }, false);
    at = encode_module_load(&e, at, 1000600, &module);
    at = encode_pc(&e, at, 1, 1, 0x401136, false);
    at = encode_pc(&e, at, 2, 1, 0x401200, false);
    at = encode_alloc(&e, at, REC_ALLOC_MALLOC, 0x4052a0, 24, 1001350, 0, 0, &first);
    at = encode_pc(&e, at, 3, 1, 0x401250, false);
    at = encode_alloc(&e, at, REC_ALLOC_ALIGNED, 0x406000, 1000, 1001500, REC_FN_ALIGNED_ALLOC, 4096, &other);
    at = encode_free(&e, at, REC_REALLOC_BEGIN, 0x4052a0, 1002000);
    at = encode_alloc(&e, at, REC_ALLOC_REALLOC_END, 0x4052c0, 48, 1002300, 0, 0, &partial);
    memcpy(at, "\xa3\x03xyz", 5); /* of a later version: number 40 */
    at = encode_free(&e, at + 5, REC_FREE, 0x406000, 1002400);
    at = encode_alloc(&e, at, REC_ALLOC_CALLOC, 0x406000, 8, 1002600, 0, 0, &again);
    end_chunk(at);

    at = begin_chunk(&e, REC_CHUNK_SESSION, 4000000, 5001000000);
    end_chunk(encode_process_end(&e, at, 4000000, PID, true, 9));
}

/* An event in the example's words. */
static void describe(const struct event *e, char out[static 256])
{
    static const char *const ends[] = { [EVENT_REALLOC_BEGIN] = "-begin", [EVENT_REALLOC_END] = "-end" };
    bool is_alloc = e->type == EVENT_ALLOC || e->type == EVENT_REALLOC_END;

    if (e->type == EVENT_OTHER) {
        const char *name = rec_other_name(e->other);
        out += name ? sprintf(out, "%s", name) : sprintf(out, "unknown record %u", e->other);
        if (e->other == REC_PC)
            out += sprintf(out, " %u = 0x%" PRIx64 " in module %u%s", e->pc.id, e->pc.pc, e->pc.module,
                           e->pc.exact ? ", exact" : "");
        if (e->other == REC_MODULE_LOAD)
            out += sprintf(out, " %u %.*s", e->module.id, (int)e->module.path.bytes, e->module.path.data);
        if (e->other == REC_THREAD_BEGIN)
            out += sprintf(out, " %u", e->thread.tid);
        if (e->other == REC_PROCESS_END)
            out += sprintf(out, " %u status %u", e->end.pid, e->end.wait_status);
    } else {
        const char *end = ends[e->type > EVENT_REALLOC_END ? 0 : e->type];
        out += sprintf(out, "%s%s 0x%" PRIx64, rec_function_name(e->function), end ? end : "", e->address);
    }
    if (is_alloc)
        out += sprintf(out, " of %" PRIu64, e->size);
    if (is_alloc && e->alignment)
        out += sprintf(out, " aligned %" PRIu64, e->alignment);
    if (e->type != EVENT_OTHER || (e->other != REC_PC && rec_other_name(e->other)))
        out += sprintf(out, ", tick %" PRIu64, e->ticks);
    if (!is_alloc)
        return;
    if (e->pops || e->pushes)
        out += sprintf(out, ", stack -%u", e->pops);
    if (e->stack_mode == REC_STACK_AGAIN)
        out += sprintf(out, ", stack %u again", e->stack_number);
    for (uint32_t i = 0; i < e->pushes; i++)
        out += sprintf(out, " +%u", e->ids[i]);
    if (e->stack_mode == REC_STACK_LONG)
        sprintf(out, ", flags %u", e->stack_flags);
}

static void print_bytes(size_t offset, size_t bytes, const char *explanation, FILE *to)
{
    for (size_t done = 0; done < bytes;) {
        char hex[64] = "";
        size_t part = bytes - done < 16 ? bytes - done : 16;
        for (size_t i = 0; i < part; i++)
            sprintf(hex + 3 * i, "%02x ", example[offset + done + i]);
        hex[3 * part - 1] = 0;
        if (*explanation)
            fprintf(to, "%04zx  %-47s  %s\n", offset + done, hex, explanation);
        else
            fprintf(to, "%04zx  %s\n", offset + done, hex);
        explanation = "";
        done += part;
    }
}

static void print_struct(size_t offset, const char *which, const struct field *fields, size_t count, FILE *to)
{
    char text[128];

    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%s%s", i ? "" : which, fields[i].name);
        print_bytes(offset + fields[i].offset, fields[i].bytes, text, to);
    }
}

static void print_records(size_t offset, size_t bytes, uint64_t ticks, FILE *to)
{
    static struct decoder d;
    struct event event;
    char text[256];

    decoder_begin(&d, example + offset, bytes, ticks);
    for (const uint8_t *from = d.now.at; decoder_next(&d, &event) == 1; from = d.now.at) {
        describe(&event, text);
        print_bytes((size_t)(from - example), (size_t)(d.now.at - from), text, to);
    }
    CHECK(d.now.problem == NULL);
}

static void print_example(FILE *to)
{
    print_struct(0, "file header: ", file_header, COUNT_OF(file_header), to);
    for (size_t at = sizeof(struct rec_file_header); at < example_bytes;) {
        struct rec_chunk_header header;
        memcpy(&header, example + at, sizeof header);
        print_struct(at, header.type == REC_CHUNK_EVENTS ? "chunk header: " : "session chunk: ", chunk_header,
                     COUNT_OF(chunk_header), to);
        print_records(at + sizeof header, header.payload_bytes, header.ticks, to);
        at += sizeof header + header.payload_bytes;
    }
}

/* The document's bytes alone, through the reader. */
static void test_example_reads(const uint8_t *bytes, size_t count)
{
    char path[] = "/tmp/test_format_example-XXXXXX";
    static const char *const wanted[] = {
        "5000000003 thread-begin 4711, tick 1000010",
        "5000000200 module-load 1 /bin/x, tick 1000600",
        "5000000200 pc 1 = 0x401136 in module 1",
        "5000000200 pc 2 = 0x401200 in module 1",
        "5000000450 malloc 0x4052a0 of 24, tick 1001350, stack -0 +1 +2",
        "5000000450 pc 3 = 0x401250 in module 1",
        "5000000500 aligned_alloc 0x406000 of 1000 aligned 4096, tick 1001500, stack -1 +3",
        "5000000666 realloc-begin 0x4052a0, tick 1002000",
        "5000000766 realloc-end 0x4052c0 of 48, tick 1002300, flags 2",
        "5000000766 unknown record 40",
        "5000000800 free 0x406000, tick 1002400",
        "5000000866 calloc 0x406000 of 8, tick 1002600, stack 1 again",
    };
    struct failure failure;
    struct timed_event event;
    struct log *log = NULL;
    size_t found = 0;
    int fd = mkstemp(path);

    CHECK(fd >= 0 && write(fd, bytes, count) == (ssize_t)count);
    close(fd);
    if (CHECK(log_open(path, &log, &failure) == 0)) {
        struct reader *reader = reader_open(log);
        CHECK(log->damage_count == 0 && log->chunk_count == 2 && log->process_count == 1);
        CHECK(log->processes[0].pid == PID && log->processes[0].image == IMAGE);
        for (; reader_next(reader, &event) == 1; found++) {
            char text[300];
            int length = sprintf(text, "%" PRIu64 " ", event.ns);
            describe(&event.event, text + length);
            if (!CHECK(found < COUNT_OF(wanted) && strcmp(text, wanted[found]) == 0)) {
                printf("    %s\n", text);
                break;
            }
        }
        CHECK(found == COUNT_OF(wanted));
        reader_free(reader);
        log_free(log);
    }
    unlink(path);
}

static const char *next_line(const char *line)
{
    return strchr(line, '\n') + 1;
}

static void test_example(const char *document)
{
    const char *start = strstr(document, "```hex\n"), *end = start ? strstr(start, "\n```\n") : NULL;
    char *printed = NULL;
    size_t printed_bytes = 0, count = 0;
    uint8_t bytes[sizeof example];
    FILE *to = open_memstream(&printed, &printed_bytes);

    print_example(to);
    fclose(to);
    if (!CHECK(end != NULL))
        return;
    start = next_line(start);
    CHECK(printed_bytes == (size_t)(end + 1 - start) && memcmp(printed, start, printed_bytes) == 0);
    for (const char *line = start; line < end; line = next_line(line)) {
        unsigned offset, byte;
        int used;
        if (!CHECK(sscanf(line, "%4x%n", &offset, &used) == 1 && offset == count && used == 4))
            break;
        for (const char *at = line + 5; at[0] == ' ' && sscanf(at, " %2x%n", &byte, &used) == 1 && used == 3 &&
                                        count < sizeof bytes; at += 3)
            bytes[count++] = (uint8_t)byte;
    }
    CHECK(count == example_bytes && memcmp(bytes, example, count) == 0);
    test_example_reads(bytes, count);
    free(printed);
}

int main(int argc, char **argv)
{
    char *document = NULL;
    size_t capacity = 0;

    make_example();
    if (argc > 1 && strcmp(argv[1], "--example") == 0) {
        print_example(stdout);
        return 0;
    }
    FILE *file = fopen(SOURCE_DIR "/docs/format.md", "re");
    if (CHECK(file && getdelim(&document, &capacity, 0, file) > 0)) {
        fclose(file);
        test_example(document);
    }
    free(document);
    return check_summary();
}
