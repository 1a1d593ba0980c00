/* analyze/model/facts against a plain replay: random sessions of several processes and
 * threads, with stacks, reallocs and ends in their middle, counted here in the most
 * obvious way, in as many passes as that takes. */
#include "analyze/model/facts.h"
#include "analyze/model/sites.h"

#include "tests/unit/log_writer.h"
#include "tests/unit/random.h"

#include <inttypes.h>

#define PROCESSES 3
#define STREAMS 6 /* two of each process */
#define STACKS 9
#define BLOCKS 200
#define EVENTS 6000

enum kind { ALLOC, FREE, MOVE, FAILED_MOVE, END_PROCESS };

/* What happened: the truth. */
static struct happening {
    enum kind kind;
    uint64_t ns;
    uint64_t address, old; /* old: MOVE, FREE, FAILED_MOVE */
    uint64_t size;
    unsigned stream, stack;
} happenings[EVENTS + PROCESSES];
static size_t happening_count;

static struct log_bytes bytes;

/* --- making a session -------------------------------------------------------- */

static struct writer {
    uint8_t records[65536], *at;
    struct encoder encoder;
    struct rec_chunk_header header;
    unsigned stack; /* the stream's last; STACKS: none */
} writers[STREAMS];

static unsigned process_of(unsigned stream)
{
    return stream / 2;
}

static void begin_chunk(unsigned stream, uint32_t sequence, uint64_t ns)
{
    struct writer *w = &writers[stream];

    w->header = (struct rec_chunk_header){
        .type = REC_CHUNK_EVENTS, .flags = REC_CHUNK_TICKS_ARE_NS, .pid = 10 + process_of(stream), .image = 1000 + process_of(stream),
        .stream = stream % 2, .sequence = sequence, .ticks = ns, .clock_ns = ns,
    };
    encoder_begin(&w->encoder, ns);
    w->at = w->records;
    w->stack = STACKS;
    if (sequence == 0)
        w->at = encode_thread_begin(&w->encoder, w->at, ns, 100 + stream, (struct encode_text){ "thread", 6 }, false);
}

static void end_chunk(unsigned stream)
{
    struct writer *w = &writers[stream];

    memcpy(made.records, w->records, (size_t)(w->at - w->records));
    made.header = w->header;
    chunk_seal(&made.header, (uint32_t)(w->at - w->records));
    log_bytes_add_again(&bytes);
}

/* Stacks 0 to 8: two frames, (n / 3, n % 3). */
static void write_alloc(unsigned stream, unsigned which, unsigned stack, uint64_t address, uint64_t size, uint64_t ns)
{
    struct writer *w = &writers[stream];
    const uint32_t ids[2] = { 1 + stack / 3, 10 + stack % 3 };
    struct encode_stack s = { .pops = w->stack == STACKS ? 0 : 2, .pushes = 2, .ids = ids };

    if (w->stack != STACKS && w->stack / 3 == stack / 3)
        s = (struct encode_stack){ .pops = w->stack != stack, .pushes = w->stack != stack, .ids = ids + 1 };
    w->stack = stack;
    w->at = encode_alloc(&w->encoder, w->at, which, address, size, ns, 0, 0, &s);
}

static struct happening *happen(enum kind kind, uint64_t ns, unsigned stream)
{
    struct happening *h = &happenings[happening_count++];

    *h = (struct happening){ .kind = kind, .ns = ns, .stream = stream };
    return h;
}

