/* docs/format.md against the code: its tables against the structs and numbers of
 * format/, and the bodies of the rare records against what the encoder writes.
 * Its example is test_format_example's. */
#include "format/checksum.h"
#include "format/chunk.h"
#include "format/decode.h"
#include "format/encode.h"
#include "format/names.h"
#include "tests/unit/check.h"
#include "tests/unit/format_fields.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- the document ---------------------------------------------------------- */

#define CELLS_MAX 5
#define CELL_BYTES 512

struct row {
    char cell[CELLS_MAX][CELL_BYTES];
};

struct table {
    struct row rows[64];
    size_t count;
};

static char *document;

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end ? end + 1 : line + strlen(line);
}

/* Trimmed, and without the backticks around names. */
static void copy_cell(char *to, const char *from, const char *end)
{
    while (from < end && (*from == ' ' || *from == '`'))
        from++;
    while (from < end && (end[-1] == ' ' || end[-1] == '`'))
        end--;
    snprintf(to, CELL_BYTES, "%.*s", (int)(end - from), from);
}

static void parse_row(struct table *t, const char *line)
{
    struct row *row = &t->rows[t->count];
    const char *end = strchr(line, '\n');

    if (!end || t->count == COUNT_OF(t->rows))
        return;
    memset(row, 0, sizeof *row);
    for (int i = 0; i < CELLS_MAX && *line == '|' && line + 1 < end; i++) {
        const char *next = memchr(line + 1, '|', (size_t)(end - line - 1));
        if (!next)
            break;
        copy_cell(row->cell[i], line + 1, next);
        line = next;
    }
    t->count++;
}

/* The first table after the words `name` in backticks; without its head. */
static void find_table(const char *name, struct table *ret_table)
{
    char quoted[64];
    const char *line = document;

    ret_table->count = 0;
    snprintf(quoted, sizeof quoted, "`%s`", name);
    if (*name && !(line = strstr(document, quoted))) {
        printf("%s is not in the document\n", name);
        return;
    }
    while (*line && *line != '|')
        line = next_line(line);
    line = next_line(next_line(line));
    for (; *line == '|'; line = next_line(line))
        parse_row(ret_table, line);
}

static const struct row *row_of(const struct table *t, int column, const char *text)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->rows[i].cell[column], text) == 0)
            return &t->rows[i];
    return NULL;
}

/* Says which of many; counts once. */
static bool check_named(bool condition, const char *what, const char *name)
{
    if (!CHECK(condition))
        printf("    %s: %s\n", what, name);
    return condition;
}

/* --- structs --------------------------------------------------------------- */

static size_t type_bytes(const char *type)
{
    unsigned bits = 0, count = 1;

    if (strncmp(type, "char", 4) == 0) {
        bits = 8;
        sscanf(type, "char[%u]", &count);
    } else {
        sscanf(type, "u%u[%u]", &bits, &count);
    }
    return bits / 8 * count;
}

static void test_struct(const char *name, const struct field *fields, size_t count, size_t bytes)
{
    struct table t;
    size_t end = 0;

    find_table(name, &t);
    check_named(t.count == count, "rows", name);
    for (size_t i = 0; i < t.count && i < count; i++) {
        const struct row *row = &t.rows[i];
        check_named(strtoul(row->cell[0], NULL, 10) == fields[i].offset && fields[i].offset == end, "offset", row->cell[3]);
        check_named(strtoul(row->cell[1], NULL, 10) == fields[i].bytes, "bytes", row->cell[3]);
        check_named(type_bytes(row->cell[2]) == fields[i].bytes, "type", row->cell[3]);
        check_named(strcmp(row->cell[3], fields[i].name) == 0, "name", row->cell[3]);
        end = fields[i].offset + fields[i].bytes;
    }
    check_named(end == bytes, "size", name);
}

#define TEST_STRUCT(type, fields) test_struct("struct " #type, fields, COUNT_OF(fields), sizeof(struct type))

