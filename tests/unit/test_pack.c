/* Packed chunks: what is unpacked is, byte for byte, what was packed, whatever it
 * was; and whatever stands in a packed chunk, unpacking ends, inside its memory. */
#include "analyze/log/columns.h"
#include "analyze/log/pack.h"
#include "format/decode.h"
#include "tests/unit/log_writer.h"
#include "tests/unit/random.h"

#include <errno.h>
#include <sys/wait.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static struct packer *packer;
static struct unpacker *unpacker;
static uint8_t unpacked[REC_CHUNK_PAYLOAD_MAX];

static struct encode_stack random_stack(uint32_t *ids)
{
    struct encode_stack stack = { .pops = (uint32_t)random_below(4), .pushes = (uint32_t)random_below(6), .ids = ids };

    if (random_below(20) == 0) { /* long */
        stack.flags = (unsigned)random_below(32);
        stack.flags_changed = true;
        stack.pushes = (uint32_t)random_below(40);
    }
    for (uint32_t i = 0; i < stack.pushes; i++)
        ids[i] = (uint32_t)(random_below(10) ? random_below(70) : random_magnitude());
    stack.again = random_below(3) == 0;
    stack.number = (uint32_t)random_below(100);
    return stack;
}

/* A heap that behaves: last freed, first allocated; and now and then anything. */
static void add_heap(unsigned events)
{
    static uint64_t blocks[1000];
    uint64_t next = 0x550000001000, now = made.header.ticks;
    size_t count = 0;
    uint32_t ids[64];

    while (events-- && at < made.records + sizeof made.records - 2000) {
        now += random_below(10) ? random_below(300) : random_below(100) ? random_magnitude() >> 40 : random_magnitude() >> 20;
        uint64_t address = random_below(8) ? next : random_magnitude(), size = random_below(8) ? 16 * random_below(20) : random_magnitude() % (REC_SIZE_MAX + 1);
        struct encode_stack stack = random_stack(ids);
        switch (random_below(12)) {
        case 0: case 1: case 2: case 3: case 4:
            if (count && random_below(3)) {
                size_t which = random_below(4) ? count - 1 : random_below(count);
                add_free(now, blocks[which]);
                next = blocks[which];
                blocks[which] = blocks[--count];
                break;
            } /* fall through */
        case 5: case 6: case 7:
            at = encode_alloc(&encoder, at, (enum rec_alloc)random_below(7), address, size, now,
                              (enum rec_function)random_below(REC_FN_COUNT), random_magnitude(), &stack);
            next = address + size + 16;
            if (count < COUNT_OF(blocks))
                blocks[count++] = address;
            break;
        case 8: add_realloc_begin(now, address); break;
        case 9: at = encode_pc(&encoder, at, (uint32_t)random_magnitude(), 1, random_magnitude(), false); break;
        case 10: at = encode_free_by(&encoder, at, REC_FN_CFREE, address, now); break;
        case 11: add_free(now, random_magnitude()); break;
        }
    }
}

/* Packs the chunk in `made`, unpacks it, compares. Whether it was packed at all. */
static bool there_and_back(size_t *ret_packed_bytes)
{
    size_t payload_bytes = made.header.payload_bytes, bytes;
    const struct rec_chunk_header *packed = packer_pack(packer, &made, &bytes);

    *ret_packed_bytes = bytes;
    if (packed == &made.header)
        return false;
    const uint8_t *payload = (const uint8_t *)(packed + 1);
    bool right = chunk_header_sound(packed) && chunk_payload_intact(packed, payload) && packed->flags & REC_CHUNK_PACKED &&
                 bytes == sizeof *packed + packed->payload_bytes && bytes < sizeof *packed + payload_bytes &&
                 packed->sequence == made.header.sequence && packed->ticks == made.header.ticks;
    memset(unpacked, 0xaa, payload_bytes);
    right = right && unpacker_unpack(unpacker, payload, packed->payload_bytes, unpacked) == 0;
    if (!CHECK(right && memcmp(unpacked, made.records, payload_bytes) == 0))
        printf("    %zu bytes\n", payload_bytes);
    return true;
}

static void seal(size_t payload_bytes)
{
    chunk_seal(&made.header, (uint32_t)payload_bytes);
}