static void make_session(void)
{
    static uint64_t live[PROCESSES][BLOCKS];
    uint64_t ns = 1000000;
    unsigned last[PROCESSES], stream = 0, slots = random_below(2) ? BLOCKS : 50;
    uint64_t row = random_below(2) ? 1 : 30; /* events of a stream before another one's, on average */

    memset(live, 0, sizeof live);
    happening_count = 0;
    log_bytes_begin(&bytes);
    for (unsigned i = 0; i < STREAMS; i++)
        begin_chunk(i, 0, ns);
    for (unsigned p = 0; p < PROCESSES; p++)
        last[p] = (unsigned)(EVENTS / 2 + random_below(EVENTS / 2)); /* of its events */
    for (unsigned i = 0; i < EVENTS; i++) {
        stream = random_below(row) ? stream : (unsigned)random_below(STREAMS);
        unsigned p = process_of(stream), slot = (unsigned)random_below(slots);
        struct writer *w = &writers[stream];
        uint64_t *block = &live[p][slot], size = random_below(8) ? random_below(300) : random_magnitude() >> 24;
        uint64_t address = 0x1000 + 64 * slot + 0x100000 * random_below(2);
        unsigned stack = (unsigned)random_below(STACKS);
        ns += 1 + random_below(random_below(100) ? 2000 : 2000000);
        if (i > last[p])
            continue;
        if (!*block) {
            *happen(ALLOC, ns, stream) = (struct happening){ ALLOC, ns, address, 0, size, stream, stack };
            write_alloc(stream, REC_ALLOC_MALLOC, stack, address, size, ns);
            *block = address;
        } else if (random_below(3)) {
            *happen(FREE, ns, stream) = (struct happening){ FREE, ns, 0, *block, 0, stream, 0 };
            w->at = encode_free(&w->encoder, w->at, REC_FREE, *block, ns);
            *block = 0;
        } else {
            bool fails = random_below(4) == 0;
            *happen(MOVE, ns, stream) = (struct happening){ fails ? FAILED_MOVE : MOVE, ns + 1, address, *block, size, stream, stack };
            w->at = encode_free(&w->encoder, w->at, REC_REALLOC_BEGIN, *block, ns++);
            if (fails) {
                w->at = encode_realloc_failed(&w->encoder, w->at, REC_FN_REALLOC, size, ns);
            } else {
                write_alloc(stream, REC_ALLOC_REALLOC_END, stack, address, size, ns);
                *block = address;
            }
        }
        if (random_below(200) == 0) {
            end_chunk(stream);
            begin_chunk(stream, w->header.sequence + 1, ns);
        }
    }
    for (unsigned i = 0; i < STREAMS; i++)
        end_chunk(i);
    log_bytes_write(&bytes);
}

/* --- counting it ---------------------------------------------------------------- */

struct counted {
    uint64_t allocations, bytes, frees, temporary, failed, peak_bytes, peak_blocks, leaked_blocks, leaked_bytes, left_blocks, left_bytes;
    struct { uint64_t allocations, bytes, temporary, peak_blocks, peak_bytes, leaked_blocks, leaked_bytes, freed, lifetime_allocations, lifetime_us, regrown, brief; }
        stacks[PROCESSES][STACKS];
    struct { uint64_t allocations, frees, temporary; } threads[STREAMS];
};

struct wanted {
    uint64_t from_ns, to_ns; /* absolute */
    int stream;              /* -1: all */
    uint64_t within, within_us; /* temporary; both 0: as is usual */
};

struct live {
    uint64_t address, size, number, ns;
    unsigned process, stack;
    bool counted;
};

static struct live lives[PROCESSES * BLOCKS];
static size_t live_count;

static struct live *find_live(unsigned process, uint64_t address)
{
    for (size_t i = 0; i < live_count; i++)
        if (lives[i].process == process && lives[i].address == address)
            return &lives[i];
    return NULL;
}

static void note_peak(struct counted *c)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < live_count; i++)
        sum += lives[i].counted ? lives[i].size : 0;
    if (sum <= c->peak_bytes)
        return;
    c->peak_bytes = sum;
    c->peak_blocks = 0;
    for (unsigned p = 0; p < PROCESSES; p++)
        for (unsigned s = 0; s < STACKS; s++)
            c->stacks[p][s].peak_bytes = c->stacks[p][s].peak_blocks = 0;
    for (size_t i = 0; i < live_count; i++) {
        if (!lives[i].counted)
            continue;
        c->peak_blocks++;
        c->stacks[lives[i].process][lives[i].stack].peak_blocks++;
        c->stacks[lives[i].process][lives[i].stack].peak_bytes += lives[i].size;
    }
}

