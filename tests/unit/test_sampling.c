/* Sampled logs whose truth is known: what facts_collect and count_sizes estimate
 * from them must be right in the mean over many seeds, and their standard errors
 * must say how far single estimates are off. */
#include "analyze/model/count_sizes.h"
#include "analyze/model/facts.h"
#include "analyze/model/sites.h"

#include "tests/unit/log_writer.h"
#include "tests/unit/random.h"

#include <math.h>

#define SAMPLE 4096
#define SEEDS 400
#define BLOCKS 4000 /* each program allocates so many */

static struct log_bytes bytes;

/* Small and large ones, some far above the sampling distance. */
static const uint64_t sizes[] = { 0, 1, 16, 64, 100, 1000, 4096, 20000, 100000 };
#define SIZES (sizeof sizes / sizeof *sizes)

struct truth {
    double allocations, bytes, frees, leaked_blocks, leaked_bytes, reallocs;
    double of_size[SIZES];
};

/* Sums of an estimate and of its square, and of the variance that it claims. */
struct mean {
    double sum, squares, variance;
};

static void mean_add(struct mean *m, double value, double variance)
{
    m->sum += value;
    m->squares += value * value;
    m->variance += variance;
}

/* Unbiased: the mean of all seeds is no more than 4 of its standard errors off. */
static bool mean_is(const struct mean *m, double truth, const char *what)
{
    double mean = m->sum / SEEDS, variance = m->squares / SEEDS - mean * mean;
    bool good = fabs(mean - truth) <= 4 * sqrt(variance / SEEDS) + 1e-9 * truth + 0.05;

    if (!good)
        printf("    %s: mean %.1f, truth %.1f, standard error %.2f\n", what, mean, truth, sqrt(variance / SEEDS));
    return good;
}

/* The variance that is claimed is what it is, within what 400 seeds can tell. */
static bool variance_is(const struct mean *m, const char *what)
{
    double mean = m->sum / SEEDS, ratio = m->variance / SEEDS / (m->squares / SEEDS - mean * mean);

    if (!(ratio > 0.7 && ratio < 1.4))
        printf("    %s: claimed variance is %.2f of the real one\n", what, ratio);
    return ratio > 0.7 && ratio < 1.4;
}

static bool is_sampled(uint64_t size)
{
    return (double)(random_number() >> 11) / 0x1p53 < -expm1(-((double)size + 1) / SAMPLE);
}

static void begin_process(uint32_t pid, uint64_t sample_bytes)
{
    chunk_begin(pid, 0, 0, 100);
    at = encode_process_start(&encoder, at, 100, &(struct encode_process){
        .exe = { "/x", 2 }, .call_graph = { "auto", 4 }, .allocator = { "/libc", 5 }, .sample_bytes = sample_bytes });
}

/* One run of a program as the recorder would log it: what it allocates is the same
 * for all seeds, what is recorded is not. Of each four blocks the first leaks, the
 * second is freed, the third becomes one of twice the size, the fourth leaks. */
static void write_run(struct truth *ret_truth)
{
    struct truth t = { 0 };
    uint64_t ns = 1000, sequence = 0;

    log_bytes_begin(&bytes);
    begin_process(1, SAMPLE);
    for (uint64_t i = 0; i < BLOCKS; i++) {
        static const uint32_t id[] = { 1, 2, 3 };
        uint64_t which = i / 4 % SIZES, size = sizes[which], address = 0x10000 + i * 0x1000000;
        bool sampled = is_sampled(size);
        if (at > made.records + 20000) {
            chunk_end(&bytes);
            chunk_begin(1, 0, (uint32_t)++sequence, ns);
        }
        t.allocations++;
        t.bytes += (double)size;
        t.of_size[which]++;
        ns += 10;
        if (sampled)
            at = encode_alloc(&encoder, at, REC_ALLOC_MALLOC, address, size, ns, 0, 0, &(struct encode_stack){
                .pops = encoder.stacks > 0, .pushes = 1, .ids = &id[i % 3] });
        if (i % 4 == 1) {
            t.frees++;
            if (sampled)
                add_free(ns + 1, address);
        } else if (i % 4 == 2) {
            uint64_t larger = 2 * size;
            bool again = is_sampled(larger);
            t.allocations++;
            t.frees++;
            t.reallocs++;
            t.bytes += (double)larger;
            t.leaked_blocks++;
            t.leaked_bytes += (double)larger;
            for (size_t k = 0; k < SIZES; k++)
                t.of_size[k] += sizes[k] == larger;
            if (sampled)
                add_realloc_begin(ns + 1, address);
            if (sampled && again)
                add_realloc_end(ns + 2, address + 0x800000, larger);
            else if (sampled)
                at = encode_realloc_freed(&encoder, at, ns + 2);
            else if (again)
                at = encode_alloc(&encoder, at, REC_ALLOC_REALLOC, address, larger, ns + 2, 0, 0,
                                  &(struct encode_stack){ 0 });
        } else {
            t.leaked_blocks++;
            t.leaked_bytes += (double)size;
        }
    }
    chunk_end(&bytes);
    *ret_truth = t;
}

