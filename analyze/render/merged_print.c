/* Several sessions as one -> text and JSON. */
#include "analyze/render/merged.h"

#include "analyze/render/long_json.h"
#include "analyze/render/text.h"

#include <string.h>

struct sum {
    uint64_t totals[COST_COUNT], frees;
    size_t processes;
    bool is_sampled, temporary_known;
};

static struct sum sum_of(const struct merged *m)
{
    struct sum sum = { .temporary_known = true };

    for (size_t i = 0; i < m->count; i++) {
        const struct merged_log *l = &m->logs[i];
        for (enum cost cost = 0; cost < COST_COUNT; cost++)
            sum.totals[cost] += l->totals[cost];
        sum.frees += l->frees;
        sum.processes += l->processes;
        sum.is_sampled |= l->sample_bytes != 0;
        sum.temporary_known &= l->temporary_known;
    }
    return sum;
}

struct order {
    const struct by_name *table;
    enum cost cost;
};

static int by_cost(const void *left, const void *right, void *data)
{
    const struct order *order = data;
    const struct by_name_row *a = left, *b = right;
    const enum cost costs[] = { order->cost, COST_ALLOCATED, COST_ALLOCATIONS };

    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++)
        if (a->costs[0][costs[i]] != b->costs[0][costs[i]])
            return a->costs[0][costs[i]] > b->costs[0][costs[i]] ? -1 : 1;
    return by_name_order(order->table, a, b);
}

/* The rows' places in by_name's table of hashes are void afterwards: nothing is added any more. */
static void sort_rows(struct by_name *table, enum cost cost)
{
    struct order order = { table, cost };

    if (table->row_count)
        qsort_r(table->rows, table->row_count, sizeof *table->rows, by_cost, &order);
}

#define LOG_COLUMNS 59  /* the figures beside a log's name */
#define PEAK_COLUMNS 18 /* what stands before a peak */

/* --- text ---------------------------------------------------------------------------- */

static void print_figures(const uint64_t totals[COST_COUNT])
{
    printf("%13s %10s %10s %10s", text_count(totals[COST_ALLOCATIONS]), text_bytes(totals[COST_ALLOCATED]), text_bytes(totals[COST_PEAK]),
           text_bytes(totals[COST_LEAKED]));
}

static void print_logs(const struct merged *m, const struct sum *sum)
{
    printf("%10s %13s %10s %10s %10s  log\n", "seconds", "allocations", "allocated", "peak", "left");
    for (size_t i = 0; i < m->count; i++) {
        const struct merged_log *l = &m->logs[i];
        printf("%10.3f ", (double)l->duration_ns / 1e9);
        print_figures(l->totals);
        printf("  ");
        _cleanup_free_ char *name = text_make_safe(copy_text(l->name, strlen(l->name))), *host = text_make_safe(copy_text(l->host, strlen(l->host)));
        _cleanup_free_ char *text = *host ? format_text("%s (%s)\n", name, host) : format_text("%s\n", name);
        text_write_wrapped_from(stdout, LOG_COLUMNS, text, "                                                           ");
    }
    printf("%10s ", "sum");
    print_figures(sum->totals);
    printf("  %s, %s\n", text_counted(m->count, "log"), text_counted(sum->processes, "process"));
}

static void print_carried(const struct merged *m)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct merged_log *l = &m->logs[i];
        if (!l->carried)
            continue;
        _cleanup_free_ char *name = text_make_safe(copy_text(l->name, strlen(l->name)));
        text_print_wrapped("  ", "%s: %s of these, %s, %s of blocks from before this part of a log\n", name,
                           text_counted(l->carried, "allocation"), text_bytes(l->carried_bytes), l->carried == 1 ? "is" : "are");
    }
}

static void print_coverage(const struct merged *m)
{
    bool any = false;

    for (size_t i = 0; i < m->count; i++) {
        const char *coverage = m->logs[i].coverage;
        if (!coverage || !*coverage)
            continue;
        text_write_wrapped(stdout, coverage, "  ");
        any = true;
    }
    if (any)
        putchar('\n');
}

static void print_interrupted(const struct merged *m)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->logs[i].interrupted) {
            text_write_safe(stdout, m->logs[i].name);
            printf(": reading was interrupted: its first %.3f s only\n", (double)m->logs[i].duration_ns / 1e9);
        }
}

static void print_peaks(const struct merged *m, const struct sum *sum)
{
    struct aligned_peak peak;

    merged_aligned_peak(m, &peak);
    printf("\nSum of the peaks  %s\nPeak of the sum   ", text_bytes(sum->totals[COST_PEAK]));
    if (!peak.known) {
        printf("not known: not every log tells when it began\n");
        return;
    }
    _cleanup_free_ char *least = strcmp(text_bytes(peak.at_least), text_bytes(peak.at_most)) != 0
                                     ? format_text("between %s and ", text_bytes(peak.at_least)) : copy_text("", 0);
    _cleanup_free_ char *text = format_text("%s%s, at %.3f s since the first began\n", least, text_bytes(peak.at_most), (double)peak.at_ns / 1e9);
    text_write_wrapped_from(stdout, PEAK_COLUMNS, text, "                  ");
    printf("                  (aligned by the hosts' clocks, to %.*f ms)\n", peak.bucket_ns < 1000000 ? 3 : 0, (double)peak.bucket_ns / 1e6);
}