/* A process ends with its last event: its blocks are leaked, and not live any more. */
static void end_processes(struct counted *c, size_t now)
{
    for (unsigned p = 0; p < PROCESSES; p++) {
        bool ended = true;
        for (size_t i = now + 1; i < happening_count && ended; i++)
            ended = process_of(happenings[i].stream) != p;
        for (size_t i = 0; i < live_count && ended; i++) {
            if (lives[i].process != p)
                continue;
            if (lives[i].counted) {
                c->leaked_blocks++;
                c->leaked_bytes += lives[i].size;
                c->stacks[p][lives[i].stack].leaked_blocks++;
                c->stacks[p][lives[i].stack].leaked_bytes += lives[i].size;
            }
            lives[i--] = lives[--live_count];
        }
    }
}

/* Others live on when what is wanted ends. */
static void set_left_apart(struct counted *c)
{
    c->left_blocks = c->leaked_blocks;
    c->left_bytes = c->leaked_bytes;
    c->leaked_blocks = c->leaked_bytes = 0;
    for (unsigned p = 0; p < PROCESSES; p++)
        for (unsigned s = 0; s < STACKS; s++)
            c->stacks[p][s].leaked_blocks = c->stacks[p][s].leaked_bytes = 0;
}

static void count_all(struct counted *c, const struct wanted *wanted)
{
    uint64_t number = 0, last_of[STREAMS] = { 0 };

    memset(c, 0, sizeof *c);
    live_count = 0;
    for (size_t i = 0; i < happening_count; i++) {
        const struct happening *h = &happenings[i];
        unsigned p = process_of(h->stream);
        bool counts = h->ns >= wanted->from_ns && (wanted->stream < 0 || h->stream == (unsigned)wanted->stream);
        if (h->ns > wanted->to_ns) {
            set_left_apart(c);
            break;
        }
        c->failed += h->kind == FAILED_MOVE && counts;
        if (h->kind == FREE || h->kind == MOVE) {
            struct live *old = find_live(p, h->old);
            if (old->counted) {
                c->frees++;
                c->threads[h->stream].frees++;
                c->stacks[p][old->stack].freed++;
                c->stacks[p][old->stack].lifetime_allocations += number - old->number;
                c->stacks[p][old->stack].lifetime_us += (h->ns - 1000000) / 1000 - (old->ns - 1000000) / 1000;
                uint64_t length = number - old->number, us = (h->ns - 1000000) / 1000 - (old->ns - 1000000) / 1000;
                if (h->kind == FREE && length < BRIEF_ALLOCATIONS)
                    c->stacks[p][old->stack].brief++;
                if (h->kind == FREE && (wanted->within ? length < wanted->within : wanted->within_us ? us <= wanted->within_us
                                                                                 : last_of[h->stream] == old->number)) {
                    c->temporary++;
                    c->threads[h->stream].temporary++;
                    c->stacks[p][old->stack].temporary++;
                }
                if (h->kind == MOVE && counts && old->size < h->size)
                    c->stacks[p][h->stack].regrown++;
            }
            *old = lives[--live_count];
        }
        if (h->kind == ALLOC || h->kind == MOVE) {
            lives[live_count++] = (struct live){ h->address, h->size, ++number, h->ns, p, h->stack, counts };
            last_of[h->stream] = number;
            if (counts) {
                c->allocations++;
                c->bytes += h->size;
                c->threads[h->stream].allocations++;
                c->stacks[p][h->stack].allocations++;
                c->stacks[p][h->stack].bytes += h->size;
                note_peak(c);
            }
        }
        end_processes(c, i);
    }
    for (size_t i = 0; i < live_count; i++) { /* where wanted->to_ns is */
        c->leaked_blocks += lives[i].counted;
        c->leaked_bytes += lives[i].counted ? lives[i].size : 0;
        if (lives[i].counted) {
            c->stacks[lives[i].process][lives[i].stack].leaked_blocks++;
            c->stacks[lives[i].process][lives[i].stack].leaked_bytes += lives[i].size;
        }
    }
}

