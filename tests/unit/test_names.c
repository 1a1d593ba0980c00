/* format/names.h: what names_writer.h has written is read again as it was; the example in
 * docs/format.md is what the encoder writes today; and whatever the bytes are, decoding ends,
 * inside them, and symbols_take() keeps no more of them than they have.
 *
 * `test_names --example` prints the example, for the document. */
#include "format/names.h"

#include "analyze/symbols/names_writer.h"
#include "analyze/util.h"
#include "format/layout.h"
#include "tests/unit/check.h"
#include "tests/unit/random.h"

#include <malloc.h>
#include <string.h>
#include <time.h>

#define T(literal) (struct text){ literal, sizeof literal - 1 }
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* ---- the document's example ------------------------------------------------------------ */

static uint8_t example[256];
static const uint8_t *line_ends[16];
static const char *line_words[16];
static size_t example_bytes, line_count;

static void end_line(const struct names_encoder *e, const char *words)
{
    line_ends[line_count] = e->at;
    line_words[line_count++] = words;
}

static void make_example(void)
{
    struct names_encoder e;

    names_encoder_begin(&e, example, T("/bin/x"), T("\xde\xad\xbe\xef"));
    end_line(&e, "/bin/x, build-id deadbeef");
    names_put_entry(&e, 0x1134, 1);
    end_line(&e, "address 1134, 1 frame");
    uint32_t main_number = names_put_text(&e, T("main"));
    end_line(&e, "function main, text 0");
    names_put_none(&e);
    end_line(&e, "no signature");
    uint32_t file_number = names_put_text(&e, T("x.c"));
    end_line(&e, "file x.c, text 1");
    names_put_line(&e, 7, 0);
    end_line(&e, "line 7");
    names_put_entry(&e, 0x1140, 2);
    end_line(&e, "address 1140, 2 frames");
    names_put_text(&e, T("f"));
    names_put_none(&e);
    names_put_again(&e, file_number);
    names_put_line(&e, 3, 12);
    end_line(&e, "f, text 2; x.c again; line 3, column 12");
    names_put_again(&e, main_number);
    names_put_none(&e);
    names_put_again(&e, file_number);
    names_put_line(&e, 8, 0);
    end_line(&e, "main and x.c again; line 8");
    example_bytes = (size_t)(e.at - example);
}

static char *print_example(void)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    const uint8_t *at = example;

    for (size_t line = 0; line < line_count; line++) {
        fprintf(out, "%02zx ", (size_t)(at - example));
        int column = 0;
        for (; at < line_ends[line]; at++)
            column += fprintf(out, " %02x", *at);
        fprintf(out, "%*s%s\n", 42 - column, "", line_words[line]);
    }
    fclose(out);
    return text;
}

static bool is_text(const struct names_string *string, const char *wanted)
{
    return string->text.bytes == strlen(wanted) && memcmp(string->text.data, wanted, string->text.bytes) == 0;
}

static bool is_frame(struct names_decoder *d, const char *function, const char *file, uint32_t line, uint32_t column)
{
    struct names_frame f;
    return names_next_frame(d, &f) && is_text(&f.function, function) && is_text(&f.signature, "") && is_text(&f.file, file) &&
           f.line == line && f.column == column;
}

static void test_example(void)
{
    static struct names_decoder d;
    _cleanup_free_ char *wanted = print_example(), *document = NULL;
    FILE *file = fopen(SOURCE_DIR "/docs/format.md", "re");
    size_t capacity = 0;
    uint64_t address;
    uint32_t frames;

    if (CHECK(file && getdelim(&document, &capacity, 0, file) > 0))
        CHECK(strstr(document, wanted) && strstr(document, wanted) == strstr(document, "```names\n") + 9);
    if (file)
        fclose(file);
    CHECK(names_decoder_begin(&d, example, example_bytes));
    CHECK(d.path.bytes == 6 && memcmp(d.path.data, "/bin/x", 6) == 0 && d.build_id.bytes == 4);
    CHECK(names_next(&d, &address, &frames) == 1 && address == 0x1134 && frames == 1);
    CHECK(is_frame(&d, "main", "x.c", 7, 0));
    CHECK(names_next(&d, &address, &frames) == 1 && address == 0x1140 && frames == 2);
    CHECK(is_frame(&d, "f", "x.c", 3, 12) && is_frame(&d, "main", "x.c", 8, 0));
    CHECK(names_next(&d, &address, &frames) == 0);
}