/* Columns and back, without zstd, so that all is looked at that would not become smaller. */
static bool split_and_join(const uint8_t *payload, size_t bytes)
{
    static struct columns split, join;
    static uint8_t *room;
    static size_t room_bytes;
    static uint8_t padded[sizeof made.records + COLUMNS_SLACK], back[sizeof made.records + COLUMNS_SLACK];
    size_t all = 0;

    if (columns_room(bytes) > room_bytes)
        room = realloc(room, room_bytes = columns_room(bytes));
    memcpy(padded, payload, bytes);
    columns_split(&split, padded, &bytes, 1, room, columns_room(bytes));
    for (unsigned i = 0; i < REC_COLUMNS; i++) {
        join.column[i].start = split.column[i].start;
        join.column[i].end = split.column[i].end;
        all += (size_t)(split.column[i].end - split.column[i].start);
    }
    if (all > columns_most(bytes))
        return false;
    return columns_join(&join, back, bytes) && memcmp(back, payload, bytes) == 0;
}

static void test_heaps(void)
{
    bool right = true;
    unsigned packed = 0;
    size_t bytes;

    for (unsigned i = 0; i < 400; i++) {
        chunk_begin(1, 2, i, random_magnitude() >> 8);
        add_heap((unsigned)random_below(3000));
        seal((size_t)(at - made.records));
        right = right && split_and_join(made.records, made.header.payload_bytes);
        packed += there_and_back(&bytes);
    }
    CHECK(right);
    CHECK(packed > 300);
}

/* Cut at every byte, so that the last record is no whole one. */
static void test_cut_payloads(void)
{
    bool right = true;

    chunk_begin(1, 2, 3, 1000);
    add_heap(300);
    for (size_t bytes = (size_t)(at - made.records); bytes > 0 && right; bytes--)
        right = split_and_join(made.records, bytes);
    CHECK(right);
}

/* What no encoder writes. */
static void test_odd_payloads(void)
{
    bool right = true;

    for (unsigned i = 0; i < 3000 && right; i++) {
        chunk_begin(1, 2, 3, 1000);
        if (i % 3)
            add_heap((unsigned)random_below(200));
        size_t bytes = (size_t)(at - made.records);
        if (i % 3 == 1) /* bent */
            for (uint64_t bends = bytes ? 1 + random_below(5) : 0; bends; bends--)
                made.records[random_below(bytes)] ^= (uint8_t)(1u << random_below(8));
        else
            for (uint64_t more = random_below(500); more; more--)
                made.records[bytes++] = (uint8_t)(random_below(4) ? random_number() : 0);
        right = split_and_join(made.records, bytes);
        if (!right)
            printf("    payload %u of %zu bytes\n", i, bytes);
    }
    CHECK(right);
}

/* The worst for its length: each address 8 bytes from its class's last one. */
static void test_growth(void)
{
    chunk_begin(1, 2, 3, 0);
    uint64_t now = 0, low = 0x10, high = 0x7000000000000000;
    for (unsigned i = 0; i < 4000; i++) {
        now += 224;
        at = encode_alloc(&encoder, at, REC_ALLOC_MALLOC, i & 1 ? high : low, (i & 3) < 2 ? 16 : 200, now, 0, 0, &(struct encode_stack){ 0 });
        if (i & 1)
            high += 16;
        else
            low += 16;
    }
    CHECK(split_and_join(made.records, (size_t)(at - made.records)));
}

/* Decodes from where it is; whether it gives the events of this chunk. */
static bool goes_on_with(struct decoding *d, const struct rec_chunk_header *chunk)
{
    static struct decoder own;
    struct event mine, its;
    int got;

    decoder_begin(&own, chunk + 1, chunk->payload_bytes, chunk->ticks);
    while ((got = decoder_next(&own, &its)) == 1)
        if (decoding_next(d, &mine) != 1 || mine.type != its.type || mine.ticks != its.ticks ||
            (its.type <= EVENT_REALLOC_END && mine.address != its.address) ||
            (its.type == EVENT_ALLOC && (mine.size != its.size || mine.stack_mode != its.stack_mode || mine.pushes != its.pushes ||
                                         mine.stack_number != its.stack_number)))
            return false;
    return got == 0;
}

static void collect(void *data, uint64_t size, unsigned stack_flags)
{
    uint64_t *sum = data;
    *sum = (*sum * 31 + size) * 31 + stack_flags;
}