/* --- comparing -------------------------------------------------------------------- */

/* From this one on of its stack: each is of another function. */
static struct stack_costs sum_of_leaves(const struct facts *f, uint32_t leaf)
{
    struct stack_costs sum = { .least = UINT64_MAX };

    for (; leaf != LEAF_NONE; leaf = f->told.stacks.leaves[leaf].next) {
        stack_costs_add(&sum, &f->costs.of[leaf]);
        sum.live_blocks += f->costs.of[leaf].live_blocks;
        sum.live_bytes += f->costs.of[leaf].live_bytes;
    }
    return sum;
}

static bool stacks_are_equal(const struct facts *f, const struct counted *c)
{
    const struct stacks *s = &f->told.stacks;
    uint64_t peak = 0, compared = 0, expected = 0;

    for (uint32_t leaf = 0; leaf < s->leaf_count; leaf++) {
        const struct stack_costs sum = sum_of_leaves(f, leaf), *costs = &sum;
        uint32_t node = s->leaves[leaf].node;
        if (!stack_leaf_is_first(s, leaf))
            continue;
        const struct code_pc *inmost = &f->told.code.pcs[s->nodes[node].pc], *caller = &f->told.code.pcs[s->nodes[s->nodes[node].parent].pc];
        uint32_t inner = inmost->number - 10, outer = caller->number - 1, process = inmost->process;
        unsigned p = f->told.processes[process].pid - 10, stack = outer * 3 + inner;
        if (outer >= 3 || inner >= 3)
            return false;
        if (costs->allocations != c->stacks[p][stack].allocations || costs->bytes != c->stacks[p][stack].bytes ||
            costs->temporary != c->stacks[p][stack].temporary || costs->peak_bytes != c->stacks[p][stack].peak_bytes ||
            costs->peak_blocks != c->stacks[p][stack].peak_blocks || costs->leaked_blocks != c->stacks[p][stack].leaked_blocks ||
            costs->leaked_bytes != c->stacks[p][stack].leaked_bytes || costs->freed != c->stacks[p][stack].freed ||
            costs->lifetime_allocations != c->stacks[p][stack].lifetime_allocations ||
            costs->lifetime_us != c->stacks[p][stack].lifetime_us || costs->regrown != c->stacks[p][stack].regrown ||
            costs->brief != c->stacks[p][stack].brief)
            return false;
        if (costs->live_blocks || costs->live_bytes)
            return false;
        peak += costs->peak_bytes;
        compared += costs->allocations;
    }
    for (unsigned p = 0; p < PROCESSES; p++)
        for (unsigned stack = 0; stack < STACKS; stack++)
            expected += c->stacks[p][stack].allocations;
    return peak == f->peak_bytes && compared == expected;
}

static bool threads_are_equal(const struct facts *f, const struct counted *c)
{
    bool equal = f->told.threads.count <= STREAMS;

    for (size_t i = 0; i < f->told.threads.count; i++) {
        uint32_t stream = f->told.threads.of[i].tid - 100;
        equal &= f->threads[i].allocations == c->threads[stream].allocations && f->threads[i].frees == c->threads[stream].frees &&
                 f->threads[i].temporary == c->threads[stream].temporary;
    }
    return equal;
}

static bool timeline_is_right(const struct facts *f, const struct counted *c)
{
    uint64_t allocations = 0, sum = 0, frees = 0, most = 0;

    for (size_t i = 0; i < f->timeline.count; i++) {
        const struct timeline_bucket *b = &f->timeline.buckets[i];
        allocations += b->allocations;
        sum += b->bytes;
        frees += b->frees;
        most = b->most_live > most ? b->most_live : most;
        if (b->live_bytes > b->most_live || b->live_bytes < b->least_live)
            return false;
    }
    const struct timeline_bucket *at_peak = &f->timeline.buckets[(f->peak_ns - f->timeline.from_ns) / f->timeline.bucket_ns];
    return allocations == c->allocations && sum == c->bytes && frees == c->frees && most == c->peak_bytes && at_peak->most_live == most;
}

