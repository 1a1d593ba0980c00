/* A libFuzzer target for everything that reads a log: the decoder on the raw
 * bytes as a payload, also of names, which is also packed and unpacked; the bytes as columns;
 * and the bytes as a log file, opened, collected, counted, merged with its live file, and
 * opened again. Of what commands show of it (views.h), byte FUZZ_VIEW of the file says which,
 * and byte FUZZ_PART of which part.
 *
 * Checksums would stop nearly every mutation at the door. So those of the file
 * header and of each chunk are put right, where the flag FUZZ_AS_IS is not set. A
 * chunk of type FUZZ_LIVE_SLOT goes, without its header, into a slot of the live
 * file instead: used_bytes, reserved, chunk header, payload. The payload of the first one of type
 * FUZZ_SPOOL is what the spool holds: chunks. Of what its header has, `ticks` is how much of it was
 * consumed, and `clock_ns` the log's limit. */
#include "analyze/hash.h"
#include "analyze/log/columns.h"
#include "analyze/log/live.h"
#include "analyze/log/pack.h"
#include "analyze/log/reader.h"
#include "analyze/log/spool.h"
#include "analyze/log/trimmed.h"
#include "analyze/model/advice.h"
#include "analyze/model/contents.h"
#include "analyze/model/count_sizes.h"
#include "analyze/model/facts.h"
#include "analyze/model/process_tree.h"
#include "analyze/render/leaks.h"
#include "format/checksum.h"
#include "format/chunk.h"
#include "format/decode.h"
#include "format/encode.h"
#include "format/names.h"
#include "tests/fuzz/views.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FUZZ_AS_IS 0x80
#define FUZZ_LIVE_SLOT 0xf0
#define FUZZ_SPOOL 0xf1
#define FUZZ_VIEW 13 /* in the file's header, of its reserved field */
#define FUZZ_PART 14 /* likewise; 0: of all */
#define NO_PID 0x7fffffffu /* beyond the kernel's largest */
#define SLOTS_MAX 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static char log_path[PATH_MAX], live_path[PATH_MAX + 32], spooled_path[PATH_MAX + 32];
static bool differs_twice; /* a chunk is there twice, and may be another one the second time: which counts is another, once it is joined with others */
static bool is_cut_by_clock; /* a part, whose end is in nanoseconds: what is before it may depend on the pair of clocks that a merge adds */
static bool is_limited; /* what is in the spool may be cut when it is moved into the log */

/* What must be true, whatever the bytes are. */
static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz_log: not so: %s\n", what);
    abort();
}

static void decode(const uint8_t *data, size_t size)
{
    static struct decoder decoder;
    static uint32_t given[REC_STACK_NUMBERS]; /* depths by number */
    struct event e;
    uint32_t depth = 0, given_count = 0;
    int got;

    decoder_begin(&decoder, data, size, 1000);
    for (const uint8_t *from = data; (got = decoding_next(&decoder.now, &e)) > 0; from = decoder.now.at) {
        demand(decoder.now.at > from && decoder.now.at <= data + size, "a record has bytes, and not beyond the end");
        if (got == DECODING_ANEW)
            depth = given_count = 0;
        if (e.type == EVENT_OTHER)
            continue;
        demand(e.function < REC_FN_COUNT, "a function has a number");
        if (e.type != EVENT_ALLOC && e.type != EVENT_REALLOC_END)
            continue;
        if (e.stack_mode == REC_STACK_AGAIN) {
            demand(e.stack_number < given_count && e.stack_number < REC_STACK_NUMBERS, "a stack again has been there");
            demand(!e.pops && !e.pushes, "a stack again has no difference");
            depth = given[e.stack_number];
        }
        demand(e.pops <= depth && depth - e.pops + e.pushes <= REC_STACK_DEPTH_MAX, "a stack has a depth");
        depth += e.pushes - e.pops;
        demand(depth == decoder.now.depth, "the decoder knows the depth");
        if (e.stack_mode == REC_STACK_SHORT || e.stack_mode == REC_STACK_LONG) {
            demand(e.stack_number == given_count, "stacks are numbered in their order");
            if (given_count < REC_STACK_NUMBERS)
                given[given_count] = depth;
            given_count++;
        }
    }
    demand(got == 0 ? decoder.now.at == data + size : decoder.now.problem != NULL, "the end is the end, or has a reason");
}

