/* Sessions -> sums, and the peak of their sum. How it is shown is in merged_print.c. */
#include "analyze/render/merged.h"

#include "analyze/log/trimmed.h"
#include "analyze/model/session.h"
#include "analyze/render/coverage.h"
#include "analyze/render/part.h"
#include "analyze/render/text.h"
#include "analyze/render/trust.h"

#include <string.h>

void merged_init(struct merged *m, const struct by_name_options *options)
{
    *m = (struct merged){ 0 };
    by_name_init(&m->table, options);
}

void merged_release(struct merged *m)
{
    for (size_t i = 0; i < m->count; i++) {
        struct merged_log *l = &m->logs[i];
        free(l->name);
        free(l->host);
        free(l->command);
        free(l->buckets);
        free(l->trust);
        free(l->coverage);
        json_decref(l->trust_json);
        json_decref(l->part_json);
    }
    free(m->logs);
    by_name_release(&m->table);
}

static void take_timeline(struct merged_log *l, const struct facts *f)
{
    const struct timeline *t = &f->timeline;

    l->bucket_ns = t->bucket_ns;
    l->bucket_from_ns = t->from_ns;
    l->bucket_count = t->count;
    l->buckets = alloc_zeroed(t->count, sizeof *l->buckets);
    for (size_t i = 0; i < t->count; i++)
        l->buckets[i] = (struct merged_bucket){ settings_rounded(&f->settings, t->buckets[i].most_live),
                                                settings_rounded(&f->settings, t->buckets[i].least_live) };
}

static void take_trust(struct merged_log *l, const struct log *log, const struct facts *f)
{
    struct trust trust;
    size_t bytes;

    trust_of_facts(log, f, &trust);
    l->processes = trust.processes;
    l->trust_json = trust_json(&trust);
    FILE *to = open_memstream(&l->trust, &bytes);
    if (to) {
        trust_print_short(to, &trust);
        fclose(to);
    }
}

static void take_coverage(struct merged_log *l, const struct facts *f)
{
    const struct coverage coverage = { &f->settings, f->recorded, f->told.was_paused };
    _cleanup_free_ char *prefix = text_make_safe(format_text("%s: ", l->name));
    size_t bytes;
    FILE *to = open_memstream(&l->coverage, &bytes);

    if (to) {
        coverage_print(to, &coverage, prefix);
        fclose(to);
    }
}

void merged_add(struct merged *m, const struct log *log, const struct by_name_source *source)
{
    const struct facts *f = source->facts;
    struct session session;

    by_name_add(&m->table, source);
    m->logs = grow(m->logs, &m->capacity, m->count + 1, sizeof *m->logs);
    struct merged_log *l = &m->logs[m->count++];
    session_read(log, &session);
    *l = (struct merged_log){
        .name = copy_text(log->path, strlen(log->path)), .host = session.host, .command = session.command,
        .begin_ns = session.realtime_ns, .duration_ns = f->duration_ns, .peak_ns = f->peak_ns, .frees = f->frees,
        .carried = f->carried, .carried_bytes = f->carried_bytes,
        .totals = { [COST_ALLOCATIONS] = f->allocations, [COST_ALLOCATED] = f->allocated_bytes, [COST_PEAK] = f->peak_bytes,
                    [COST_LEAKED] = f->leaked_bytes, [COST_TEMPORARY] = f->temporary },
        .sample_bytes = f->settings.sample_bytes, .min_size = f->settings.min_size,
        .was_paused = f->told.was_paused, .temporary_known = settings_all_recorded(&f->settings),
        .is_part = f->part.from_ns || f->part.to_ns || f->part.thread_count,
        .interrupted = f->interrupted, .part_json = part_json(f),
    };
    const struct log_trimmed trimmed = log_trimmed(log);
    memcpy(l->origin, trimmed.origin, sizeof l->origin);
    l->is_trimmed = trimmed.is;
    take_timeline(l, f);
    take_trust(l, log, f);
    take_coverage(l, f);
}

/* --- the aligned peak ------------------------------------------------------------------ */