/* All of it can be decoded. */
static void add_sound(unsigned events)
{
    static const uint32_t ids[] = { 1, 2, 3 };
    uint64_t now = made.header.ticks, size = 24;

    for (unsigned k = 0; k < events && at < made.records + sizeof made.records - 2000; k++) {
        struct encode_stack stack = { 0 };
        now += random_below(300);
        if (k % 20 == 0)
            stack = (struct encode_stack){ .pushes = 3, .ids = ids, .flags = k / 20 % 32, .flags_changed = true };
        else if (k % 20 == 5)
            stack = (struct encode_stack){ .pops = 1, .pushes = 1, .ids = ids + random_below(3) };
        else if (k % 20 > 8)
            stack = (struct encode_stack){ .again = true, .number = (uint32_t)random_below(2 * (k / 20) + 1) };
        size = random_below(3) ? size : random_magnitude() % (REC_SIZE_MAX + 1);
        at = encode_alloc(&encoder, at, k % 80 ? REC_ALLOC_MALLOC : REC_ALLOC_ALIGNED, 16 * random_below(1000), size, now,
                          REC_FN_MEMALIGN, 64, &stack);
        if (k % 3 == 0)
            add_free(now + 1, 16 * random_below(1000));
        if (k % 50 == 0)
            at = encode_free_by(&encoder, at, REC_FN_CFREE, 16 * random_below(1000), now + 2);
        if (k % 70 == 0)
            at = encode_pc(&encoder, at, k, 1, k, false);
    }
}

/* Chunks that follow each other become one, with the events of each: as records, as columns, as sizes. */
static void test_runs(void)
{
    static uint8_t chunks[8 * sizeof made];
    static struct decoder decoder, of_columns;
    static struct columns columns;
    size_t starts[9] = { 0 }, bytes, alone = 0, together = 0, capacity = 0;
    void *room = NULL;

    for (unsigned round = 0; round < 60; round++) {
        unsigned count = 2 + (unsigned)random_below(7);
        uint64_t sum = 0, wanted = 0, events = 0, wanted_events = 0;
        bool is_whole = true;
        for (unsigned i = 0; i < count; i++) {
            chunk_begin(1, 2, 5 + i, i ? made.header.ticks + random_below(1u << 20) : random_magnitude() >> 8);
            add_sound(100 + (unsigned)random_below(3000));
            seal((size_t)(at - made.records));
            size_t whole = sizeof made.header + made.header.payload_bytes;
            memcpy(chunks + starts[i], &made, whole);
            starts[i + 1] = starts[i] + (whole + 15) / 16 * 16; /* aligned, to be looked at */
            const struct rec_chunk_header *one = packer_pack(packer, &made, &bytes);
            if (one != &made.header)
                CHECK(unpacker_sizes(unpacker, one + 1, one->payload_bytes, collect, &wanted, &events) == 0);
            is_whole &= one != &made.header;
            wanted_events += events;
            alone += bytes;
        }
        uint8_t *close = malloc(starts[count]), *to = close;
        for (unsigned i = 0; i < count; i++) {
            const struct rec_chunk_header *chunk = (const void *)(chunks + starts[i]);
            to = mempcpy(to, chunk, sizeof *chunk + chunk->payload_bytes);
            CHECK(!i || packer_can_follow((const void *)(chunks + starts[i - 1]), chunk));
        }
        const struct rec_chunk_header *packed = packer_pack_run(packer, close, count, &bytes);
        free(close);
        if (!CHECK(packed))
            continue;
        together += bytes;
        struct rec_packed_header header;
        memcpy(&header, packed + 1, sizeof header);
        const struct rec_chunk_header *first = (const void *)chunks;
        CHECK(packed->sequence == 5 && packed->ticks == first->ticks && packed->flags & REC_CHUNK_PACKED && header.sequences == count &&
              chunk_header_sound(packed) && chunk_payload_intact(packed, packed + 1) && packed_header_sound(&header));
        CHECK(unpacker_unpack(unpacker, packed + 1, packed->payload_bytes, unpacked) == 0);
        CHECK(unpacker_sizes(unpacker, packed + 1, packed->payload_bytes, collect, &sum, &events) == 0 &&
              (!is_whole || (sum == wanted && events == wanted_events)));
        CHECK(unpacker_columns(unpacker, packed + 1, packed->payload_bytes, &room, &capacity) == 0);

        struct event a, b;
        bool right = true;
        int got, got_of_columns;
        decoder_begin(&decoder, unpacked, header.payload_bytes, first->ticks);
        decoder.now.begins = count - 1;
        for (unsigned i = 0; i < count && right; i++) {
            right = goes_on_with(&decoder.now, (const void *)(chunks + starts[i]));
            got = decoding_next(&decoder.now, &a);
            right = right && got == (i + 1 < count ? DECODING_ANEW : 0);
        }
        decoder_begin(&decoder, unpacked, header.payload_bytes, first->ticks);
        decoder.now.begins = count - 1;
        decoder_begin(&of_columns, unpacked, 0, first->ticks);
        of_columns.now.begins = count - 1;
        columns_at(&columns, room);
        columns_begin(&columns);
        do {
            got = decoding_next(&decoder.now, &a);
            got_of_columns = columns_next(&columns, &of_columns.now, &b);
            right = right && got == got_of_columns && (got <= 0 || (a.type == b.type && a.ticks == b.ticks &&
                    (a.type > EVENT_REALLOC_END || a.address == b.address)));
        } while (right && got > 0);
        CHECK(right);
    }
    free(room);
    CHECK(together < alone);
}