/* --- numbers --------------------------------------------------------------- */

/* A value that is added to an enum does not compile here until it has a name,
 * and does not pass until the document has it. */
#pragma GCC diagnostic error "-Wswitch"

static const char *name_of_kind(unsigned value)
{
    switch ((enum rec_kind)value) {
    case REC_ALLOC: return "allocation";
    case REC_FREE: return "free";
    case REC_REALLOC_BEGIN: return "realloc-begin";
    case REC_OTHER: return "other";
    }
    return NULL;
}

static const char *name_of_alloc(unsigned value)
{
    switch ((enum rec_alloc)value) {
    case REC_ALLOC_MALLOC: return "malloc";
    case REC_ALLOC_CALLOC: return "calloc";
    case REC_ALLOC_REALLOC: return "realloc";
    case REC_ALLOC_REALLOCARRAY: return "reallocarray";
    case REC_ALLOC_REALLOC_END: return "realloc-end";
    case REC_ALLOC_REALLOCARRAY_END: return "reallocarray-end";
    case REC_ALLOC_ALIGNED: return "aligned";
    }
    return NULL;
}

static const char *name_of_stack(unsigned value)
{
    switch ((enum rec_stack)value) {
    case REC_STACK_SAME: return "same";
    case REC_STACK_SHORT: return "short";
    case REC_STACK_LONG: return "long";
    case REC_STACK_AGAIN: return "again";
    }
    return NULL;
}

static const char *name_of_stack_flag(unsigned value)
{
    switch ((enum rec_stack_flags)value) {
    case REC_STACK_CUT: return "cut";
    case REC_STACK_PARTIAL: return "partial";
    case REC_STACK_GUESSED: return "guessed";
    case REC_STACK_FALLBACK: return "fallback";
    case REC_STACK_DIFFERS: return "differs";
    }
    return NULL;
}

static const char *name_of_pc_flag(unsigned value)
{
    switch ((enum rec_pc_flags)value) {
    case REC_PC_EXACT: return "exact";
    }
    return NULL;
}

static const char *name_of_start(unsigned value)
{
    switch ((enum rec_start)value) {
    case REC_START_IMAGE: return "image";
    case REC_START_FORK: return "fork";
    case REC_START_EXEC: return "exec";
    }
    return NULL;
}

static const char *name_of_process_flag(unsigned value)
{
    switch ((enum rec_process_flags)value) {
    case REC_PROCESS_PAUSED: return "paused";
    }
    return NULL;
}

static const char *name_of_session_flag(unsigned value)
{
    switch ((enum rec_session_flags)value) {
    case REC_SESSION_NO_PROGRAMS: return "no-programs";
    case REC_SESSION_NO_CHILDREN: return "no-children";
    }
    return NULL;
}

static const char *name_of_trimmed_flag(unsigned value)
{
    switch ((enum rec_trimmed_flags)value) {
    case REC_TRIMMED_INCOMPLETE: return "incomplete";
    }
    return NULL;
}

static const char *name_of_untraced(unsigned value)
{
    switch ((enum rec_untraced)value) {
    case REC_UNTRACED_WITHDRAWN: return "withdrawn";
    case REC_UNTRACED_STATIC: return "static";
    case REC_UNTRACED_PRIVILEGED: return "privileged";
    case REC_UNTRACED_MACHINE: return "machine";
    case REC_UNTRACED_LIBC: return "libc";
    case REC_UNTRACED_UNREACHABLE: return "unreachable";
    case REC_UNTRACED_SANITIZER: return "sanitizer";
    case REC_UNTRACED_SANDBOX: return "sandbox";
    case REC_UNTRACED_STATIC_PASSES: return "static-passes";
    case REC_UNTRACED_FAILED: return "failed";
    case REC_UNTRACED_UNTOLD: return "untold";
    }
    return NULL;
}

