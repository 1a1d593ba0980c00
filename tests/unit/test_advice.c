/* analyze/model/advice: programs that do what it is about, and programs in order that do
 * nearly so, as logs made by hand: their times are exact. */
#include "analyze/model/advice.h"
#include "analyze/model/floors.h"

#include "tests/unit/log_writer.h"

#define MS 1000000ull
#define SITES 8

static struct log_bytes bytes;
static uint32_t pid, sequence;
static bool is_begun; /* the chunk has a stack */
static uint64_t now;  /* ns */
static uint64_t next_address;

static void begin_chunk(void)
{
    chunk_begin(pid, 0, sequence++, now);
    is_begun = false;
}

/* Sites are call sites at addresses 0x1000 * number, numbers from 1. */
static void begin_process(uint32_t new_pid, const char *allocator, uint64_t sample_bytes)
{
    pid = new_pid;
    sequence = 0;
    now = MS;
    next_address = 0x100000;
    begin_chunk();
    at = encode_process_start(&encoder, at, now, &(struct encode_process){
        .exe = { "/x", 2 }, .call_graph = { "auto", 4 }, .allocator = { allocator, strlen(allocator) },
        .sample_bytes = sample_bytes });
    at = encode_module_load(&encoder, at, now, &(struct encode_module){ .id = 1, .path = { "/x", 2 } });
    for (uint32_t i = 1; i < SITES; i++)
        at = encode_pc(&encoder, at, i, 1, 0x1000 * i, false);
}

static void begin(const char *allocator, uint64_t sample_bytes)
{
    log_bytes_begin(&bytes);
    begin_process(1, allocator, sample_bytes);
}

static void pass(uint64_t ns)
{
    now += ns;
    if (at - made.records > 60000) {
        chunk_end(&bytes);
        begin_chunk();
    }
}

static void add_alloc(unsigned kind, uint32_t site, uint64_t address, uint64_t size)
{
    pass(100); /* may begin a chunk */
    const struct encode_stack stack = { .pops = is_begun, .pushes = 1, .ids = &site };
    at = encode_alloc(&encoder, at, kind, address, size, now, 0, 0, &stack);
    is_begun = true;
}

static uint64_t take(uint32_t site, uint64_t size)
{
    uint64_t address = next_address;

    next_address += 32 + (size + 31) / 16 * 16;
    add_alloc(REC_ALLOC_MALLOC, site, address, size);
    return address;
}

static void give(uint64_t address)
{
    pass(100);
    add_free(now, address);
}

static uint64_t resize(uint32_t site, uint64_t old, uint64_t size)
{
    uint64_t address = next_address;

    next_address += 32 + (size + 31) / 16 * 16;
    pass(100);
    add_realloc_begin(now, old);
    add_alloc(REC_ALLOC_REALLOC_END, site, address, size);
    return address;
}

static struct advices advices;
static uint64_t advised_address[ADVICE_MOST];

static size_t advise_of(uint64_t from_ns, uint64_t to_ns)
{
    struct failure failure;
    struct sites sites;
    struct log *log;

    chunk_end(&bytes);
    log_bytes_write(&bytes);
    if (!CHECK(log_open(log_path, &log, &failure) == 0))
        exit(check_summary());
    struct facts *f = facts_collect(log, &(struct facts_options){ .from_ns = from_ns, .to_ns = to_ns });
    CHECK(!f->bad_chunks && !f->unseen_frees && !f->unmatched_frees);
    sites_collect(f, NULL, &sites);
    advices_find(f, &sites, &advices);
    for (size_t i = 0; i < advices.count; i++)
        advised_address[i] = f->told.code.locations[sites.sites[advices.of[i].site].location].address;
    sites_release(&sites);
    facts_free(f);
    log_free(log);
    return advices.count;
}

static size_t advise(void)
{
    return advise_of(0, 0);
}

/* The only advice, and its site. */
static bool is_advised(enum advice_kind kind, uint32_t site)
{
    return CHECK(advise() == 1) && CHECK(advices.of[0].kind == kind) && CHECK(advised_address[0] == 0x1000 * site);
}

/* --- growth ------------------------------------------------------------------------ */

/* So many turns of a millisecond; use() does what the program does in each. Beside that it works in good order. */
static void run_process(unsigned turns, void (*use)(unsigned turn))
{
    for (unsigned i = 0; i < 200; i++)
        take(7, 1000); /* set up once, and kept */
    for (unsigned turn = 0; turn < turns; turn++) {
        uint64_t block = take(6, 100 + turn % 50);
        use(turn);
        give(block);
        pass(MS);
    }
}