/* ---- written, and read again ------------------------------------------------------------- */

struct payloads {
    uint8_t *data[1000];
    size_t bytes[1000], count;
};

static void keep_payload(void *data, const void *payload, size_t bytes)
{
    struct payloads *p = data;

    CHECK(bytes <= REC_CHUNK_PAYLOAD_MAX);
    if (!CHECK(p->count < COUNT_OF(p->data)))
        return;
    p->data[p->count] = alloc_zeroed(1, bytes);
    memcpy(p->data[p->count], payload, bytes);
    p->bytes[p->count++] = bytes;
}

static void payloads_release(struct payloads *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->data[i]);
    p->count = 0;
}

/* A text that is the same each time for the same number: most are short, some very long. */
#define TEXTS_MAX 200000
static const char *text_of(uint64_t number)
{
    static char *texts[TEXTS_MAX];

    if (number % 17 == 0)
        return NULL;
    if (!texts[number]) {
        size_t more = number % 101 == 0 ? number % 8000 : number % 60;
        texts[number] = alloc_zeroed(1, 20 + more);
        int length = sprintf(texts[number], "t%llx", (unsigned long long)number);
        memset(texts[number] + length, 'x', more);
    }
    return texts[number];
}

static struct symbols_frame frame_of(uint64_t seed, unsigned texts)
{
    struct symbols_frame frame = { text_of(seed % texts), text_of(seed / 7 % texts), text_of(seed / 31 % texts),
                                   (uint32_t)seed, (uint32_t)(seed >> 20) };
    if (frame.signature == frame.function)
        frame.signature = NULL; /* as it is written */
    return frame;
}

static bool is_string(const struct names_string *got, const char *wanted)
{
    return wanted ? is_text(got, wanted) : !got->text.bytes;
}

static void check_frame(struct names_decoder *d, const struct symbols_frame *wanted)
{
    struct names_frame got;

    if (CHECK(names_next_frame(d, &got)))
        CHECK(is_string(&got.function, wanted->function) && is_string(&got.signature, wanted->signature) &&
              is_string(&got.file, wanted->file) && got.line == wanted->line && got.column == wanted->column);
}

static size_t frames_of(uint64_t i)
{
    return i % 5000 == 4999 ? 300 : i % 7;
}

static void test_round(unsigned entries, unsigned texts)
{
    static struct names_decoder d;
    struct payloads p = { .count = 0 };
    struct names_writer *writer = names_writer_begin("/a/module", "0123456789", 10, keep_payload, &p);
    struct symbols_frame frames[300];
    uint64_t address, seed = 0;
    uint32_t count;

    for (uint64_t i = 0; i < entries; i++) {
        for (size_t k = 0; k < frames_of(i); k++)
            frames[k] = frame_of(seed++ * 0x9e3779b97f4a7c15ull, texts);
        names_writer_add(writer, i * i * 3, frames, frames_of(i));
    }
    names_writer_end(writer);
    seed = 0;
    uint64_t i = 0;
    for (size_t payload = 0; payload < p.count; payload++) {
        CHECK(names_decoder_begin(&d, p.data[payload], p.bytes[payload]));
        CHECK(d.path.bytes == 9 && memcmp(d.path.data, "/a/module", 9) == 0 && d.build_id.bytes == 10);
        while (names_next(&d, &address, &count) == 1) {
            size_t all = frames_of(i);
            CHECK(address == i * i * 3 && (count == all || (all == 300 && count && count <= NAMES_FRAMES_MAX)));
            for (uint32_t k = 0; k < count; k++) {
                struct symbols_frame wanted = frame_of((seed + k) * 0x9e3779b97f4a7c15ull, texts);
                check_frame(&d, &wanted);
            }
            seed += all;
            i++;
        }
        CHECK(d.at == d.end && !d.bad);
    }
    CHECK(i == entries);
    payloads_release(&p);
}