static const char *name_of_end(unsigned value)
{
    switch ((enum rec_end)value) {
    case REC_END_EXIT: return "exit";
    case REC_END_AWAITED: return "awaited";
    case REC_END_LEFT: return "left";
    case REC_END_QUICK: return "quick";
    }
    return NULL;
}

static const char *name_of_switch(unsigned value)
{
    switch ((enum rec_switch)value) {
    case REC_SWITCH_CALL: return "call";
    case REC_SWITCH_SIGNAL: return "signal";
    }
    return NULL;
}

static const char *name_of_chunk_type(unsigned value)
{
    switch ((enum rec_chunk_type)value) {
    case REC_CHUNK_EVENTS: return "events";
    case REC_CHUNK_SESSION: return "session";
    case REC_CHUNK_NAMES: return "names";
    }
    return NULL;
}

static const char *name_of_file_flag(unsigned value)
{
    switch ((enum rec_file_flags)value) {
    case REC_FILE_PACKED: return "packed";
    }
    return NULL;
}

static const char *name_of_chunk_flag(unsigned value)
{
    switch ((enum rec_chunk_flags)value) {
    case REC_CHUNK_TICKS_ARE_NS: return "ticks-are-ns";
    case REC_CHUNK_PACKED: return "packed";
    case REC_CHUNK_CUT: return "cut";
    case REC_CHUNK_TORN: return "torn";
    }
    return NULL;
}

static void test_numbers(const char *table, const char *(*name_of)(unsigned value))
{
    struct table t;
    size_t found = 0;

    find_table(table, &t);
    for (unsigned value = 0; value < 256; value++) {
        const char *name = name_of(value);
        if (!name)
            continue;
        found++;
        const struct row *row = row_of(&t, 1, name);
        check_named(row && strtoul(row->cell[0], NULL, 10) == value && *row->cell[0], table, name);
    }
    check_named(found > 0 && t.count == found, "rows", table);
}

static void test_bytes(const struct table *t, const char *name, const void *bytes, size_t count)
{
    const struct row *row = row_of(t, 0, name);
    char text[64];

    for (size_t i = 0; i < count; i++)
        sprintf(text + 3 * i, "%02x ", ((const uint8_t *)bytes)[i]);
    text[3 * count - 1] = 0;
    check_named(row && strcmp(row->cell[1], text) == 0, "constant", name);
}

static void test_constants(void)
{
    static const struct { const char *name; uint64_t value; } numbers[] = {
#define N(name) { #name, name }
        N(REC_VERSION), N(REC_KNOWN_INCOMPATIBLE), N(REC_CHUNK_PAYLOAD_MAX), N(REC_COLUMNS), N(REC_STACK_DEPTH_MAX),
        N(REC_STACK_NUMBERS), N(NAMES_FRAMES_MAX), N(NAMES_TEXTS_MAX),
        N(EVENT_SEGMENTS_MAX), N(REC_LIVE_HEADER_BYTES), N(REC_LIVE_SLOT_BYTES), N(REC_SESSION_SUM),
        N(REC_STOP_LIMIT), N(REC_STOP_SANDBOX), N(REC_STOP_CLOCK),
    };
    uint32_t chunk_magic = REC_CHUNK_MAGIC;
    struct table t;

    find_table("", &t);
    CHECK(t.count == COUNT_OF(numbers) + 4);
    test_bytes(&t, "REC_FILE_MAGIC", REC_FILE_MAGIC, 8);
    test_bytes(&t, "REC_CHUNK_MAGIC", &chunk_magic, 4);
    test_bytes(&t, "REC_LIVE_MAGIC", REC_LIVE_MAGIC, 8);
    test_bytes(&t, "REC_UNRECORDED_MAGIC", REC_UNRECORDED_MAGIC, 8);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        const struct row *row = row_of(&t, 0, numbers[i].name);
        check_named(row && *row->cell[1] && strtoull(row->cell[1], NULL, 10) == numbers[i].value, "constant",
                    numbers[i].name);
    }
    CHECK(EVENT_SEGMENTS_MAX == ENCODE_SEGMENTS_MAX);
    /* "64 to 4096", said of a chunk's header_bytes. */
    struct { struct rec_chunk_header header; } chunk = { 0 };
    for (unsigned bytes = 0; bytes < 6000; bytes++) {
        chunk_seal(&chunk.header, 0);
        chunk.header.header_bytes = (uint16_t)bytes;
        chunk.header.header_checksum = checksum(&chunk, offsetof(struct rec_chunk_header, header_checksum));
        if (chunk_header_sound(&chunk.header) != (bytes >= 64 && bytes <= 4096))
            check_named(false, "header_bytes", "limits");
    }
}