static void run(unsigned turns, void (*use)(unsigned turn))
{
    begin("/lib/libc.so.6", 0);
    run_process(turns, use);
}

static void run_beside(uint32_t new_pid, unsigned turns, void (*use)(unsigned turn))
{
    chunk_end(&bytes);
    begin_process(new_pid, "/lib/libc.so.6", 0);
    run_process(turns, use);
}

static void leak(unsigned turn)
{
    take(1, 100);
    if (turn % 10)
        give(take(1, 100));
}

static void leak_at_first(unsigned turn)
{
    if (turn < 300)
        for (int i = 0; i < 10; i++)
            take(1, 100);
}

static void leak_in_bursts(unsigned turn)
{
    if (turn / 700 % 2)
        take(1, 100);
}

static void leak_few(unsigned turn)
{
    if (turn % 50 == 0)
        take(1, 5000);
}

static uint64_t kept[100000];

static void turn_over(unsigned turn)
{
    if (turn >= 500)
        give(kept[turn % 500]);
    kept[turn % 500] = take(1, 300);
}

static void grow_and_free(unsigned turn)
{
    kept[turn] = take(1, 100);
    if (turn == 2999)
        for (unsigned i = 0; i <= turn; i++)
            give(kept[i]);
}

static void leak_while_it_shrinks(unsigned turn)
{
    if (turn == 0)
        for (unsigned i = 0; i < 3000; i++)
            kept[i] = take(2, 4000);
    give(kept[turn]);
    leak(turn);
}

static void keep_much(unsigned turn)
{
    if (turn == 0)
        take(2, 50000000);
}

static void free_much_late(unsigned turn)
{
    if (turn == 0)
        kept[0] = take(2, 50000000);
    if (turn == 2700)
        give(kept[0]);
}

static void build_up(unsigned turn)
{
    for (uint32_t site = 1; site <= 4; site++)
        take(site, 100 * site);
    (void)turn;
}

static void leak_three(unsigned turn)
{
    for (uint32_t site = 1; site <= 3; site++)
        take(site, 100 * site);
    (void)turn;
}

static void do_nothing(unsigned turn)
{
    (void)turn;
}

static void test_growth(void)
{
    run(3000, leak);
    if (is_advised(ADVICE_GROWTH, 1)) {
        const struct advice *a = &advices.of[0];
        CHECK(a->blocks == 3000 && a->bytes == 300000 && a->time_us > 2990000 && a->time_us < 3100000);
        CHECK(a->rate_bytes > 96000 && a->rate_bytes < 101000);
    }
    run(900, leak); /* too short to tell */
    CHECK(advise() == 0);
    void (*const in_order[])(unsigned turn) = { leak_at_first, leak_in_bursts, leak_few, turn_over, grow_and_free,
                                                 leak_while_it_shrinks, do_nothing };
    for (size_t i = 0; i < sizeof in_order / sizeof *in_order; i++) {
        run(3000, in_order[i]);
        if (!CHECK(advise() == 0))
            printf("    growth: case %zu\n", i);
    }
}

static void dip(struct floors *f, double ns, uint64_t to)
{
    floors_fall(f, (uint64_t)ns, 1000 - to);
    floors_rise(f, (uint64_t)ns + 10, 1000 - to);
}

/* The floor of the third quarter is 100, that of the last one is x; what comes before and at the very end is lower. */
static bool floors_rise_to(double time_ns, uint64_t x)
{
    struct floors f = { 0 };
    double begins = 5e9;

    floors_begin(&f, (uint64_t)begins);
    floors_rise(&f, (uint64_t)begins, 1000);
    dip(&f, begins + 0.3 * time_ns, 0);
    dip(&f, begins + 0.55 * time_ns, 500);
    dip(&f, begins + 0.6 * time_ns, 100);
    dip(&f, begins + 0.72 * time_ns, 300);
    dip(&f, begins + 0.85 * time_ns, x);
    dip(&f, begins + 0.98 * time_ns, 0);
    bool risen = floors_have_risen(&f, (uint64_t)begins, (uint64_t)(begins + time_ns));
    floors_release(&f);
    return risen;
}

