/* Buckets -> rows -> TSV and JSON. The charts are in rows_chart.c. */
#include "analyze/render/rows.h"

#include "analyze/render/coverage.h"
#include "analyze/render/part.h"
#include "analyze/render/text.h"
#include "analyze/render/trust.h"

#include <inttypes.h>

/* What is added to a sum of units makes it larger by so much when it is shown: so rounding never adds up. */
static uint64_t rounded_step(const struct settings *s, uint64_t *sum, uint64_t more)
{
    uint64_t before = settings_rounded(s, *sum);

    *sum += more;
    return settings_rounded(s, *sum) - before;
}

void timeline_rows_make(const struct facts *f, size_t most_rows, struct timeline_rows *ret_rows)
{
    const struct timeline *t = &f->timeline;
    size_t joined = t->count ? (t->count + most_rows - 1) / most_rows : 1;
    struct timeline_rows rows = { .count = (t->count + joined - 1) / joined, .from_ns = t->from_ns,
                                  .row_ns = t->bucket_ns * joined };
    struct timeline_bucket sum = { 0 };

    rows.of = alloc_zeroed(rows.count, sizeof *rows.of);
    for (size_t i = 0; i < t->count; i++) {
        const struct timeline_bucket *b = &t->buckets[i];
        struct timeline_row *row = &rows.of[i / joined];
        uint64_t most_live = settings_rounded(&f->settings, b->most_live);
        row->allocations += rounded_step(&f->settings, &sum.allocations, b->allocations);
        row->bytes += rounded_step(&f->settings, &sum.bytes, b->bytes);
        row->frees += rounded_step(&f->settings, &sum.frees, b->frees);
        row->most_live = row->most_live > most_live ? row->most_live : most_live;
        row->live_bytes = settings_rounded(&f->settings, b->live_bytes);
        row->live_blocks = settings_rounded(&f->settings, b->live_blocks);
    }
    *ret_rows = rows;
}

void timeline_rows_release(struct timeline_rows *rows)
{
    free(rows->of);
}

void timeline_print_tsv(const struct timeline_rows *rows)
{
    printf("seconds\tlive_bytes\tlive_blocks\tmost_live\tallocations\tbytes\tfrees\n");
    for (size_t i = 0; i < rows->count; i++) {
        const struct timeline_row *r = &rows->of[i];
        printf("%.6f\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n",
               (double)(rows->from_ns + i * rows->row_ns) / 1e9, r->live_bytes, r->live_blocks, r->most_live, r->allocations,
               r->bytes, r->frees);
    }
}

static json_t *integer(uint64_t value)
{
    return text_json_number(value);
}

static json_t *row_list(const struct timeline_rows *rows)
{
    json_t *list = json_array();

    for (size_t i = 0; i < rows->count; i++) {
        const struct timeline_row *r = &rows->of[i];
        json_array_append_new(list, json_pack("{s:f, s:o, s:o, s:o, s:o, s:o, s:o}", "seconds",
                                              (double)(rows->from_ns + i * rows->row_ns) / 1e9, "live_bytes", integer(r->live_bytes),
                                              "live_blocks", integer(r->live_blocks), "most_live", integer(r->most_live),
                                              "allocations", integer(r->allocations), "bytes", integer(r->bytes), "frees",
                                              integer(r->frees)));
    }
    return list;
}

static json_t *mark_list(const struct log *log, const struct facts *f)
{
    json_t *list = json_array();

    for (size_t i = 0; i < f->told.notes.mark_count; i++) {
        const struct note_mark *mark = &f->told.notes.marks[i];
        json_array_append_new(list, json_pack("{s:o, s:f, s:I}", "name", text_json(mark->name), "seconds",
                                              (double)(mark->ns - log->first_ns) / 1e9, "pid",
                                              (json_int_t)f->processes[mark->process].told->pid));
    }
    return list;
}

json_t *timeline_json(const struct log *log, const struct facts *f, const struct timeline_rows *rows)
{
    const struct coverage coverage = { &f->settings, f->recorded, f->told.was_paused };
    struct trust trust;
    json_t *root = json_pack("{s:s, s:f, s:o, s:{s:o, s:o, s:f}, s:{s:o, s:o, s:o, s:f}, s:o, s:o}", "schema",
                             "malloscope-timeline/1", "row_seconds", (double)rows->row_ns / 1e9, "rows", row_list(rows), "peak",
                             "bytes", integer(f->peak_bytes), "blocks", integer(f->peak_blocks), "seconds", (double)f->peak_ns / 1e9,
                             "totals", "allocations", integer(f->allocations), "bytes", integer(f->allocated_bytes), "frees",
                             integer(f->frees), "seconds", (double)f->duration_ns / 1e9, "marks", mark_list(log, f), "part",
                             part_json(f));

    coverage_json(root, &coverage, json_object());
    trust_of_facts(log, f, &trust);
    json_object_set_new(root, "trust", trust_json(&trust));
    return root;
}