static void demand_inside(const struct names_decoder *d, struct text text)
{
    const uint8_t *data = (const uint8_t *)text.data;
    demand(!text.bytes || (data >= d->start && data <= d->end && text.bytes <= (size_t)(d->end - data)), "a text is in the payload");
}

static void decode_names(const uint8_t *data, size_t size)
{
    static struct names_decoder d;
    struct names_frame f;
    uint64_t address;
    uint32_t frames;

    if (!names_decoder_begin(&d, data, size))
        return;
    demand_inside(&d, d.path);
    demand_inside(&d, d.build_id);
    while (names_next(&d, &address, &frames) == 1) {
        demand(frames <= NAMES_FRAMES_MAX, "an entry has so many frames");
        for (; frames && names_next_frame(&d, &f); frames--) {
            demand_inside(&d, f.function.text);
            demand_inside(&d, f.signature.text);
            demand_inside(&d, f.file.text);
        }
    }
    demand(d.at <= d.end && (d.bad || d.at == d.end), "the end of names is the end, or they are bad");
}

/* As a payload: packed and unpacked it is the same. */
static bool is_same(const struct event *a, const struct event *b)
{
    bool has_stack = a->type == EVENT_ALLOC || a->type == EVENT_REALLOC_END;
    return a->type == b->type && a->ticks == b->ticks && (a->type == EVENT_OTHER ? a->other == b->other : a->function == b->function) &&
           (a->type > EVENT_REALLOC_END || (a->address == b->address && a->alignment == b->alignment)) &&
           (!has_stack || (a->size == b->size && a->stack_mode == b->stack_mode && a->pops == b->pops && a->pushes == b->pushes &&
                           a->stack_number == b->stack_number && memcmp(a->ids, b->ids, a->pushes * sizeof *a->ids) == 0));
}

/* In two chunks, which become one: the events of both, as far as the first is sound. */
static void pack_run(struct packer *packer, struct unpacker *unpacker, const uint8_t *data, size_t size)
{
    static uint8_t chunks[(1 << 16) + 2 * sizeof(struct rec_chunk_header)], back[(1 << 16) + ENCODE_EVENT_MAX];
    static struct decoder mine, its;
    struct event a, b;
    size_t bytes, at = 0;
    int got, its_got;

    for (unsigned i = 0; i < 2; i++) {
        static struct { struct rec_chunk_header header; uint8_t payload[1 << 16]; } chunk;
        size_t part = i ? size - size / 2 : size / 2;
        chunk.header = (struct rec_chunk_header){ .type = REC_CHUNK_EVENTS, .sequence = i, .ticks = 1000 * i };
        memcpy(chunk.payload, data + i * (size / 2), part);
        memcpy(chunks + at, &chunk, chunk_seal(&chunk.header, (uint32_t)part));
        at += sizeof chunk.header + part;
    }
    const struct rec_chunk_header *packed = packer_pack_run(packer, chunks, 2, &bytes);
    if (!packed)
        return;
    struct rec_packed_header header;
    memcpy(&header, packed + 1, sizeof header);
    demand(header.sequences == 2 && packed_header_sound(&header) && header.payload_bytes <= sizeof back &&
           unpacker_unpack(unpacker, packed + 1, packed->payload_bytes, back) == 0, "what is packed together can be unpacked");
    decoder_begin(&mine, back, header.payload_bytes, 0);
    mine.now.begins = 1;
    for (unsigned i = 0; i < 2; i++) {
        decoder_begin(&its, i ? data + size / 2 : data, i ? size - size / 2 : size / 2, 1000 * i);
        do {
            got = decoding_next(&mine.now, &a);
            its_got = decoding_next(&its.now, &b);
            demand(its_got == 0 ? i || got <= 0 || (got == DECODING_ANEW && a.other == REC_CHUNK_BEGIN) : got == its_got && (got < 0 || is_same(&a, &b)),
                   "what is packed together has the events of both");
        } while (got > 0 && its_got > 0);
        if (got <= 0)
            return;
    }
}