/* --- bodies ---------------------------------------------------------------- */

#define T(text) { text, sizeof text - 1 }

struct sample {
    unsigned other;
    const char *fields; /* as the document's words, with values: what the encoder was given */
    uint8_t bytes[ENCODE_EVENT_MAX + ENCODE_TEXTS_MAX + 256], *end;
};

/* Stamps are 7 ticks after the last one, addresses and pcs a bit before it. */
static size_t make_samples(struct sample *s)
{
    static const struct encode_segment segments[] = { { 0x1000, 0x1800 }, { 0x3000, 0x3001 } };
    const struct encode_module module = { 3, 0x7f0000000000, segments, 2, T("\1\2"), T("/lib/x") };
    const struct encode_process process = {
        .start = REC_START_EXEC, .ppid = 5, .realtime_ns = 6, .page_bytes = 4096, .exe = T("E"), .arguments = T("AA"),
        .directory = T("D"), .environment = T(""), .call_graph = T("C"), .allocator = T("L"), .max_depth = 64,
        .thread_bytes = 200000, .sample_bytes = 524288, .min_size = 32, .flags = REC_PROCESS_PAUSED, .other_malloc = T("M"),
        .pid_namespace = 4026531836, .began = 77, .parent_image = 500,
    };
    struct encoder e;
    size_t count = 0;

#define SAMPLE(number, text, call)                                       \
    do {                                                                 \
        encoder_begin(&e, 1000);                                         \
        e.address = e.pc = 0x5040;                                       \
        s[count].other = number;                                         \
        s[count].fields = text;                                          \
        uint8_t *at = s[count].bytes;                                    \
        s[count++].end = call;                                           \
    } while (0)
    SAMPLE(REC_PC, "id=9 module=3 difference=-64 flags=1", encode_pc(&e, at, 9, 3, 0x5000, true));
    SAMPLE(REC_MODULE_LOAD, "stamp=7 id=3 bias=139637976727552 segments=2 start=4096 length=2048 start=12288 length=1 "
           "build-id=\1\2 path=/lib/x", encode_module_load(&e, at, 1007, &module));
    SAMPLE(REC_MODULE_UNLOAD, "stamp=7 id=300", encode_module_unload(&e, at, 1007, 300));
    SAMPLE(REC_THREAD_BEGIN, "stamp=7 tid=77 name=worker nested=1",
           encode_thread_begin(&e, at, 1007, 77, (struct encode_text)T("worker"), true));
    SAMPLE(REC_THREAD_END, "stamp=7", encode_thread_end(&e, at, 1007));
    SAMPLE(REC_THREAD_NAME, "stamp=7 name=x", encode_thread_name(&e, at, 1007, (struct encode_text)T("x")));
    SAMPLE(REC_PROCESS_START, "stamp=7 start=2 ppid=5 realtime=6 page=4096 exe=E arguments=AA directory=D environment= "
           "call-graph=C allocator=L depth=64 memory=200000 sample=524288 least=32 flags=1 other-malloc=M "
           "namespace=4026531836 began=77 parent=500", encode_process_start(&e, at, 1007, &process));
    SAMPLE(REC_PROCESS_END, "stamp=7 pid=12 known=1 status=9", encode_process_end(&e, at, 1007, 12, true, 9));
    SAMPLE(REC_LOST, "stamp=7 count=1000 reason=28", encode_lost(&e, at, 1007, 1000, 28));
    SAMPLE(REC_ALLOC_FAILED, "stamp=7 function=6 size=18446744073709551615 alignment=64",
           encode_alloc_failed(&e, at, REC_FN_MEMALIGN, UINT64_MAX, 64, 1007));
    SAMPLE(REC_REALLOC_FAILED, "stamp=7 function=3 size=500", encode_realloc_failed(&e, at, REC_FN_REALLOCARRAY, 500, 1007));
    SAMPLE(REC_REALLOC_FREED, "stamp=7", encode_realloc_freed(&e, at, 1007));
    SAMPLE(REC_FREE_BY, "stamp=7 function=10 address=-69", encode_free_by(&e, at, REC_FN_CFREE, 0x4ffb, 1007));
    SAMPLE(REC_SESSION_START, "stamp=7 realtime=123456789012 command=ls host=h version=0.1 first=7 flags=3",
           encode_session_start(&e, at, 1007, 123456789012, (struct encode_text)T("ls"), (struct encode_text)T("h"),
                                (struct encode_text)T("0.1"), 7, REC_SESSION_NO_PROGRAMS | REC_SESSION_NO_CHILDREN));
    SAMPLE(REC_UNTRACED, "stamp=7 pid=300 reason=4 path=/m",
           encode_untraced(&e, at, 1007, 300, REC_UNTRACED_LIBC, (struct encode_text)T("/m")));
    SAMPLE(REC_MARK, "stamp=7 name=ready", encode_mark(&e, at, 1007, (struct encode_text)T("ready")));
    SAMPLE(REC_RECORDING, "stamp=7 on=1 by=1", encode_recording(&e, at, 1007, true, REC_SWITCH_SIGNAL));
    SAMPLE(REC_DEEPBIND, "stamp=7 path=/lib/d", encode_deepbind(&e, at, 1007, (struct encode_text)T("/lib/d")));
    SAMPLE(REC_TRIMMED, "stamp=7 from=5 to=6 left-out=8 flags=1 origin=0123",
           encode_trimmed(&e, at, 1007, 5, 6, 8, REC_TRIMMED_INCOMPLETE, (struct encode_text)T("0123")));
    SAMPLE(REC_OWN_HEAP, "stamp=7 path=/bin/o", encode_own_heap(&e, at, 1007, (struct encode_text)T("/bin/o")));
    SAMPLE(REC_CHUNK_BEGIN, "ticks=123456789012", encode_chunk_begin(at, 123456789012));
    return count;
}

