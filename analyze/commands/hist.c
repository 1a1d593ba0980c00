#include "analyze/command.h"
#include "analyze/log/reader.h"
#include "analyze/model/count_sizes.h"
#include "analyze/options.h"
#include "analyze/render/sizes_report.h"
#include "analyze/render/text.h"

const char hist_help[] =
    "malloscope hist [options] LOG\n\n"
    "How big a program's allocations are: a histogram, the share of small ones, quantiles.\n\n"
    "  --linear N       rows of N bytes instead of powers of two; N=1: one row a byte\n"
    "                   below 100. All sizes beyond go into the last row.\n"
    "  --bytes          bars and shares weigh bytes instead of allocations\n"
    "  --threshold N    where small ends: smaller than N bytes is small\n"
    "                   (default 100, or MALLOSCOPE_THRESHOLD; 1 or more; K, M, G)\n"
    "  --json           everything as JSON (schema malloscope-hist/1)\n"
    "  --tsv            the histogram's rows, tab-separated: low high allocations bytes\n"
    "  -h, --help\n\n"
    "Counted are allocations that succeeded, with the size asked for, in bytes; a\n"
    "successful realloc counts as a free and an allocation of the new size. A quantile\n"
    "of x % is the smallest size such that x % of all allocations (of all bytes) are in\n"
    "blocks of that size or less.\n\n"
    "Exit codes: 0; 1 the log is damaged (what is whole is shown) or none; 2 usage.\n";

static void print_trust(const struct log *log, const struct sizes_counted *counted)
{
    struct reader_lost lost = reader_lost_events(log);

    printf("\nData: %zu process%s, %zu stream%s, %s events;\n      %s bytes damaged, %s chunks missing, %s events lost",
           log->recorded_count, log->recorded_count == 1 ? "" : "es", log->stream_count, log->stream_count == 1 ? "" : "s",
           text_count(counted->events), text_count(log->damaged_bytes), text_count(log->missing_chunks),
           text_count(lost.count));
    if (lost.reason)
        printf(" (%s)", text_stop_reason(lost.reason));
    if (log->recovered_bytes)
        printf("; %s bytes from buffers of processes", text_count(log->recovered_bytes));
    if (counted->own_mallocs)
        printf(";\n      not recorded: %s process%s with a malloc of %s own", text_count(counted->own_mallocs),
               counted->own_mallocs == 1 ? "" : "es", counted->own_mallocs == 1 ? "its" : "their");
    printf(".\nCounted: successful allocations, by the size asked for; a realloc is a free and an\nallocation.\n");
}

static int print_json(const struct log *log, const struct size_table *table, const struct sizes_view *view,
                      const struct sizes_counted *counted)
{
    json_t *root = sizes_json(table, view);
    struct reader_lost lost = reader_lost_events(log);

    json_object_set_new(root, "schema", json_string("malloscope-hist/1"));
    json_object_set_new(root, "trust",
                        json_pack("{s:b, s:I, s:I, s:s, s:I, s:I, s:I, s:I}", "injected", log->recorded_count > 0,
                                  "own_mallocs", (json_int_t)counted->own_mallocs, "lost_events", (json_int_t)lost.count,
                                  "lost_reason", text_stop_reason(lost.reason), "truncated_bytes",
                                  (json_int_t)log->damaged_bytes, "missing_chunks", (json_int_t)log->missing_chunks,
                                  "streams", (json_int_t)log->stream_count, "events", (json_int_t)counted->events));
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
    return 0;
}

int cmd_hist(int argc, char **argv)
{
    enum { LINEAR = 256, BYTES, THRESHOLD, JSON, TSV };
    static const struct option options[] = {
        { "linear", required_argument, NULL, LINEAR }, { "bytes", no_argument, NULL, BYTES },
        { "threshold", required_argument, NULL, THRESHOLD }, { "json", no_argument, NULL, JSON },
        { "tsv", no_argument, NULL, TSV }, { "help", no_argument, NULL, 'h' }, { 0 },
    };
    struct sizes_view view = { .threshold = default_threshold() };
    bool json = false, tsv = false;

    for (int option; (option = next_option(argc, argv, ":h", options, hist_help)) != -1;) {
        if (option == LINEAR && !parse_number(optarg, 1, &view.linear))
            return usage_error("hist", "hist: --linear %s: want a number of bytes from 1 up", optarg);
        if (option == THRESHOLD && !parse_number(optarg, 1, &view.threshold))
            return usage_error("hist", "hist: --threshold %s: want a number of bytes from 1 up", optarg);
        view.by_bytes |= option == BYTES;
        json |= option == JSON;
        tsv |= option == TSV;
    }
    if (json && tsv)
        return usage_error("hist", "hist: --json or --tsv, not both");
    const char *path = only_log(argc, argv, "hist");
    if (!path)
        return EXIT_USAGE;
    struct log *log = open_log(path);
    if (!log)
        return EXIT_DAMAGED;

    struct sizes_counted counted;
    struct size_table table;
    count_sizes(log, &counted);
    sizes_table(&counted.sizes, &table);
    if (json) {
        print_json(log, &table, &view, &counted);
    } else if (tsv) {
        sizes_print_tsv(&table, &view);
    } else {
        printf("%s: %s allocations, %s\n\n", text_base_name(path), text_count(table.count), text_bytes(table.bytes));
        if (table.count) {
            sizes_print_histogram(&table, &view);
            putchar('\n');
            sizes_print_split(&table, &view);
        }
        print_trust(log, &counted);
    }
    int code = log_verdict(log, counted.bad_chunks, counted.bad_offset);
    if (output_failed())
        code = EXIT_DAMAGED;
    size_table_release(&table);
    sizes_release(&counted.sizes);
    log_free(log);
    return code;
}