static void pack(const uint8_t *data, size_t size)
{
    static struct packer *packer;
    static struct unpacker *unpacker;
    static uint8_t back[1 << 16];
    size_t bytes;

    if (!packer) {
        packer = packer_make();
        unpacker = unpacker_make();
    }
    static uint8_t any[REC_CHUNK_PAYLOAD_MAX];
    unpacker_unpack(unpacker, data, size, any);
    if (size > sizeof back)
        return;
    struct rec_chunk_header *chunk = calloc(1, sizeof *chunk + size);
    memcpy(chunk + 1, data, size);
    chunk_seal(chunk, (uint32_t)size);
    const struct rec_chunk_header *packed = packer_pack(packer, chunk, &bytes);
    if (packed != chunk)
        demand(unpacker_unpack(unpacker, packed + 1, packed->payload_bytes, back) == 0 && memcmp(back, data, size) == 0,
               "what is packed is what is unpacked");
    free(chunk);
    pack_run(packer, unpacker, data, size);
}

static void ignore_size(void *data, uint64_t size, unsigned stack_flags)
{
    (void)data;
    (void)stack_flags;
    (void)size;
}

/* The events of columns, and those of the records that they make. NULL: they make none. */
static void compare_events(struct columns *columns, const uint8_t *payload, size_t bytes)
{
    static struct decoder mine, its;
    struct event a, b;
    int got, got_of_record;

    decoder_begin(&mine, "", 0, 1000);
    decoder_begin(&its, payload ? (const void *)payload : "", payload ? bytes : 0, 1000);
    columns_begin(columns);
    do {
        got = columns_next(columns, &mine.now, &a);
        if (!payload)
            continue;
        got_of_record = decoding_next(&its.now, &b);
        if (its.now.problem && strstr(its.now.problem, "zeros")) /* which a packer leaves in the tail */
            return;
        demand(got == got_of_record && (got <= 0 || is_same(&a, &b)), "columns and their records have the same events");
    } while (got > 0);
    demand(columns_next(columns, &mine.now, &a) == got, "it stays so");
}

/* As columns: a length of 2 bytes for the payload and for each column, then their bytes. */
static void join(const uint8_t *data, size_t size)
{
    static struct columns columns;
    uint16_t lengths[1 + REC_COLUMNS];

    if (size < sizeof lengths)
        return;
    memcpy(lengths, data, sizeof lengths);
    size_t left = size - sizeof lengths;
    uint8_t *copy = memcpy(malloc(left + 1), data + sizeof lengths, left), *at = copy;
    for (unsigned i = 0; i < REC_COLUMNS; i++) {
        size_t bytes = lengths[1 + i] < left ? lengths[1 + i] : left;
        columns.column[i].start = at;
        columns.column[i].end = at += bytes;
        left -= bytes;
    }
    uint8_t *payload = malloc(lengths[0] + COLUMNS_SLACK);
    bool joined = columns_join(&columns, payload, lengths[0]);
    compare_events(&columns, joined ? payload : NULL, lengths[0]);
    uint64_t events;
    columns_sizes(&columns, 1, ignore_size, NULL, &events);
    free(payload);
    free(copy);
}

static void write_file(const char *path, const void *data, size_t bytes, int flags, off_t offset)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    demand(fd >= 0 && pwrite(fd, data, bytes, offset) == (ssize_t)bytes, "a file can be written");
    close(fd);
}

static void add_slot(const uint8_t *data, size_t bytes, const uint8_t session[16], size_t number)
{
    static struct {
        struct rec_live_slot head;
        struct rec_chunk_header chunk;
        uint8_t payload[REC_LIVE_SLOT_BYTES - sizeof(struct rec_live_slot) - sizeof(struct rec_chunk_header)];
    } slot;
    struct rec_live_header header = { .version = REC_VERSION, .pid = NO_PID, .image = 1, .slot_bytes = sizeof slot,
                                      .process_start = 1, .lost_events = number };

    memcpy(header.magic, REC_LIVE_MAGIC, sizeof header.magic);
    memcpy(header.session, session, sizeof header.session);
    memset(&slot, 0xff, sizeof slot); /* behind the chunk is no record */
    memcpy(&slot, data, bytes < sizeof slot ? bytes : sizeof slot);
    if (!(slot.chunk.flags & FUZZ_AS_IS)) {
        slot.chunk.magic = REC_CHUNK_MAGIC;
        slot.chunk.type = REC_CHUNK_EVENTS;
        slot.chunk.pid = header.pid;
        slot.chunk.image = header.image;
    }
    if (!number)
        write_file(live_path, &header, sizeof header, O_TRUNC, 0);
    write_file(live_path, &slot, sizeof slot, 0, (off_t)(REC_LIVE_HEADER_BYTES + number * sizeof slot));
}

