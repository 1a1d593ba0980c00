#include "analyze/command.h"
#include "analyze/commands/sizes_reading.h"
#include "analyze/options.h"
#include "analyze/render/part.h"
#include "analyze/render/sizes_report.h"
#include "analyze/render/text.h"

const char hist_help[] =
    "malloscope hist [options] LOG\n\n"
    "How big a program's allocations are: a histogram, the share of small ones,\n"
    "quantiles.\n\n"
    "  --linear N           rows of N bytes instead of powers of two; N=1: one row a\n"
    "                       byte below 100. All sizes beyond go into the last row.\n"
    "  --bytes              bars and shares weigh bytes instead of allocations\n"
    "  --threshold N        where small ends: smaller than N bytes is small (default\n"
    "                       100, or MALLOSCOPE_THRESHOLD; 1 or more; K, M, G)\n"
    READING_PART_HELP
    "  --json               everything as JSON (schema malloscope-hist/1)\n"
    "  --tsv                the histogram's rows, tab-separated: low high allocations\n"
    "                       bytes\n"
    "  -h, --help\n\n"
    "Counted are allocations that succeeded, with the size asked for, in bytes; a\n"
    "successful realloc counts as a free and an allocation of the new size. A\n"
    "quantile of x % is the smallest size such that x % of all allocations (of all\n"
    "bytes) are in blocks of that size or less.\n\n"
    "Where allocations were sampled, all figures are estimates: one that was recorded\n"
    "with the chance p counts as 1/p of its size.\n\n"
    "Exit codes: 0; 1 the log is damaged (what is whole is shown), something may be\n"
    "missing in it, or it is none; 2 usage, or no process has the --pid.\n";

static void print_head(const char *path, const struct sizes_reading *r)
{
    const struct sizes_counted *counted = &r->counted;
    const char *about = text_about(counted->settings.sample_bytes);

    text_write_safe(stdout, text_base_name(path));
    printf(": %s%s%s, %s%s%s\n", about, text_counted(r->table.count, "allocation"),
           text_error(settings_error(counted->variance_allocations), false), about, text_bytes(r->table.bytes),
           text_error(settings_error(counted->variance_bytes), true));
    coverage_print(stdout, &r->coverage, "");
    if (r->part.facts)
        part_print(stdout, r->part.facts);
    else if (counted->interrupted)
        printf("Reading was interrupted: not all of the log was counted\n");
    putchar('\n');
}

static void print_text(const char *path, const struct sizes_reading *r, const struct sizes_view *view)
{
    print_head(path, r);
    if (r->table.count) {
        sizes_print_histogram(&r->table, view);
        putchar('\n');
        sizes_print_split(&r->table, view);
    }
    printf("\nCounted: successful allocations, by the size asked for; a realloc is a free\nand an allocation.\n");
    trust_print(stdout, &r->trust);
}

static void print_json(const struct sizes_reading *r, const struct sizes_view *view)
{
    const struct sizes_counted *counted = &r->counted;
    json_t *root = sizes_json(&r->table, view);

    json_object_set_new(root, "schema", json_string("malloscope-hist/1"));
    coverage_json(root, &r->coverage,
                  json_pack("{s:I, s:I}", "allocations", (json_int_t)settings_error(counted->variance_allocations),
                            "allocated_bytes", (json_int_t)settings_error(counted->variance_bytes)));
    json_object_set_new(root, "part", r->part.facts ? part_json(r->part.facts) : json_null());
    json_object_set_new(root, "interrupted", json_boolean(counted->interrupted));
    json_object_set_new(root, "trust", trust_json(&r->trust));
    json_dumpf(root, stdout, TEXT_JSON_INDENTED);
    putchar('\n');
    json_decref(root);
}

int cmd_hist(int argc, char **argv)
{
    enum { LINEAR = 256, BYTES, THRESHOLD, JSON, TSV };
    static const struct option options[] = {
        { "linear", required_argument, NULL, LINEAR }, { "bytes", no_argument, NULL, BYTES },
        { "threshold", required_argument, NULL, THRESHOLD }, { "json", no_argument, NULL, JSON },
        { "tsv", no_argument, NULL, TSV }, READING_PART_OPTIONS, { "help", no_argument, NULL, 'h' }, { 0 },
    };
    struct sizes_view view = { .threshold = default_threshold() };
    _cleanup_reading_options_ struct reading_options wanted = { 0 };
    struct sizes_reading r;
    bool json = false, tsv = false;

    for (int option; (option = next_option(argc, argv, ":h", options, hist_help)) != -1;) {
        if (option == LINEAR && !parse_number(optarg, 1, &view.linear))
            return usage_error("hist", "hist: --linear %s: want a number of bytes from 1 up", optarg);
        if (option == THRESHOLD && !parse_number(optarg, 1, &view.threshold))
            return usage_error("hist", "hist: --threshold %s: want a number of bytes from 1 up", optarg);
        if (reading_option(&wanted, option, optarg, "hist"))
            return EXIT_USAGE;
        view.by_bytes |= option == BYTES;
        json |= option == JSON;
        tsv |= option == TSV;
    }
    if (json && tsv)
        return usage_error("hist", "hist: --json or --tsv, not both");
    const char *path = only_log(argc, argv, "hist");
    if (!path)
        return EXIT_USAGE;
    int refused = sizes_reading_open(&wanted, path, "hist", &r);
    if (refused)
        return refused;
    view.is_estimate = r.counted.settings.sample_bytes;
    if (json) {
        print_json(&r, &view);
    } else if (tsv) {
        coverage_print(stderr, &r.coverage, "malloscope: ");
        sizes_print_tsv(&r.table, &view);
    } else {
        print_text(path, &r, &view);
    }
    return sizes_reading_close(&r);
}
