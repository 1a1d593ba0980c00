/* A chunk that is cut: what describes is as it was, to the stamp, and what is left out is
 * counted; whatever order the records come in. */
#include "analyze/log/cut.h"
#include "format/chunk.h"
#include "format/decode.h"
#include "tests/unit/log_writer.h"
#include "tests/unit/random.h"

static struct decoder before, after;

/* A record at random, at a time that may be far from the last one's. True: it is an event. */
static bool add_record(uint64_t *ns)
{
    static const struct encode_text text = { "name", 4 };

    *ns += random_number() % 5 ? random_number() % 300 : random_number() >> (random_number() % 60 + 4);
    switch (random_number() % 12) {
    case 0: at = encode_pc(&encoder, at, 7, 1, random_number(), false); return false;
    case 1: at = encode_mark(&encoder, at, *ns, text); return false;
    case 2: at = encode_thread_begin(&encoder, at, *ns, 5, text, false); return false;
    case 3: at = encode_module_load(&encoder, at, *ns, &(struct encode_module){ .id = 1, .path = text }); return false;
    case 4: memcpy(at, "\xa3\x03xyz", 5); at += 5; return false; /* of a later version */
    case 5: at = encode_free_by(&encoder, at, REC_FN_CFREE, random_number(), *ns); return true;
    case 6: at = encode_alloc_failed(&encoder, at, REC_FN_MALLOC, 1, 0, *ns); return false; /* what fails is no event to a reader */
    case 7: at = encode_realloc_failed(&encoder, at, REC_FN_REALLOC, 1, *ns); return false;
    case 8: add_realloc_begin(*ns, random_number()); return true;
    case 9: add_free(*ns, random_number()); return true;
    default: add_malloc(*ns, random_number(), random_number() % 5000); return true;
    }
}

static bool is_same(const struct event *a, const struct event *b)
{
    bool has_stamp = a->other != REC_PC && rec_other_name(a->other);

    if (a->type != b->type || a->other != b->other || (has_stamp && a->ticks != b->ticks))
        return false;
    switch (a->other) {
    case REC_PC: return a->pc.id == b->pc.id && a->pc.pc == b->pc.pc && a->pc.module == b->pc.module;
    case REC_MARK: return a->mark.name.bytes == 4 && b->mark.name.bytes == 4 && memcmp(b->mark.name.data, "name", 4) == 0;
    case REC_THREAD_BEGIN: return a->thread.tid == b->thread.tid && b->thread.name.bytes == 4;
    case REC_MODULE_LOAD: return a->module.id == b->module.id && b->module.path.bytes == 4;
    }
    return true;
}

/* Whether the cut chunk has the other's descriptions and a count of its events. */
static bool is_cut_right(const struct rec_chunk_header *less, uint64_t events)
{
    struct event a, b;

    if (!chunk_header_sound(less) || !chunk_payload_intact(less, less + 1) || less->sequence != made.header.sequence ||
        !(less->flags & REC_CHUNK_CUT) || !(less->flags & REC_CHUNK_TICKS_ARE_NS))
        return false;
    decoder_begin(&before, made.records, made.header.payload_bytes, made.header.ticks);
    decoder_begin(&after, less + 1, less->payload_bytes, less->ticks);
    while (decoder_next(&before, &a) == 1)
        if (a.type == EVENT_OTHER && (decoder_next(&after, &b) != 1 || !is_same(&a, &b)))
            return false;
    return decoder_next(&after, &b) == 1 && b.type == EVENT_OTHER && b.other == REC_LOST && b.ticks == a.ticks &&
           b.lost.count == events && b.lost.reason == REC_STOP_LIMIT && decoder_next(&after, &b) == 0;
}

static void test_random(void)
{
    struct cutter *c = cutter_make(1, false);
    unsigned wrong = 0, cuts = 0;
    size_t bytes;

    for (unsigned round = 0; round < 3000; round++) {
        uint64_t ns = random_number() % 1000000, events = 0;
        chunk_begin(7, 0, round, ns);
        for (unsigned i = 0, count = (unsigned)(random_number() % 300); i < count; i++)
            events += add_record(&ns);
        chunk_seal(&made.header, (uint32_t)(at - made.records));
        const struct rec_chunk_header *less = cutter_fit(c, &made, 1000, &bytes);
        if (less == &made.header) { /* it has hardly any events */
            wrong += events > 8;
            continue;
        }
        cuts++;
        wrong += !is_cut_right(less, events) || bytes != sizeof *less + less->payload_bytes ||
                 bytes >= sizeof made.header + made.header.payload_bytes;
    }
    CHECK(!wrong && cuts > 2500);
    cutter_free(c);
}

static void make_chunk(unsigned count)
{
    chunk_begin(7, 0, 0, 1000);
    for (unsigned i = 0; i < count; i++)
        add_malloc(1000 + i, 64 * i, 24);
    chunk_seal(&made.header, (uint32_t)(at - made.records));
}

static void test_limit(void)
{
    size_t bytes, whole;

    make_chunk(100);
    whole = sizeof made.header + made.header.payload_bytes;
    struct cutter *c = cutter_make(5000, false);
    CHECK(cutter_fit(c, &made, 5000 - whole, &bytes) == &made && bytes == whole && !cutter_is_full(c)); /* to the byte */
    CHECK(cutter_fit(c, &made, 5001 - whole, &bytes) != &made && bytes < 100 && cutter_is_full(c));
    CHECK(cutter_fit(c, &made, 0, &bytes) != &made); /* and all from there on */
    make_chunk(1);
    CHECK(cutter_fit(c, &made, 9000, &bytes) == &made); /* the count would be larger than what it counts */
    make_chunk(100);
    memset(made.records, 0xff, 20); /* what is not understood is not touched */
    chunk_seal(&made.header, made.header.payload_bytes);
    CHECK(cutter_fit(c, &made, 9000, &bytes) == &made && bytes == whole);
    make_chunk(100);
    made.header.type = REC_CHUNK_SESSION;
    chunk_seal(&made.header, made.header.payload_bytes);
    CHECK(cutter_fit(c, &made, 9000, &bytes) == &made && bytes == whole);
    cutter_free(c);
    make_chunk(100);
    c = cutter_make(0, false); /* no limit */
    CHECK(cutter_fit(c, &made, UINT64_MAX / 2, &bytes) == &made && !cutter_is_full(c));
    cutter_free(c);
    c = cutter_make(5000, true);
    const struct rec_chunk_header *packed = cutter_fit(c, &made, 0, &bytes);
    CHECK(bytes < whole && packed->flags == (REC_CHUNK_TICKS_ARE_NS | REC_CHUNK_PACKED));
    cutter_free(c);
    cutter_free(NULL);
}

int main(void)
{
    test_random();
    test_limit();
    return check_summary();
}