/* The chunk at data[0], its lengths and checksums put right; its size. 0: none is there. */
static size_t mend_chunk(uint8_t *data, size_t bytes)
{
    static const uint32_t magic = REC_CHUNK_MAGIC;
    struct rec_chunk_header header;

    if (bytes < sizeof header || memcmp(data, &magic, sizeof magic) != 0)
        return 0;
    memcpy(&header, data, sizeof header);
    if (header.flags & FUZZ_AS_IS)
        return sizeof header;
    if (header.header_bytes < sizeof header || header.header_bytes > bytes)
        header.header_bytes = sizeof header;
    if (header.payload_bytes > bytes - header.header_bytes)
        header.payload_bytes = (uint32_t)(bytes - header.header_bytes);
    header.payload_checksum = checksum(data + header.header_bytes, header.payload_bytes);
    header.header_checksum = checksum(&header, offsetof(struct rec_chunk_header, header_checksum));
    memcpy(data, &header, sizeof header);
    return header.header_bytes + header.payload_bytes;
}

/* The chunk whose payload is data. */
static void make_spool(const struct rec_chunk_header *chunk, uint8_t *data, size_t size, const uint8_t session[16])
{
    struct rec_spool_header header = { .consumed = chunk->ticks, .log_most = chunk->clock_ns };

    file_header_make_with(&header.file, session, 0, sizeof header);
    for (size_t at = 0, bytes; at < size; at += bytes ? bytes : 1)
        bytes = mend_chunk(data + at, size - at);
    write_file(spooled_path, &header, sizeof header, O_TRUNC, 0);
    write_file(spooled_path, data, size, 0, sizeof header);
    is_limited = header.log_most;
}

/* Writes log, spool and live file. */
static void make_files(uint8_t *data, size_t size)
{
    struct rec_file_header header;
    struct rec_chunk_header spooled;
    size_t slots = 0, at = 0;

    unlink(live_path);
    unlink(spooled_path);
    is_limited = false;
    if (size >= sizeof header) {
        memcpy(&header, data, sizeof header);
        if (!(header.reserved & FUZZ_AS_IS)) {
            memcpy(header.magic, REC_FILE_MAGIC, sizeof header.magic);
            header.version = REC_VERSION;
            header.header_bytes = sizeof header;
            header.incompatible_flags = 0;
        }
        header.checksum = checksum(&header, offsetof(struct rec_file_header, checksum));
        memcpy(data, &header, sizeof header);
        at = sizeof header;
    }
    while (at < size) {
        size_t chunk = mend_chunk(data + at, size - at);
        if (chunk > sizeof(struct rec_chunk_header) && data[at + offsetof(struct rec_chunk_header, type)] == FUZZ_LIVE_SLOT &&
            slots < SLOTS_MAX)
            add_slot(data + at + sizeof(struct rec_chunk_header), chunk - sizeof(struct rec_chunk_header), header.session, slots++);
        if (chunk > sizeof spooled && data[at + offsetof(struct rec_chunk_header, type)] == FUZZ_SPOOL && access(spooled_path, F_OK) != 0) {
            memcpy(&spooled, data + at, sizeof spooled);
            make_spool(&spooled, data + at + sizeof spooled, chunk - sizeof spooled, header.session);
        }
        at += chunk ? chunk : 1;
    }
    write_file(log_path, data, size, O_TRUNC, 0);
}

/* Bytes: of more, what no sum holds, in units, counts in order as lost. */
#define COUNTABLE (1ull << 48)