static void test_floors(void)
{
    for (double time_ns = 1e9; time_ns < 1e14; time_ns *= 1.3)
        CHECK(floors_rise_to(time_ns, 101) && !floors_rise_to(time_ns, 99));
    CHECK(!floors_rise_to(0.9e9, 101));
}

static void test_growth_of_processes(void)
{
    run(3000, keep_much); /* leaves most */
    run_beside(2, 3000, leak);
    run_beside(3, 3000, turn_over);
    if (is_advised(ADVICE_GROWTH, 1))
        CHECK(advices.of[0].processes == 1 && advices.of[0].bytes == 300000);
    run(3000, leak);
    run_beside(2, 3000, free_much_late); /* the session's floor falls, the process's does not */
    CHECK(is_advised(ADVICE_GROWTH, 1));
    run(3000, leak);
    for (uint32_t i = 2; i <= 4; i++)
        run_beside(i, 2000, leak);
    if (is_advised(ADVICE_GROWTH, 1)) { /* together */
        const struct advice *a = &advices.of[0];
        CHECK(a->processes == 4 && a->bytes == 900000 && a->time_us > 2990000 && a->time_us < 3100000);
        CHECK(a->rate_bytes > 4 * 96000 && a->rate_bytes < 4 * 101000);
    }
    run(3000, leak_three);
    for (uint32_t i = 2; i <= GROWTH_PROCESSES + 1; i++) /* of too many the smallest is left out, which ends second */
        run_beside(i, i == 2 ? 2900 : 3000, i == 3 ? leak : leak_three);
    CHECK(advise() == 2 && advices.of[0].processes == GROWTH_PROCESSES && advised_address[0] == 0x3000);
}

static void test_building_up(void)
{
    run(3000, build_up);
    if (is_advised(ADVICE_GROWTH, 4)) /* once, for all */
        CHECK(advices.of[0].others == 3 && advices.of[0].others_bytes == 3000 * 600 && advices.of[0].bytes == 3000 * 400);
    run(3000, leak_three);
    CHECK(advise() == 2 && advices.of[0].others == 0 && advised_address[0] == 0x3000 && advised_address[1] == 0x2000);
}

/* Of a part of the session as of the whole. */
static void test_growth_of_parts(void)
{
    static const struct { uint64_t from_ms, to_ms; bool told; } parts[] = {
        { 0, 2000, true }, { 500, 0, true }, { 1000, 0, true }, { 1900, 0, true }, { 1000, 2500, true },
        { 2500, 0, false }, { 0, 900, false },
    };

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        run(3000, leak);
        if (!CHECK((advise_of(parts[i].from_ms * MS, parts[i].to_ms * MS) == 1) == parts[i].told))
            printf("    part %zu\n", i);
        run(3000, leak_while_it_shrinks);
        if (!CHECK(advise_of(parts[i].from_ms * MS, parts[i].to_ms * MS) == 0))
            printf("    while it shrinks, part %zu\n", i);
    }
}

/* --- realloc -------------------------------------------------------------------------- */

static void grow_by(unsigned blocks, unsigned steps, uint64_t add, double factor)
{
    begin("/lib/libc.so.6", 0);
    for (unsigned i = 0; i < blocks; i++) {
        uint64_t size = 16, block = take(1, size);
        for (unsigned step = 0; step < steps; step++) {
            size = (uint64_t)((double)size * factor) + add;
            block = resize(1, block, size);
        }
        give(block);
    }
}

/* A thousand blocks in turn, and each grows now and then. */
static void grow_many(unsigned blocks, unsigned steps)
{
    begin("/lib/libc.so.6", 0);
    for (unsigned i = 0; i < blocks; i++)
        kept[i] = take(2, 16);
    for (unsigned step = 0; step < steps; step++)
        for (unsigned i = 0; i < blocks; i++)
            kept[i] = resize(1, kept[i], 32 + step * 16);
}

static const struct step { uint32_t site; uint64_t add, factor; } /* a factor of 0: shrinks to 16 */
    in_turn[] = { { 1, 1, 1 }, { 2, 1, 1 } },             /* two callers */
    mostly_one[] = { { 3, 0, 2 }, { 1, 0, 1 }, { 2, 0, 1 }, { 2, 0, 1 } },
    once_each[] = { { 1, 16, 1 }, { 2, 16, 1 }, { 3, 16, 1 }, { 4, 16, 1 }, { 5, 16, 1 } },
    same_size[] = { { 1, 16, 1 }, { 1, 0, 1 }, { 1, 0, 1 }, { 2, 0, 1 } },
    emptied[] = { { 1, 8, 2 }, { 1, 0, 2 }, { 1, 0, 2 }, { 2, 0, 0 } };