static struct log *open_written(void)
{
    struct failure failure;
    struct log *log = NULL;

    log_bytes_write(&bytes);
    if (!CHECK(log_open(log_path, &log, &failure) == 0))
        exit(check_summary());
    return log;
}

static uint64_t count_of(const struct size_table *t, uint64_t size)
{
    uint64_t up_to, below, of_bytes;

    size_table_below(t, size, &below, &of_bytes);
    size_table_below(t, size + 1, &up_to, &of_bytes);
    return up_to - below;
}

static void test_unbiased(void)
{
    struct mean allocations = { 0 }, allocated = { 0 }, frees = { 0 }, leaked = { 0 }, leaked_bytes = { 0 };
    struct mean of_size[SIZES] = { 0 }, of_sites = { 0 }, reallocs = { 0 };
    struct truth truth;
    bool same = true;

    for (int seed = 0; seed < SEEDS; seed++) {
        write_run(&truth);
        struct log *log = open_written();
        struct facts *f = facts_collect(log, NULL);
        struct sizes_counted counted;
        struct size_table table, ordered;
        struct sites sites;
        double in_sites = 0;
        count_sizes(log, NULL, NULL, &counted);
        sizes_table(&counted.sizes, &table);
        sizes_table(&f->sizes, &ordered);
        sites_collect(f, NULL, &sites);
        for (size_t i = 0; i < sites.count; i++)
            in_sites += (double)sites.sites[i].costs.bytes;
        mean_add(&of_sites, in_sites, 0);
        mean_add(&allocations, (double)f->allocations, f->variance.allocations);
        mean_add(&allocated, (double)f->allocated_bytes, f->variance.bytes);
        mean_add(&frees, (double)f->frees, 0);
        mean_add(&leaked, (double)f->leaked_blocks, f->variance.leaked_blocks);
        mean_add(&leaked_bytes, (double)f->leaked_bytes, f->variance.leaked_bytes);
        mean_add(&reallocs, (double)f->by_function[REC_FN_REALLOC], 0);
        for (size_t i = 0; i < SIZES; i++)
            mean_add(&of_size[i], (double)count_of(&table, sizes[i]), 0);
        same &= table.count == f->allocations && table.bytes == f->allocated_bytes && ordered.count == table.count &&
                f->processes[0].allocations == f->allocations && f->processes[0].leaked_bytes == f->leaked_bytes &&
                f->unmatched_frees == 0 && f->recorded == counted.recorded &&
                fabs(counted.variance_bytes - f->variance.bytes) <= 1e-9 * f->variance.bytes;
        sites_release(&sites);
        size_table_release(&table);
        size_table_release(&ordered);
        sizes_counted_release(&counted);
        facts_free(f);
        log_free(log);
    }
    CHECK(same);
    CHECK(mean_is(&allocations, truth.allocations, "allocations") && variance_is(&allocations, "allocations"));
    CHECK(mean_is(&allocated, truth.bytes, "bytes") && variance_is(&allocated, "bytes"));
    CHECK(mean_is(&frees, truth.frees, "frees"));
    CHECK(mean_is(&reallocs, truth.reallocs, "calls of realloc"));
    CHECK(mean_is(&leaked, truth.leaked_blocks, "leaked blocks") && variance_is(&leaked, "leaked blocks"));
    CHECK(mean_is(&leaked_bytes, truth.leaked_bytes, "leaked bytes") && variance_is(&leaked_bytes, "leaked bytes"));
    CHECK(mean_is(&of_sites, truth.bytes, "bytes of all sites"));
    for (size_t i = 0; i < SIZES; i++) {
        _cleanup_free_ char *what = format_text("allocations of %u bytes", (unsigned)sizes[i]);
        CHECK(mean_is(&of_size[i], truth.of_size[i], what));
    }
}