/* Reads what the first process has recorded alone. */
static void read_selection(struct log *log)
{
    struct sizes_counted counted;
    struct size_table table;

    if (!log->process_count)
        return;
    log_select(log, &log->processes[0].pid, 1);
    struct facts *facts = facts_collect(log, NULL);
    count_sizes(log, NULL, NULL, &counted);
    sizes_table(&counted.sizes, &table);
    demand(table.count == facts->allocations || log_trimmed(log).to_ns || table.bytes >= COUNTABLE, "of a selection, too, it is the same");
    for (size_t i = 0; i < facts->by_start_count; i++)
        demand(facts->told.processes[facts->by_start[i]].pid == log->processes[0].pid, "there is nobody else");
    size_table_release(&table);
    sizes_counted_release(&counted);
    facts_free(facts);
}

/* Names that mean something where they are written; every third location has none. */
static size_t name(void *data, uint32_t location, const struct symbols_frame **ret_frames)
{
    static const struct symbols_frame frames[] = { { "a<&\";\n\xff\xed\xa0\x80", "a()", "/x/y.c", 7, 0 }, { "getpwnam", NULL, NULL, 0, 0 } };

    (void)data;
    *ret_frames = frames;
    return location % 3;
}

/* What is made of all stacks: its sums are the facts'. */
static void draw(struct facts *facts, const struct namer *namer)
{
    struct suppressions rules = { 0 };
    struct filter filter = { 0 };
    struct call_tree tree;
    struct leaks leaks;

    for (int inverted = 0; inverted < 2; inverted++) {
        call_tree_make(facts, namer, &(struct call_tree_options){ .costs = CALL_TREE_COSTS, .inverted = inverted }, &tree);
        demand(call_node_total(&tree, 0, COST_ALLOCATIONS) == facts->allocations, "the tree has all allocations");
        demand(call_node_total(&tree, 0, COST_PEAK) == facts->peak_bytes, "the tree has the peak");
        demand(call_node_total(&tree, 0, COST_LEAKED) == facts->leaked_bytes, "the tree has all leaks");
        call_tree_release(&tree);
    }
    suppressions_add_builtin(&rules);
    leaks_collect(facts, namer, &filter, &rules, &leaks);
    demand(facts->settings.unit > 1 || leaks.leaked.bytes + leaks.unended.bytes + leaks.suppressed.bytes == facts->leaked_bytes + facts->left_bytes,
           "what leaked is shown or suppressed");
    leaks_release(&leaks);
    suppressions_release(&rules);
}

static void show(const struct log *log, struct facts *facts, const struct namer *namer)
{
    unsigned view = (log->header.reserved >> (FUZZ_VIEW - 12) * 8 & 0xff) % VIEWS, part = log->header.reserved >> (FUZZ_PART - 12) * 8 & 0xff;
    const uint32_t tid = part;

    if (!part) {
        views_show(view, log, facts, namer);
        return;
    }
    struct facts *of_part = facts_collect(log, &(struct facts_options){
        .from_ns = facts->duration_ns / 16 * (part & 15), .to_ns = facts->duration_ns / 16 * (part >> 4),
        .tids = &tid, .tid_count = part & 1 });
    views_show(view, log, of_part, namer);
    facts_free(of_part);
}

static void read_sites(const struct log *log, struct facts *facts)
{
    struct advices advices;
    struct contents contents;
    struct sites sites;
    uint64_t bytes = 0;

    sites_collect(facts, NULL, &sites);
    demand(settings_rounded(&facts->settings, sites.sum.allocations) == facts->allocations, "every allocation has a site");
    demand(settings_rounded(&facts->settings, sites.sum.peak_bytes) == facts->peak_bytes, "the sites' peaks are the peak");
    advices_find(facts, &sites, &advices);
    demand(advices.count <= ADVICE_MOST, "not too much advice");
    contents_read(log, NULL, NULL, &contents);
    for (size_t i = 0; i < sizeof contents.kinds / sizeof *contents.kinds; i++)
        bytes += contents.kinds[i].bytes;
    demand(bytes <= contents.events.payload_bytes + contents.session.payload_bytes, "records are in chunks");
    contents_release(&contents);
    sites_release(&sites);
}