/* More texts than have numbers: the later ones are there all the same, and cannot be meant again. */
static void test_many_texts(void)
{
    static struct names_decoder d;
    static uint8_t payload[REC_CHUNK_PAYLOAD_MAX];
    enum { TEXTS = NAMES_TEXTS_MAX + 1000 };
    struct names_encoder e;
    struct names_frame frame;
    char text[16];
    uint64_t address;
    uint32_t frames;

    names_encoder_begin(&e, payload, T("/m"), T(""));
    for (uint32_t i = 0; i < TEXTS; i++) {
        names_put_entry(&e, i, 1);
        uint32_t number = names_put_text(&e, (struct text){ text, (size_t)sprintf(text, "%x", i) });
        CHECK(number == (i < NAMES_TEXTS_MAX ? i : NAMES_TEXTS_MAX));
        names_put_again(&e, number < NAMES_TEXTS_MAX ? number : 5);
        names_put_none(&e);
        names_put_line(&e, 1, 1);
    }
    CHECK(names_decoder_begin(&d, payload, (size_t)(e.at - payload)));
    for (uint32_t i = 0; names_next(&d, &address, &frames) == 1 && names_next_frame(&d, &frame); i++) {
        sprintf(text, "%x", i);
        CHECK(is_text(&frame.function, text) && frame.function.number == (i < NAMES_TEXTS_MAX ? i : NAMES_TEXTS_MAX));
        CHECK(is_text(&frame.signature, i < NAMES_TEXTS_MAX ? text : "5"));
    }
    CHECK(!d.bad && d.at == d.end && address == TEXTS - 1);
    names_put_entry(&e, 0, 1);
    names_put_again(&e, NAMES_TEXTS_MAX);
    CHECK(names_decoder_begin(&d, payload, (size_t)(e.at - payload)));
    while (names_next(&d, &address, &frames) == 1 && names_next_frame(&d, &frame))
        ;
    CHECK(d.bad);
}

/* ---- hostile ------------------------------------------------------------------------------ */

static bool is_inside(const struct names_decoder *d, struct text text)
{
    const uint8_t *data = (const uint8_t *)text.data;
    return !text.bytes || (data >= d->start && text.bytes <= (size_t)(d->end - data));
}

static void decode_all(const uint8_t *payload, size_t bytes)
{
    static struct names_decoder d;
    struct names_frame f;
    uint64_t address;
    uint32_t frames;
    int got = 1;

    if (!names_decoder_begin(&d, payload, bytes))
        return;
    CHECK(is_inside(&d, d.path) && is_inside(&d, d.build_id));
    while (got == 1 && (got = names_next(&d, &address, &frames)) == 1) {
        CHECK(frames <= NAMES_FRAMES_MAX);
        for (; frames && names_next_frame(&d, &f); frames--)
            CHECK(is_inside(&d, f.function.text) && is_inside(&d, f.signature.text) && is_inside(&d, f.file.text));
        CHECK(!frames || names_next(&d, &address, &frames) == -1);
        got = frames ? -1 : got;
    }
    CHECK(got == 0 ? d.at == d.end : d.bad || d.at <= d.end);
}

static void take_all(const uint8_t *payload, size_t bytes)
{
    struct symbols *s = symbols_new(&(struct symbols_options){ .no_cache = true, .jobs = 1 });
    uint32_t module = symbols_module(s, "/a/module", "0123456789", 10, 0);
    const struct symbols_frame *frames;

    for (uint64_t i = 0; i < 100; i++)
        symbols_want(s, module, i * i * 3);
    symbols_take(s, payload, bytes, 1, 1);
    for (uint32_t i = 0; i < 100; i++) {
        size_t count = symbols_frames(s, i, &frames);
        for (size_t k = 0; k < count; k++)
            CHECK(!frames[k].function || strlen(frames[k].function) <= bytes);
    }
    symbols_free(s);
}