/* So many blocks of 16 bytes from site 7, each grown in these steps again and again. */
static void grow_so(unsigned blocks, unsigned turns, const struct step *steps, size_t count)
{
    begin("/lib/libc.so.6", 0);
    for (unsigned i = 0; i < blocks; i++) {
        uint64_t size = 16, block = take(7, size);
        for (unsigned turn = 0; turn < turns; turn++)
            for (size_t k = 0; k < count; k++) {
                size = steps[k].factor ? size * steps[k].factor + steps[k].add : 16;
                block = resize(steps[k].site, block, size);
            }
        give(block);
    }
}

#define GROW_SO(blocks, turns, steps) grow_so(blocks, turns, steps, sizeof(steps) / sizeof *(steps))

/* Chains are blocks', whoever enlarges them. */
static void test_chains(void)
{
    GROW_SO(1, 2000, in_turn);
    if (is_advised(ADVICE_REALLOC, 1)) {
        const struct advice *a = &advices.of[0];
        CHECK(a->blocks == 4000 && a->chains == 1 && a->final_bytes == 4016 && a->bytes == 3998ull * 18 + 3998 * 3997 / 2);
    }
    GROW_SO(200, 20, once_each);
    if (CHECK(advise() == 1))
        CHECK(advices.of[0].kind == ADVICE_REALLOC && advices.of[0].blocks == 200 * 100 && advices.of[0].chains == 200);
    GROW_SO(20, 100, same_size); /* that is none, and does not end a chain */
    if (is_advised(ADVICE_REALLOC, 1))
        CHECK(advices.of[0].blocks == 20 * 100 && advices.of[0].final_bytes == 20 * 1616);
    GROW_SO(20, 400, emptied); /* in order each time */
    CHECK(advise() == 0);
    GROW_SO(9000, 1, once_each);
    CHECK(advise() == 0);
    GROW_SO(100, 10, mostly_one);
    CHECK(advise() == 0);
    grow_many(1000, 100);
    if (is_advised(ADVICE_REALLOC, 1))
        CHECK(advices.of[0].blocks == 100000 && advices.of[0].chains == 1000 && advices.of[0].final_bytes == 1000 * 1616);
    grow_many(30000, 30);
    if (is_advised(ADVICE_REALLOC, 1))
        CHECK(advices.of[0].chains == 30000);
}

/* In the middle of a run that doubles blocks as well, one function adds a byte each time. */
static void test_one_of_many_chains(void)
{
    begin("/lib/libc.so.6", 0);
    for (unsigned i = 0; i < 200; i++) {
        uint64_t size = 16, block = take(1, size);
        for (unsigned step = 0; step < 12; step++)
            block = resize(1, block, size *= 2);
        give(block);
    }
    uint64_t size = 16, block = take(2, size);
    block = resize(3, block, size = 200);
    for (unsigned step = 0; step < 3000; step++)
        block = resize(1, block, ++size);
    give(block);
    if (is_advised(ADVICE_REALLOC, 1)) /* of which there is one */
        CHECK(advices.of[0].chains == 1 && advices.of[0].blocks == 3001 && advices.of[0].final_bytes == 3200);
}

static void test_realloc(void)
{
    grow_by(100, 100, 16, 1);
    if (is_advised(ADVICE_REALLOC, 1)) {
        const struct advice *a = &advices.of[0];
        CHECK(a->blocks == 10000 && a->chains == 100 && a->final_bytes == 100 * 101 * 16);
        CHECK(a->bytes == 100ull * 16 * (100 * 101 / 2 - 3)); /* 48 + 64 + ... + 1600 for each */
    }
    grow_by(1, 4000, 16, 1);
    CHECK(is_advised(ADVICE_REALLOC, 1));
    grow_by(100, 20, 0, 2);     /* doubling */
    CHECK(advise() == 0);
    grow_by(50, 80, 8, 1.125);  /* as Python's lists */
    CHECK(advise() == 0);
    grow_by(1000, 10, 16, 1);   /* few steps for each */
    CHECK(advise() == 0);
    grow_by(2, 100, 16, 1);     /* few in all */
    CHECK(advise() == 0);
}