/* Reads the log in every way; how many allocations it has, or -1. */
static int64_t read_log(uint64_t *ret_lost_events)
{
    const struct namer namer = { NULL, name };
    struct failure failure;
    struct sizes_counted counted;
    struct size_table table;
    struct log *log;

    if (log_open(log_path, &log, &failure) != 0)
        return -1;
    for (size_t i = 0; i < log->chunk_count; i++)
        differs_twice |= log->chunks[i].stream != UINT32_MAX && !log->chunks[i].payload_bytes;
    struct facts *facts = facts_collect(log, NULL);
    count_sizes(log, NULL, NULL, &counted);
    sizes_table(&counted.sizes, &table);
    /* Of a packed chunk that is bad, sizes alone can be good. Of a part, what is later than its end counts not in order. */
    bool differs = is_cut_by_clock = log_trimmed(log).to_ns != 0;
    for (size_t i = 0; i < log->chunk_count; i++)
        differs |= log->chunks[i].packed_bytes != 0;
    differs |= table.bytes >= COUNTABLE;
    demand(table.count == facts->allocations || differs, "counted in any order, or in order, it is the same");
    demand(counted.bad_chunks == facts->bad_chunks || differs, "bad chunks are bad both times");
    demand(facts->leaked_blocks + facts->left_blocks <= facts->allocations, "what leaked was allocated");
    static uint8_t payload[REC_CHUNK_PAYLOAD_MAX];
    for (size_t i = 0; i < log->names_count; i++)
        if (log_load(log, &log->names[i].chunk, payload) == 0)
            decode_names(payload, log->names[i].chunk.payload_bytes);
    for (size_t i = 0; i < log->damage_count; i++)
        demand(log->damages[i].offset + log->damages[i].bytes <= log->bytes && log->damages[i].bytes &&
               log->damages[i].reason, "damage is in the file, and has a reason");
    for (uint32_t pc = 0; pc < facts->told.code.pc_count; pc++)
        demand(code_location(&facts->told.code, pc) < facts->told.code.location_count, "a location is a location");
    draw(facts, &namer);
    show(log, facts, &namer);
    struct process_tree tree;
    process_tree_make(facts, &tree);
    for (uint32_t i = 0; i < tree.count; i++)
        demand(tree.nodes[i].parent == TREE_NONE || tree.nodes[i].parent < i, "a parent comes before its children");
    process_tree_release(&tree);
    read_sites(log, facts);
    int64_t allocations = (int64_t)facts->allocations;
    *ret_lost_events = facts->told.lost_events;
    size_table_release(&table);
    sizes_counted_release(&counted);
    facts_free(facts);
    read_selection(log);
    log_free(log);
    return allocations;
}

static void remove_files(void)
{
    char directory[PATH_MAX];

    unlink(log_path);
    unlink(live_path);
    unlink(spooled_path);
    memcpy(directory, log_path, sizeof directory);
    *strrchr(directory, '/') = 0;
    rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *temporary = getenv("TMPDIR");
    char directory[PATH_MAX - 16];

    (void)argc;
    (void)argv;
    memset(hash_key, 1, sizeof hash_key); /* the same bytes do the same each time */
    snprintf(directory, sizeof directory, "%s/fuzz_log-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    demand(mkdtemp(directory) != NULL, "a directory can be made");
    snprintf(log_path, sizeof log_path, "%s/log", directory);
    snprintf(live_path, sizeof live_path, "%s.live.%u", log_path, NO_PID);
    snprintf(spooled_path, sizeof spooled_path, "%s" SPOOL_ENDING, log_path);
    atexit(remove_files);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t lost, lost_merged = 0;
    uint8_t *copy = memcpy(malloc(size ? size : 1), data, size);

    decode(data, size);
    decode_names(data, size);
    pack(data, size);
    join(data, size);
    make_files(copy, size);
    differs_twice = false;
    int64_t allocations = read_log(&lost);
    bool may_differ = differs_twice && access(spooled_path, F_OK) == 0;
    if (allocations >= 0 && (access(live_path, F_OK) == 0 || access(spooled_path, F_OK) == 0)) {
        demand(live_adopt(log_path) == 0 && access(live_path, F_OK) != 0 && access(spooled_path, F_OK) != 0,
               "what a dead process left is merged");
        int64_t merged = read_log(&lost_merged);
        demand(is_limited || is_cut_by_clock || may_differ || (merged == allocations && lost_merged == lost), "a merge changes nothing");
        demand(!is_limited || is_cut_by_clock || may_differ || merged <= allocations, "a limit makes no allocations");
    }
    free(copy);
    return 0;
}