/* What may not become one. */
static void test_no_runs(void)
{
    const struct rec_chunk_header chunk = { .type = REC_CHUNK_EVENTS, .pid = 1, .image = 2, .stream = 3, .sequence = 4 };
    struct rec_chunk_header next = chunk;
    size_t bytes;

    CHECK(!packer_can_follow(&chunk, &next));
    next.sequence = 5;
    CHECK(packer_can_follow(&chunk, &next));
#define NOT(field, value)                                 \
    do {                                                  \
        struct rec_chunk_header other = next;             \
        other.field = value;                              \
        CHECK(!packer_can_follow(&chunk, &other));        \
        other.sequence = 3; /* the other way round */     \
        CHECK(!packer_can_follow(&other, &chunk));        \
    } while (0)
    NOT(pid, 2);
    NOT(image, 3);
    NOT(stream, 4);
    NOT(type, REC_CHUNK_SESSION);
    NOT(flags, REC_CHUNK_TICKS_ARE_NS);
    NOT(flags, REC_CHUNK_PACKED);
    NOT(flags, REC_CHUNK_CUT);
    NOT(flags, REC_CHUNK_TORN);
    struct rec_chunk_header earlier = next, later = chunk;
    later.ticks = 1;
    CHECK(!packer_can_follow(&later, &earlier));
    struct rec_chunk_header cut = chunk, cut_too = next;
    cut.flags = cut_too.flags = REC_CHUNK_CUT;
    CHECK(!packer_can_follow(&cut, &cut_too));

    /* Nor what has something that is no record, behind which its own events end. */
    for (int more = -1; more <= 32; more += more < 0 ? 1 : 32) {
        static uint8_t two[2 * sizeof made];
        uint8_t *to = two;
        for (unsigned i = 0; i < 2; i++) {
            chunk_begin(1, 2, i, 1000);
            for (unsigned k = 0; k < 1000; k++)
                add_malloc(1000 + k, 64 * k, 24);
            memset(at, 0, 32);
            at += more; /* zeros; or the last record's end is not there */
            seal((size_t)(at - made.records));
            to = mempcpy(to, &made, sizeof made.header + made.header.payload_bytes);
        }
        CHECK((packer_pack_run(packer, two, 2, &bytes) != NULL) == !more);
    }
}

