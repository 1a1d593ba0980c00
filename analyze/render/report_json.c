/* Facts -> JSON, schema malloscope-report/1 (docs/report.schema.json). Members
 * may be added; those that are there keep their name and meaning. */
#include "analyze/render/report.h"

#include "analyze/render/advice.h"
#include "analyze/render/breakdown.h"
#include "analyze/render/coverage.h"
#include "analyze/render/long_json.h"
#include "analyze/render/part.h"
#include "analyze/render/processes.h"
#include "analyze/render/text.h"
#include "analyze/render/top_sites.h"
#include "analyze/render/trust.h"

static json_t *integer(uint64_t value)
{
    return text_json_number(value);
}

static json_t *by_function(const struct facts *f)
{
    json_t *object = json_object();
    for (unsigned i = 0; i < REC_FN_COUNT; i++)
        if (f->by_function[i])
            json_object_set_new(object, rec_function_name(i), integer(f->by_function[i]));
    return object;
}

static json_t *marks(const struct log *log, const struct facts *f)
{
    json_t *list = json_array();

    for (size_t i = 0; i < f->told.notes.mark_count; i++) {
        const struct note_mark *mark = &f->told.notes.marks[i];
        json_array_append_new(list, json_pack("{s:o, s:f, s:I, s:I}", "name", text_json(mark->name), "seconds",
                                              (double)(mark->ns - log->first_ns) / 1e9, "pid",
                                              (json_int_t)f->processes[mark->process].told->pid, "live_bytes",
                                              (json_int_t)mark->live_bytes));
    }
    return list;
}

static json_t *standard_errors(const struct facts *f)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "allocations", integer(settings_error(f->variance.allocations)),
                     "allocated_bytes", integer(settings_error(f->variance.bytes)), "leaked_blocks",
                     integer(settings_error(f->variance.leaked_blocks)), "leaked_bytes",
                     integer(settings_error(f->variance.leaked_bytes)));
}

/* Not known where allocations were left out. */
static json_t *temporary(const struct facts *f, uint64_t count)
{
    return settings_all_recorded(&f->settings) ? integer(count) : json_null();
}

/* null: what is temporary by itself. */
static json_t *temporary_within(const struct facts_threshold *t)
{
    if (!facts_threshold_is_set(t))
        return json_null();
    return json_pack("{s:o, s:o}", "allocations", t->us ? json_null() : integer(t->allocations), "us",
                     t->us ? integer(t->us) : json_null());
}

static json_t *lifetimes(const struct facts *f)
{
    return json_pack("{s:o, s:o, s:o, s:o}",
                     "median_us", integer(lifetimes_quantile(f->lifetimes_us, 0.5)),
                     "median_allocations", integer(lifetimes_quantile(f->lifetimes_allocations, 0.5)),
                     "p90_us", integer(lifetimes_quantile(f->lifetimes_us, 0.9)),
                     "p90_allocations", integer(lifetimes_quantile(f->lifetimes_allocations, 0.9)));
}

static json_t *text_or_null(const char *text)
{
    return text ? text_json(text) : json_null();
}

/* null where all call sites are in the lists. */
static json_t *match(const struct facts *f, const struct sites *sites, const struct call_sites_filter *filter)
{
    const struct site_costs c = site_costs_rounded(&sites->sum, f->settings.unit);

    if (call_sites_is_all(filter))
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "filter", text_or_null(filter->text), "module",
                     text_or_null(filter->module), "sites", integer(sites->count), "stacks", integer(sites->stacks),
                     "allocations", integer(c.allocations), "bytes", integer(c.bytes), "temporary", temporary(f, c.temporary),
                     "peak_blocks", integer(c.peak_blocks), "peak_bytes", integer(c.peak_bytes), "leaked_blocks",
                     integer(c.leaked_blocks), "leaked_bytes", integer(c.leaked_bytes));
}

/* Of the whole session null: there all that is left has leaked. */
static json_t *left(const struct facts *f)
{
    return f->goes_on ? json_pack("{s:o, s:o}", "blocks", integer(f->left_blocks), "bytes", integer(f->left_bytes)) : json_null();
}

static json_t *carried(const struct facts *f)
{
    return f->carried ? json_pack("{s:o, s:o}", "allocations", integer(f->carried), "bytes", integer(f->carried_bytes)) : json_null();
}

void report_print_json(const struct log *log, struct facts *f, const struct sites *sites, const struct namer *namer,
                       const struct report_view *view)
{
    const struct coverage coverage = { &f->settings, f->recorded, f->told.was_paused };
    struct trust trust;
    struct size_table table;
    uint64_t small, small_bytes;

    sizes_table(&f->sizes, &table);
    size_table_below(&table, view->threshold, &small, &small_bytes);
    json_t *root = json_pack(
        "{s:s, s:{s:I, s:I, s:I, s:o, s:o}, s:{s:I, s:I, s:I}, s:{s:I, s:I}, s:{s:I, s:I, s:I, s:I}}",
        "schema", "malloscope-report/1",
        "counts", "allocations", (json_int_t)f->allocations, "frees", (json_int_t)f->frees, "failed",
        (json_int_t)f->failed, "temporary", temporary(f, f->temporary), "by_function", by_function(f),
        "bytes", "allocated", (json_int_t)f->allocated_bytes, "peak", (json_int_t)f->peak_bytes, "leaked",
        (json_int_t)f->leaked_bytes,
        "blocks", "peak", (json_int_t)f->peak_blocks, "leaked", (json_int_t)f->leaked_blocks,
        "sizes", "threshold", (json_int_t)view->threshold, "small_allocations", (json_int_t)small, "small_bytes",
        (json_int_t)small_bytes, "distinct", (json_int_t)table.row_count);
    size_table_release(&table);
    json_object_set_new(root, "left", left(f));
    json_object_set_new(root, "carried", carried(f));
    json_object_set_new(root, "seconds", json_pack("{s:f, s:f}", "duration", (double)f->duration_ns / 1e9, "peak",
                                                   (double)f->peak_ns / 1e9));
    json_object_set_new(root, "threads", integer(f->told.thread_count));
    json_object_set_new(root, "processes", processes_json(f));
    json_object_set_new(root, "temporary_within", temporary_within(&f->temporary_within));
    json_object_set_new(root, "lifetimes", lifetimes(f));
    json_object_set_new(root, "match", match(f, sites, &view->filter));
    json_object_set_new(root, "modules", modules_json(f, sites));
    json_object_set_new(root, "thread_list", view->has_threads ? threads_json(f, view->merges_threads) : json_null());
    json_object_set_new(root, "advice", view->no_advice ? json_null() : advice_json(f, sites, namer));
    json_object_set_new(root, "untraced_programs", untraced_json(f));
    json_object_set_new(root, "marks", marks(log, f));
    json_object_set_new(root, "part", part_json(f));
    coverage_json(root, &coverage, standard_errors(f));
    trust_of_facts(log, f, &trust);
    json_object_set_new(root, "trust", trust_json(&trust));
    long_json_begin(root);
    printf(",\n  \"top_sites\": {\n  ");
    top_sites_print_json(f, sites, namer, view);
    printf("\n  }\n}\n");
}