/* --- temporary ------------------------------------------------------------------------ */

static void use_at_once(unsigned count, unsigned sizes, unsigned of_which_kept, uint64_t sample_bytes)
{
    begin("/lib/libc.so.6", sample_bytes);
    for (unsigned i = 0; i < count; i++) {
        uint64_t block = take(1, 64 + i % sizes * 8);
        kept[i] = i % 100 < of_which_kept ? block : 0;
        if (!kept[i])
            give(block);
    }
    for (unsigned i = 0; i < count; i++)
        if (kept[i])
            give(kept[i]);
}

/* While a block is there, so many others come and go. */
static void use_around(unsigned count, unsigned inner)
{
    begin("/lib/libc.so.6", 0);
    for (unsigned i = 0; i < count; i++) {
        uint64_t block = take(1, 64);
        for (unsigned k = 0; k < inner; k++)
            give(take(2, 64 + i % 3));
        give(block);
    }
}

static void test_temporary(void)
{
    use_at_once(20000, 1, 0, 0);
    if (is_advised(ADVICE_TEMPORARY, 1))
        CHECK(advices.of[0].blocks == 20000 && advices.of[0].bytes == 64 && advices.of[0].share == 1 && advices.of[0].within == 1);
    for (unsigned inner = 1; inner <= BRIEF_ALLOCATIONS; inner++) {
        use_around(20000, inner);
        if (!CHECK(advise() == (inner < BRIEF_ALLOCATIONS)))
            printf("    around %u others\n", inner);
        if (advices.count)
            CHECK(advices.of[0].kind == ADVICE_TEMPORARY && advised_address[0] == 0x1000 && advices.of[0].within == BRIEF_ALLOCATIONS);
    }
    use_at_once(20000, 1, 5, 0);
    CHECK(is_advised(ADVICE_TEMPORARY, 1));
    use_at_once(20000, 1, 15, 0);
    CHECK(advise() == 0);
    use_at_once(20000, 2, 0, 0);
    CHECK(advise() == 0);
    use_at_once(9999, 1, 0, 0);
    CHECK(advise() == 0);
    use_at_once(20000, 1, 0, 1); /* sampled: what came next is not known */
    CHECK(advise() == 0);
    use_at_once(20000, 1, 0, 0); /* nor where recording was paused */
    at = encode_recording(&encoder, at, now, false, REC_SWITCH_CALL);
    at = encode_recording(&encoder, at, now, true, REC_SWITCH_CALL);
    CHECK(advise() == 0);
}

/* --- rounding ------------------------------------------------------------------------- */

static void hold(const char *allocator, unsigned count, uint64_t size, uint64_t beside)
{
    begin(allocator, 0);
    kept[0] = take(2, beside);
    for (unsigned i = 1; i <= count; i++)
        kept[i] = take(1, size);
    for (unsigned i = 0; i <= count; i++)
        give(kept[i]);
}

static void test_rounding(void)
{
    hold("/lib/libc.so.6", 10000, 1, 100);
    if (is_advised(ADVICE_ROUNDING, 1)) {
        CHECK(advices.of[0].blocks == 10000 && advices.of[0].bytes == 230000 && advices.of[0].share > 0.95);
        CHECK(advices.rounding_bytes == 230000 + 4); /* 100 bytes: a block of 104 */
    }
    hold("/lib/x86_64-linux-gnu/libc.so.6", 10000, 25, 100); /* a block of 40 */
    CHECK(is_advised(ADVICE_ROUNDING, 1) && advices.of[0].bytes == 150000);
    hold("/lib/libc.so.6", 10000, 24, 100);
    CHECK(advise() == 0 && advices.rounding_bytes == 4);
    hold("/lib/libc.so.6", 10000, 1, 10000000); /* of no weight */
    CHECK(advise() == 0);
    hold("/lib/libc.so.6", 1000, 1, 100);
    CHECK(advise() == 0);
    hold("/lib/libjemalloc.so.2", 10000, 1, 100);
    CHECK(advise() == 0 && advices.rounding_bytes == 0);
}

int main(void)
{
    directory_make();
    test_growth();
    test_floors();
    test_growth_of_processes();
    test_building_up();
    test_growth_of_parts();
    test_realloc();
    test_chains();
    test_one_of_many_chains();
    test_temporary();
    test_rounding();
    directory_remove();
    free(bytes.data);
    return check_summary();
}