/* Against the decoder. */
static void test_sizes(void)
{
    static struct decoder decoder;
    struct event event;

    for (unsigned i = 0; i < 100; i++) {
        uint64_t sum = 0, wanted = 0, events = 0, wanted_events = 0;
        size_t bytes;
        chunk_begin(1, 2, 3, 1000);
        for (unsigned k = 0; k < 1000; k++) {
            add_malloc(1000 + k * random_below(300), 16 * random_below(1000), random_magnitude() % (REC_SIZE_MAX + 1));
            static const uint32_t ids[] = { 1, 2, 3 };
            if (k % 20 == 0) /* long, then short, then the long one again: with its flags */
                at = encode_alloc(&encoder, at, REC_ALLOC_MALLOC, 64, 24, 1000, 0, 0,
                                  &(struct encode_stack){ .pushes = 3, .ids = ids, .flags = k / 20 % 32, .flags_changed = true });
            if (k % 20 == 5)
                at = encode_alloc(&encoder, at, REC_ALLOC_MALLOC, 64, 24, 1000, 0, 0,
                                  &(struct encode_stack){ .pops = 1, .pushes = 1, .ids = ids });
            if (k % 20 == 10)
                at = encode_alloc(&encoder, at, REC_ALLOC_MALLOC, 64, 24, 1000, 0, 0,
                                  &(struct encode_stack){ .again = true, .number = (uint32_t)random_below(2 * (k / 20) + 1) });
            if (k % 3 == 0)
                add_free(1000 + k * 300, 16 * random_below(1000));
            if (k % 50 == 0)
                at = encode_free_by(&encoder, at, REC_FN_CFREE, 16, 1000 + k * 300);
            if (k % 70 == 0)
                at = encode_pc(&encoder, at, k, 1, k, false);
            if (k % 80 == 0)
                at = encode_alloc(&encoder, at, REC_ALLOC_ALIGNED, 64, 1000, 1000, REC_FN_MEMALIGN, 4096, &(struct encode_stack){ 0 });
        }
        seal((size_t)(at - made.records));
        static uint8_t given[REC_STACK_NUMBERS];
        uint8_t flags = 0;
        decoder_begin(&decoder, made.records, made.header.payload_bytes, 1000);
        while (decoder_next(&decoder, &event) == 1) {
            wanted_events += event.type <= EVENT_REALLOC_END;
            if (event.type != EVENT_ALLOC)
                continue;
            if (event.stack_mode == REC_STACK_AGAIN)
                flags = given[event.stack_number];
            if (event.stack_mode == REC_STACK_LONG)
                flags = event.stack_flags;
            if (event.stack_mode == REC_STACK_LONG || event.stack_mode == REC_STACK_SHORT)
                given[event.stack_number] = flags;
            collect(&wanted, event.size, flags);
        }
        CHECK(decoder.now.problem == NULL);
        const struct rec_chunk_header *packed = packer_pack(packer, &made, &bytes);
        if (packed == &made.header ||
            unpacker_sizes(unpacker, packed + 1, packed->payload_bytes, collect, &sum, &events) != 0 || sum != wanted ||
            events != wanted_events || !wanted)
            CHECK(false);
    }
    /* Not where there is more to know. */
    uint64_t sum = 0, events;
    size_t bytes;
    at = encode_mark(&encoder, at, 1000, (struct encode_text){ "here", 4 });
    seal((size_t)(at - made.records));
    const struct rec_chunk_header *packed = packer_pack(packer, &made, &bytes);
    CHECK(packed != &made.header &&
          unpacker_sizes(unpacker, packed + 1, packed->payload_bytes, collect, &sum, &events) == -EAGAIN && sum == 0);
}

/* A whole packed payload, as test_hostile bends it. */
static uint8_t *sample(size_t *ret_bytes)
{
    size_t bytes;

    chunk_begin(1, 2, 3, 1000);
    add_heap(400);
    seal((size_t)(at - made.records));
    const struct rec_chunk_header *packed = packer_pack(packer, &made, &bytes);
    CHECK(packed != &made.header);
    *ret_bytes = packed->payload_bytes;
    return memcpy(malloc(packed->payload_bytes), packed + 1, packed->payload_bytes);
}

static void ignore_size(void *data, uint64_t size, unsigned stack_flags)
{
    (void)data;
    (void)stack_flags;
    (void)size;
}

/* Nothing but what it was, or -EBADMSG. Copied, so that a sanitizer sees a read too far. */
static bool fails_well(const uint8_t *packed, size_t bytes)
{
    uint8_t *copy = memcpy(malloc(bytes ? bytes : 1), packed, bytes);
    uint64_t events;
    int error = unpacker_unpack(unpacker, copy, bytes, unpacked);

    unpacker_sizes(unpacker, copy, bytes, ignore_size, NULL, &events);
    free(copy);
    return error == -EBADMSG || (error == 0 && memcmp(unpacked, made.records, made.header.payload_bytes) == 0);
}