static void test_damage(void)
{
    struct payloads p = { .count = 0 };
    struct names_writer *writer = names_writer_begin("/a/module", "0123456789", 10, keep_payload, &p);
    uint8_t *whole, damaged[20000];

    for (uint64_t i = 0; i < 100; i++) {
        struct symbols_frame frames[3] = { frame_of(i * 977, 80), frame_of(i * 1009, 80), frame_of(i * 1013, 80) };
        names_writer_add(writer, i * i * 3, frames, i % 4);
    }
    names_writer_end(writer);
    whole = p.data[0];
    size_t bytes = p.bytes[0] < sizeof damaged ? p.bytes[0] : sizeof damaged;
    for (int round = 0; round < 4000; round++) {
        memcpy(damaged, whole, bytes);
        for (uint64_t changes = 1 + random_below(round % 2 ? 3 : 300); changes; changes--)
            damaged[random_below(bytes)] = (uint8_t)(random_below(3) ? random_below(256) : random_below(4));
        size_t kept = round % 5 ? bytes : random_below(bytes);
        decode_all(damaged, kept);
        if (round % 20 == 0)
            take_all(damaged, kept);
    }
    for (int round = 0; round < 2000; round++) {
        for (size_t i = 0; i < 300; i++)
            damaged[i] = (uint8_t)(random_below(2) ? random_below(256) : random_below(5));
        decode_all(damaged, random_below(300));
    }
    payloads_release(&p);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A payload as large as may be: one text of half of it, which all the rest refers to. */
static void test_greed(void)
{
    size_t bytes = REC_CHUNK_PAYLOAD_MAX, half = bytes / 2;
    uint8_t *payload = alloc_zeroed(1, bytes);
    char *text = alloc_zeroed(1, half);
    struct names_encoder e;
    struct symbols *s = symbols_new(&(struct symbols_options){ .no_cache = true, .jobs = 1 });
    uint32_t module = symbols_module(s, "/m", NULL, 0, 0), entries = 0;
    const struct symbols_frame *frames;

    memset(text, 'a', half);
    names_encoder_begin(&e, payload, T("/m"), T(""));
    for (; (size_t)(e.at - payload) + NAMES_FRAMES_MAX * NAMES_NUMBERS_MAX < bytes; entries++) {
        names_put_entry(&e, entries, entries ? NAMES_FRAMES_MAX : 1);
        for (int i = 0; i < (entries ? NAMES_FRAMES_MAX : 1); i++) {
            uint32_t number = entries ? 0 : names_put_text(&e, (struct text){ text, half });
            names_put_again(&e, number);
            names_put_again(&e, number);
            if (entries)
                names_put_again(&e, number);
            names_put_line(&e, 1, 1);
        }
        symbols_want(s, module, entries);
    }
    double before = seconds();
    size_t heap = mallinfo2().uordblks;
    CHECK(symbols_take(s, payload, (size_t)(e.at - payload), 0, 0) == 0);
    CHECK(symbols_frames(s, 0, &frames) == 1 && strlen(frames[0].function) == half);
    CHECK(symbols_frames(s, entries - 1, &frames) == NAMES_FRAMES_MAX);
    printf("%u entries of %d frames: %.3f s, %zu KB\n", entries, NAMES_FRAMES_MAX, seconds() - before,
           (mallinfo2().uordblks - heap) >> 10);
    CHECK(entries > 50 && seconds() - before < 2);
    CHECK(mallinfo2().uordblks - heap < 40 * bytes);
    symbols_free(s);
    free(payload);
    free(text);
}

int main(int argc, char **argv)
{
    make_example();
    if (argc > 1 && strcmp(argv[1], "--example") == 0) {
        _cleanup_free_ char *text = print_example();
        fputs(text, stdout);
        return 0;
    }
    test_example();
    test_round(100, 20);
    test_round(30000, 500);    /* several payloads */
    test_round(30000, TEXTS_MAX);
    test_many_texts();
    test_damage();
    test_greed();
    return check_summary();
}