struct bytes {
    const uint8_t *at, *end;
};

static uint64_t read_varint(struct bytes *b)
{
    uint64_t value = 0;

    for (int shift = 0; b->at < b->end; shift += 7) {
        value |= (uint64_t)(*b->at & 127) << shift;
        if (*b->at++ < 128)
            break;
    }
    return value;
}

/* The field that the document names, read as it says, appended as name=value. */
static uint64_t read_field(struct bytes *b, const char *name, const char *type, char *out)
{
    uint64_t value = read_varint(b);

    out += strlen(out);
    if (strcmp(type, "text") == 0 && value <= (uint64_t)(b->end - b->at)) {
        sprintf(out, "%s=%.*s ", name, (int)value, (const char *)b->at);
        b->at += value;
    } else if (strcmp(type, "zigzag") == 0) {
        sprintf(out, "%s=%" PRId64 " ", name, (int64_t)(value >> 1 ^ -(value & 1)));
    } else if (strcmp(type, "address") == 0) {
        uint64_t z = value & ((1ull << 60) - 1); /* the document's formula */
        sprintf(out, "%s=%" PRId64 " ", name, (int64_t)(((z >> 1) ^ -(z & 1)) * 16 + (value >> 60)));
    } else {
        sprintf(out, "%s=%" PRIu64 " ", name, value);
    }
    return value;
}