/* One log's bucket begins; after its last, it is over. */
struct border {
    uint64_t ns; /* CLOCK_REALTIME */
    uint32_t log, bucket;
};

static uint64_t border_ns(const struct merged_log *l, size_t bucket)
{
    uint64_t ns = l->bucket_from_ns + bucket * l->bucket_ns;
    return l->begin_ns + (bucket == l->bucket_count && l->duration_ns < ns && l->duration_ns > l->bucket_from_ns ? l->duration_ns : ns);
}

/* The log whose next bucket begins first: a heap of logs. */
static void sift_down(struct border *heap, size_t count, size_t at)
{
    for (;;) {
        size_t first = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++)
            if (heap[child].ns < heap[first].ns)
                first = child;
        if (first == at)
            return;
        struct border swapped = heap[at];
        heap[at] = heap[first];
        heap[first] = swapped;
        at = first;
    }
}

/* The sums between this border and the next one. */
struct sums {
    uint64_t most, least;
};

static void cross(const struct merged *m, const struct border *b, struct sums *sums)
{
    const struct merged_log *l = &m->logs[b->log];

    if (b->bucket) {
        sums->most -= l->buckets[b->bucket - 1].most;
        sums->least -= l->buckets[b->bucket - 1].least;
    }
    if (b->bucket < l->bucket_count) {
        sums->most += l->buckets[b->bucket].most;
        sums->least += l->buckets[b->bucket].least;
    }
}

/* Each log's own peak is known to the nanosecond; of the others, the least then. */
static void try_own_peak(const struct merged *m, const struct border *b, const struct sums *sums, uint64_t until_ns, uint64_t first_ns,
                         struct aligned_peak *peak)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct merged_log *l = &m->logs[i];
        uint64_t at_ns = l->begin_ns + l->peak_ns;
        if (!l->bucket_count || at_ns < b->ns || at_ns >= until_ns)
            continue;
        uint64_t bucket = l->peak_ns > l->bucket_from_ns ? (l->peak_ns - l->bucket_from_ns) / l->bucket_ns : 0;
        bucket = bucket < l->bucket_count ? bucket : l->bucket_count - 1; /* stamps of a damaged log may be anywhere */
        uint64_t sum = sums->least - l->buckets[bucket].least + l->totals[COST_PEAK];
        if (sum > peak->at_least) {
            peak->at_least = sum;
            peak->at_ns = at_ns - first_ns;
        }
    }
}

void merged_aligned_peak(const struct merged *m, struct aligned_peak *ret_peak)
{
    _cleanup_free_ struct border *heap = alloc_zeroed(m->count, sizeof *heap);
    uint64_t first_ns = UINT64_MAX;
    struct aligned_peak peak = { .known = true };
    struct sums sums = { 0 };
    size_t count = 0;

    for (uint32_t i = 0; i < m->count; i++) {
        const struct merged_log *l = &m->logs[i];
        peak.known &= l->begin_ns != 0;
        first_ns = l->begin_ns < first_ns ? l->begin_ns : first_ns;
        peak.bucket_ns = l->bucket_ns > peak.bucket_ns ? l->bucket_ns : peak.bucket_ns;
        if (l->bucket_count)
            heap[count++] = (struct border){ border_ns(l, 0), i, 0 };
    }
    for (size_t i = count; i-- > 0;)
        sift_down(heap, count, i);
    while (count) {
        const struct border b = heap[0];
        const struct merged_log *l = &m->logs[b.log];
        cross(m, &b, &sums);
        if (b.bucket < l->bucket_count)
            heap[0] = (struct border){ border_ns(l, b.bucket + 1), b.log, b.bucket + 1 };
        else
            heap[0] = heap[--count];
        sift_down(heap, count, 0);
        if (count && heap[0].ns == b.ns) /* another one begins at the same time */
            continue;
        if (sums.most > peak.at_most)
            peak.at_most = sums.most;
        if (sums.least > peak.at_least) {
            peak.at_least = sums.least;
            peak.at_ns = b.ns - first_ns;
        }
        try_own_peak(m, &b, &sums, count ? heap[0].ns : b.ns, first_ns, &peak);
    }
    *ret_peak = peak;
}