static uint64_t sum_of(const uint64_t *numbers, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += numbers[i];
    return sum;
}

static void compare(const struct wanted *wanted)
{
    static struct counted c;
    struct failure failure;
    struct log *log = NULL;
    const uint32_t tid = 100 + (uint32_t)wanted->stream;
    struct facts_options options = { .from_ns = wanted->from_ns ? wanted->from_ns - 1000000 : 0,
                                     .to_ns = wanted->to_ns == UINT64_MAX ? 0 : wanted->to_ns - 1000000,
                                     .temporary_within = { wanted->within, wanted->within_us } };

    if (wanted->stream >= 0) {
        options.tids = &tid;
        options.tid_count = 1;
    }
    count_all(&c, wanted);
    if (!CHECK(log_open(log_path, &log, &failure) == 0))
        return;
    struct facts *f = facts_collect(log, &options);
    CHECK(c.allocations > 20 && c.frees > 10 && c.leaked_blocks + c.left_blocks > 2);
    CHECK(f->allocations == c.allocations && f->allocated_bytes == c.bytes && f->frees == c.frees && f->failed == c.failed);
    CHECK(f->temporary == c.temporary && f->leaked_blocks == c.leaked_blocks && f->leaked_bytes == c.leaked_bytes);
    CHECK(f->left_blocks == c.left_blocks && f->left_bytes == c.left_bytes);
    CHECK(!(wanted->within > 1 || wanted->within_us) || c.temporary > 3);
    CHECK(f->peak_bytes == c.peak_bytes && f->peak_blocks == c.peak_blocks);
    CHECK(f->unmatched_frees == 0 && f->unseen_frees == 0 && !f->interrupted);
    CHECK(sum_of(f->lifetimes_us, FACTS_LIFETIMES) == c.frees && sum_of(f->lifetimes_allocations, FACTS_LIFETIMES) == c.frees);
    CHECK(stacks_are_equal(f, &c));
    CHECK(threads_are_equal(f, &c));
    CHECK(timeline_is_right(f, &c));
    facts_free(f);
    log_free(log);
}

static bool stop_at_once(void *data, double progress)
{
    CHECK(progress >= 0 && progress <= 1);
    ++*(int *)data;
    return false;
}

static void test_interrupted(void)
{
    struct failure failure;
    struct log *log = NULL;
    int asked = 0;

    if (!CHECK(log_open(log_path, &log, &failure) == 0))
        return;
    struct facts *f = facts_collect(log, &(struct facts_options){ .goes_on = stop_at_once, .data = &asked });
    CHECK(f->interrupted && asked == 1 && f->allocations > 0 && f->allocations < EVENTS);
    facts_free(f);
    log_free(log);
}

int main(void)
{
    directory_make();
    for (int round = 0; round < 8; round++) {
        make_session();
        const uint64_t end = happenings[happening_count - 1].ns, third = (end - 1000000) / 3;
        compare(&(struct wanted){ 0, UINT64_MAX, -1, 0, 0 });
        compare(&(struct wanted){ 1000000 + third, UINT64_MAX, -1, 0, 0 });
        compare(&(struct wanted){ 0, end - third, -1, 0, 0 });
        compare(&(struct wanted){ 1000000 + third, end - third, -1, 0, 0 });
        compare(&(struct wanted){ 0, UINT64_MAX, -1, 1, 0 });
        compare(&(struct wanted){ 0, UINT64_MAX, -1, 20, 0 });
        compare(&(struct wanted){ 1000000 + third, end - third, -1, 50, 0 });
        compare(&(struct wanted){ 0, UINT64_MAX, -1, 0, 30 });
        for (int stream = 0; stream < STREAMS; stream++)
            compare(&(struct wanted){ 0, UINT64_MAX, stream, 0, 0 });
    }
    test_interrupted();
    directory_remove();
    return check_summary();
}