static void print_row(const struct merged *m, const struct by_name_row *row, size_t number, size_t depth, const struct sum *sum)
{
    const uint64_t *costs = row->costs[0];

    printf("%4zu  ", number);
    by_name_print_frames(&m->table, row, depth);
    text_print_wrapped("      ", "\n      %s (%s %%), %s (%s %%), %s at the peaks, %s still allocated; in %u of %s\n",
           text_counted(costs[COST_ALLOCATIONS], "allocation"),
           text_share(costs[COST_ALLOCATIONS], sum->totals[COST_ALLOCATIONS]), text_bytes(costs[COST_ALLOCATED]),
           text_share(costs[COST_ALLOCATED], sum->totals[COST_ALLOCATED]), text_bytes(costs[COST_PEAK]), text_bytes(costs[COST_LEAKED]),
           row->logs[0], text_counted(m->count, "log"));
}

void merged_print(struct merged *m, const struct merged_view *view)
{
    const struct sum sum = sum_of(m);
    size_t shown = m->table.row_count < view->top ? m->table.row_count : view->top;

    if (sum.is_sampled)
        printf("All figures are estimates, from samples\n\n");
    print_coverage(m);
    print_interrupted(m);
    print_logs(m, &sum);
    print_carried(m);
    print_peaks(m, &sum);
    sort_rows(&m->table, view->cost);
    if (shown)
        printf("\nTop %s by %s%s\n", text_counted(shown, m->table.options.stacks ? "stack" : "call site"), cost_name(view->cost),
               cost_is_bytes(view->cost) ? " bytes" : "");
    for (size_t i = 0; i < shown; i++)
        print_row(m, &m->table.rows[i], i + 1, view->depth, &sum);
    putchar('\n');
    for (size_t i = 0; i < m->count; i++) {
        char *text = NULL;
        size_t bytes;
        FILE *to = open_memstream(&text, &bytes);
        if (!to)
            continue;
        text_write_safe(to, m->logs[i].name);
        fprintf(to, ": %s", m->logs[i].trust);
        if (fclose(to) == 0)
            text_write_wrapped(stdout, text, "       ");
        free(text);
    }
}

/* --- JSON ---------------------------------------------------------------------------- */

static json_t *carried(const struct merged_log *l)
{
    return l->carried ? json_pack("{s:o, s:o}", "allocations", text_json_number(l->carried), "bytes", text_json_number(l->carried_bytes))
                      : json_null();
}

static json_t *log_list(const struct merged *m)
{
    json_t *list = json_array();

    for (size_t i = 0; i < m->count; i++) {
        const struct merged_log *l = &m->logs[i];
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o, s:f, s:I, s:I, s:o, s:o, s:o, s:o, s:b, s:O, s:O}", "log", text_json(l->name), "host",
                                              text_json(l->host), "command", text_json(l->command), "began",
                                              l->begin_ns ? json_real((double)l->begin_ns / 1e9) : json_null(), "seconds",
                                              (double)l->duration_ns / 1e9, "processes", (json_int_t)l->processes, "frees",
                                              (json_int_t)l->frees, "totals", by_name_costs_json(l->totals, l->temporary_known), "carried", carried(l), "sample_bytes",
                                              text_json_number(l->sample_bytes), "min_size", text_json_number(l->min_size), "was_paused", l->was_paused, "part",
                                              l->part_json, "trust", l->trust_json));
    }
    return list;
}

struct rows {
    const struct by_name *table;
    bool temporary_known;
};

static json_t *row_json(const void *data, size_t number)
{
    const struct rows *rows = data;
    const struct by_name_row *row = &rows->table->rows[number];

    return json_pack("{s:o, s:o, s:I}", "frames", by_name_frames_json(rows->table, row), "costs",
                     by_name_costs_json(row->costs[0], rows->temporary_known), "logs", (json_int_t)row->logs[0]);
}

void merged_print_json(struct merged *m, const struct merged_view *view)
{
    const struct sum sum = sum_of(m);
    const struct rows rows = { &m->table, sum.temporary_known };
    const struct long_list list = { "rows", m->table.row_count < view->top ? m->table.row_count : view->top, row_json, &rows };
    struct aligned_peak peak;

    merged_aligned_peak(m, &peak);
    sort_rows(&m->table, view->cost);
    json_t *aligned = !peak.known ? json_null()
                                  : json_pack("{s:I, s:I, s:f, s:f}", "at_least", (json_int_t)peak.at_least, "at_most",
                                              (json_int_t)peak.at_most, "seconds", (double)peak.at_ns / 1e9, "bucket_seconds",
                                              (double)peak.bucket_ns / 1e9);
    json_t *members = json_pack("{s:s, s:s, s:s, s:b, s:b, s:o, s:{s:I, s:I, s:o}, s:I, s:o}", "schema", "malloscope-merge/1", "by",
                                m->table.options.stacks ? "stack" : "site", "cost", cost_name(view->cost), "lines",
                                m->table.options.lines, "sampled", sum.is_sampled, "logs", log_list(m), "sum", "processes",
                                (json_int_t)sum.processes, "frees", (json_int_t)sum.frees, "totals",
                                by_name_costs_json(sum.totals, sum.temporary_known), "sum_of_peaks",
                                (json_int_t)sum.totals[COST_PEAK], "aligned_peak", aligned);
    long_json_print(members, &list);
}
