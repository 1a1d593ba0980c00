#include "analyze/command.h"
#include "analyze/commands/reading.h"
#include "analyze/options.h"
#include "analyze/render/coverage.h"
#include "analyze/render/rows.h"
#include "analyze/render/text.h"

const char timeline_help[] =
    "malloscope timeline [options] LOG\n\n"
    "Live bytes and allocations over time, as charts of text as wide as the terminal,\n"
    "with the peak and the program's marks.\n\n"
    "  --tsv                rows of text, tab-separated, with a header line: seconds\n"
    "                       (since the session began, where the row begins),\n"
    "                       live_bytes and live_blocks (at its end), most_live\n"
    "                       (bytes, at one time in it), allocations, bytes, frees (in\n"
    "                       it)\n"
    "  --buckets N          at most N rows, 1 to 1024 (default: --tsv and --json all\n"
    "                       that there are, else what fits the terminal). All rows\n"
    "                       are of one width, which is a power of two of\n"
    "                       microseconds, or some of them\n"
    READING_HELP
    "  --json               as JSON, schema malloscope-timeline/1\n"
    "                       (docs/timeline.schema.json)\n"
    "  -h, --help\n\n"
    "Rows are exact: their sums are the report's totals, their largest most_live is\n"
    "its peak. With --from the first row begins there.\n\n"
    "Exit codes: 0; 1 the log is damaged (what is whole is shown), something may be\n"
    "missing in it, or it is none; 2 usage, or no process has the --pid.\n";

static void print_json(const struct reading *r, const struct timeline_rows *rows)
{
    json_t *root = timeline_json(r->log, r->facts, rows);

    json_dumpf(root, stdout, TEXT_JSON_INDENTED);
    putchar('\n');
    json_decref(root);
}

int cmd_timeline(int argc, char **argv)
{
    enum { TSV = 256, BUCKETS, JSON };
    static const struct option options[] = {
        { "tsv", no_argument, NULL, TSV }, { "buckets", required_argument, NULL, BUCKETS }, { "json", no_argument, NULL, JSON },
        READING_OPTIONS, { "help", no_argument, NULL, 'h' }, { 0 },
    };
    _cleanup_reading_options_ struct reading_options wanted = { 0 };
    bool tsv = false, json = false;
    uint64_t buckets = 0;
    struct reading r;

    for (int option; (option = next_option(argc, argv, ":h", options, timeline_help)) != -1;) {
        tsv |= option == TSV;
        json |= option == JSON;
        if (option == BUCKETS && (!parse_number(optarg, 1, &buckets) || buckets > TIMELINE_BUCKETS))
            return usage_error("timeline", "timeline: --buckets %s: want a number from 1 to %d", optarg, TIMELINE_BUCKETS);
        if (reading_option(&wanted, option, optarg, "timeline") != 0)
            return EXIT_USAGE;
    }
    if (tsv && json)
        return usage_error("timeline", "timeline: --json or --tsv, not both");
    const char *path = only_log(argc, argv, "timeline");
    if (!path)
        return EXIT_USAGE;
    int refused = reading_open(&wanted, path, "timeline", &r);
    if (refused)
        return refused;
    const struct coverage coverage = { &r.facts->settings, r.facts->recorded, r.facts->told.was_paused };
    struct timeline_rows rows;
    if (!buckets)
        buckets = tsv || json ? TIMELINE_BUCKETS : timeline_chart_rows(text_columns());
    timeline_rows_make(r.facts, buckets, &rows);
    if (json) {
        print_json(&r, &rows);
    } else if (tsv) {
        coverage_print(stderr, &coverage, "malloscope: ");
        timeline_print_tsv(&rows);
    } else {
        timeline_print(r.log, r.facts, &rows);
    }
    timeline_rows_release(&rows);
    return reading_close(&r);
}