/* A process that is sampled and one that is not, in one session. */
static void test_mixed(void)
{
    double weight = -1 / expm1(-101.0 / SAMPLE);

    log_bytes_begin(&bytes);
    begin_process(1, SAMPLE);
    add_malloc(110, 0x1000, 100);
    add_malloc(120, 0x2000, 100);
    add_free(130, 0x2000);
    chunk_end(&bytes);
    begin_process(2, 0);
    add_malloc(115, 0x1000, 100);
    add_malloc(116, 0x2000, 7);
    add_free(117, 0x2000);
    chunk_end(&bytes);
    struct log *log = open_written();
    struct facts *f = facts_collect(log, NULL);
    CHECK(f->settings.sampling_differs && f->settings.sample_bytes == SAMPLE && f->recorded == 4);
    CHECK(f->processes[1].allocations == 2 && f->processes[1].allocated_bytes == 107 && f->processes[1].leaked_bytes == 100);
    CHECK(f->processes[0].allocations == (uint64_t)(2 * weight + 0.5) && f->processes[0].leaked_blocks == (uint64_t)(weight + 0.5));
    CHECK(f->allocations == (uint64_t)(2 * weight + 2.5) && f->frees == (uint64_t)(weight + 1.5));
    CHECK(f->peak_bytes == (uint64_t)(200 * weight + 0.5) && f->peak_blocks == (uint64_t)(2 * weight + 0.5));
    CHECK(fabs(f->variance.allocations - 2 * weight * (weight - 1)) < 1e-6);
    facts_free(f);

    log_select(log, (const uint32_t[]){ 2 }, 1);
    f = facts_collect(log, NULL);
    CHECK(f->settings.sample_bytes == 0 && f->settings.unit == 1 && f->allocations == 2 && f->allocated_bytes == 107 &&
          f->temporary == 1 && f->variance.allocations == 0 && f->by_start_count == 1);
    facts_free(f);
    log_free(log);
}

/* A realloc of a recorded block into one that is not, and the other way round: one
 * call, by the new block's weight. */
static void test_realloc(void)
{
    double weight = -1 / expm1(-101.0 / SAMPLE);

    log_bytes_begin(&bytes);
    begin_process(1, SAMPLE);
    add_malloc(110, 0x1000, 100);
    add_realloc_begin(120, 0x1000);
    at = encode_realloc_freed(&encoder, at, 121);
    at = encode_alloc(&encoder, at, REC_ALLOC_REALLOC, 0x2000, 100, 130, 0, 0, &(struct encode_stack){ 0 });
    chunk_end(&bytes);
    struct log *log = open_written();
    struct facts *f = facts_collect(log, NULL);
    CHECK(f->by_function[REC_FN_REALLOC] == (uint64_t)(weight + 0.5) && f->frees == (uint64_t)(weight + 0.5));
    CHECK(f->leaked_blocks == (uint64_t)(weight + 0.5) && f->allocations == (uint64_t)(2 * weight + 0.5));
    facts_free(f);
    log_free(log);
}

/* A free that another thread stamped before its allocation counts as the allocation. */
static void test_late(void)
{
    double weight = -1 / expm1(-101.0 / SAMPLE);

    log_bytes_begin(&bytes);
    begin_process(1, SAMPLE);
    add_malloc(210, 0x1000, 100);
    chunk_end(&bytes);
    chunk_begin(1, 1, 0, 200);
    add_free(200, 0x1000);
    chunk_end(&bytes);
    struct log *log = open_written();
    struct facts *f = facts_collect(log, NULL);
    CHECK(f->frees == (uint64_t)(weight + 0.5) && f->by_function[REC_FN_FREE] == f->frees && f->leaked_blocks == 0);
    facts_free(f);
    log_free(log);
}

/* Weights that no recorder gives. */
static void test_extremes(void)
{
    static const uint64_t rates[] = { 1, 100, 1ull << 40, UINT64_MAX };
    static const uint64_t of[] = { 0, 1, 1ull << 20, 1ull << 55, REC_SIZE_MAX };

    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        log_bytes_begin(&bytes);
        begin_process(1, rates[i]);
        for (size_t k = 0; k < sizeof of / sizeof *of; k++)
            add_malloc(110 + k, 0x1000 + 16 * k, of[k]);
        add_free(200, 0x1000);
        add_free(201, 0x9990);
        chunk_end(&bytes);
        struct log *log = open_written();
        struct facts *f = facts_collect(log, NULL);
        struct sizes_counted counted;
        struct size_table table;
        count_sizes(log, NULL, NULL, &counted);
        sizes_table(&counted.sizes, &table);
        uint64_t lost = f->told.lost_events; /* those that no sum could hold */
        CHECK(lost ? table.count > f->allocations : table.count == f->allocations);
        CHECK(f->allocations + lost >= 5 && f->leaked_blocks <= f->allocations && f->frees >= 2);
        CHECK(f->allocated_bytes <= INT64_MAX && f->peak_bytes <= f->allocated_bytes && table.bytes <= INT64_MAX);
        size_table_release(&table);
        sizes_counted_release(&counted);
        facts_free(f);
        log_free(log);
    }
}

int main(void)
{
    directory_make();
    test_mixed();
    test_realloc();
    test_late();
    test_extremes();
    test_unbiased();
    free(bytes.data);
    directory_remove();
    return check_summary();
}