static void read_fields(struct bytes *b, const char *spec, char *out)
{
    char copy[CELL_BYTES], *rest = NULL;
    uint64_t count = 0;

    snprintf(copy, sizeof copy, "%s", spec);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *open = strchr(word, '('), *colon = strchr(word, ':');
        if (open) { /* name*(first:type second:type): as often as `name` said */
            char *second = strtok_r(NULL, ")", &rest), group[CELL_BYTES];
            snprintf(group, sizeof group, "%s %s", open + 1, second ? second : "");
            for (uint64_t i = 0; i < count && b->at < b->end; i++)
                read_fields(b, group, out);
            continue;
        }
        if (colon)
            *colon = 0;
        count = read_field(b, word, colon ? colon + 1 : word, out);
    }
}

static void test_bodies(void)
{
    static struct sample samples[32];
    size_t count = make_samples(samples);
    struct table t;

    find_table("REC_OTHERS", &t);
    CHECK(t.count == count); /* a record that is new needs a sample */
    for (size_t i = 0; i < count; i++) {
        const char *name = rec_other_name(samples[i].other);
        const struct row *row = row_of(&t, 1, name);
        char out[1024] = "";
        if (!check_named(row != NULL, "record", name))
            continue;
        struct bytes b = { samples[i].bytes + 1, samples[i].end };
        check_named(samples[i].bytes[0] == (samples[i].other << 2 | 3), "tag", name);
        check_named(read_varint(&b) == (uint64_t)(b.end - b.at), "length", name);
        read_fields(&b, row->cell[2], out);
        size_t length = strlen(samples[i].fields);
        check_named(b.at == b.end, "fields of the body", name);
        if (!check_named(strncmp(out, samples[i].fields, length) == 0 && strcmp(out + length, " ") == 0, "body", name))
            printf("    the document reads: %s\n", out);
    }
}

int main(void)
{
    FILE *file = fopen(SOURCE_DIR "/docs/format.md", "re");
    size_t capacity = 0;

    if (!CHECK(file && getdelim(&document, &capacity, 0, file) > 0))
        return check_summary();
    test_constants();
    TEST_STRUCT(rec_file_header, file_header);
    TEST_STRUCT(rec_chunk_header, chunk_header);
    TEST_STRUCT(rec_packed_header, packed_header);
    TEST_STRUCT(rec_spool_header, spool_header);
    TEST_STRUCT(rec_live_header, live_header);
    TEST_STRUCT(rec_unrecorded_header, unrecorded_header);
    TEST_STRUCT(rec_unrecorded, unrecorded);
    TEST_STRUCT(rec_live_slot, live_slot);
    test_numbers("enum rec_kind", name_of_kind);
    test_numbers("enum rec_alloc", name_of_alloc);
    test_numbers("enum rec_stack", name_of_stack);
    test_numbers("enum rec_stack_flags", name_of_stack_flag);
    test_numbers("enum rec_pc_flags", name_of_pc_flag);
    test_numbers("enum rec_start", name_of_start);
    test_numbers("enum rec_process_flags", name_of_process_flag);
    test_numbers("enum rec_session_flags", name_of_session_flag);
    test_numbers("enum rec_trimmed_flags", name_of_trimmed_flag);
    test_numbers("enum rec_untraced", name_of_untraced);
    test_numbers("enum rec_switch", name_of_switch);
    test_numbers("enum rec_end", name_of_end);
    test_numbers("enum rec_chunk_type", name_of_chunk_type);
    test_numbers("enum rec_chunk_flags", name_of_chunk_flag);
    test_numbers("enum rec_file_flags", name_of_file_flag);
    test_numbers("REC_FUNCTIONS", rec_function_name);
    test_numbers("REC_OTHERS", rec_other_name);
    test_bodies();
    fclose(file);
    free(document);
    return check_summary();
}