static void test_hostile(void)
{
    size_t bytes;
    uint8_t *packed = sample(&bytes);
    unsigned failed = 0, tries = 0;
    bool right = true;

    for (size_t cut = 0; cut < bytes && right; cut++)
        right = fails_well(packed, cut) && unpacker_unpack(unpacker, packed, cut, unpacked) == -EBADMSG;
    CHECK(right);
    for (size_t i = 0; i < bytes && right; i++)
        for (unsigned bit = 0; bit < 8 && right; bit++) {
            packed[i] ^= (uint8_t)(1u << bit);
            right = fails_well(packed, bytes);
            failed += unpacker_unpack(unpacker, packed, bytes, unpacked) != 0;
            tries++;
            packed[i] ^= (uint8_t)(1u << bit);
        }
    CHECK(right);
    CHECK(failed * 10 > tries * 9); /* a few bits of zstd's mean nothing */
    free(packed);
}

/* Columns that zstd lets through: any bytes, and those of a chunk, bent. */
static void test_hostile_columns(void)
{
    static struct columns c;
    static uint8_t room[1 << 20], payload[5000 + COLUMNS_SLACK];
    unsigned joined = 0;
    uint64_t events;

    chunk_begin(1, 2, 3, 1000);
    add_heap(400);
    size_t bytes = (size_t)(at - made.records) < 5000 ? (size_t)(at - made.records) : 5000;
    for (unsigned i = 0; i < 20000; i++) {
        memcpy(payload, made.records, bytes);
        columns_split(&c, payload, &bytes, 1, room, columns_room(bytes));
        for (uint64_t bends = 1 + random_below(8); bends; bends--) {
            unsigned column = (unsigned)random_below(REC_COLUMNS);
            size_t length = (size_t)(c.column[column].end - c.column[column].start);
            if (length && random_below(3))
                c.column[column].start[random_below(length)] = (uint8_t)random_number();
            else if (length && random_below(2))
                c.column[column].end--;
            else
                *c.column[column].end++ = (uint8_t)random_number();
        }
        joined += columns_join(&c, payload, bytes);
        columns_sizes(&c, 1, ignore_size, NULL, &events);
    }
    CHECK(joined < 20000);
}

/* Lengths that would take more memory than a chunk may: in a process that has not got it. */
static void test_huge_lengths(void)
{
    size_t bytes;
    uint8_t *packed = sample(&bytes);
    struct rec_packed_header header;
    int status = -1;

    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        bool right = true;
        limit_memory(64u << 20);
        for (unsigned i = 0; i < REC_COLUMNS; i++) {
            memcpy(&header, packed, sizeof header);
            header.column_bytes[i] = UINT32_MAX;
            right = right && !packed_header_sound(&header);
            memcpy(packed, &header, sizeof header);
            right = right && unpacker_unpack(unpacker, packed, bytes, unpacked) == -EBADMSG;
        }
        memcpy(&header, packed, sizeof header);
        header.payload_bytes = REC_CHUNK_PAYLOAD_MAX + 1;
        right = right && !packed_header_sound(&header);
        _exit(!right);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    free(packed);
}

/* pack FILE...: real logs, chunk by chunk, for tests/cli/test_pack.py. */
static int pack_files(char **names)
{
    unsigned long chunks = 0, wrong = 0;
    size_t before = 0, after = 0, bytes;

    for (; *names; names++) {
        FILE *file = fopen(*names, "re");
        struct rec_file_header header;
        if (!file || fread(&header, sizeof header, 1, file) != 1)
            return 2;
        while (fread(&made.header, sizeof made.header, 1, file) == 1 && made.header.payload_bytes <= sizeof made.records &&
               fread(made.records, made.header.payload_bytes, 1, file) == 1) {
            unsigned long failed = check_failed_count;
            chunks++;
            wrong += !split_and_join(made.records, made.header.payload_bytes);
            before += made.header.payload_bytes;
            there_and_back(&bytes);
            after += bytes;
            wrong += check_failed_count != failed;
        }
        fclose(file);
    }
    printf("%lu chunks, %lu wrong, %zu bytes, packed %zu\n", chunks, wrong, before, after);
    return chunks == 0 || wrong;
}

int main(int argc, char **argv)
{
    packer = packer_make();
    unpacker = unpacker_make();
    if (argc > 1)
        return pack_files(argv + 1);
    test_heaps();
    test_cut_payloads();
    test_odd_payloads();
    test_growth();
    test_runs();
    test_no_runs();
    test_sizes();
    test_hostile();
    test_hostile_columns();
    test_huge_lengths();
    packer_free(packer);
    unpacker_free(unpacker);
    return check_summary();
}
