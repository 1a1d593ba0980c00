#include "analyze/command.h"
#include "analyze/commands/reading.h"
#include "analyze/options.h"
#include "analyze/render/sites_table.h"

const char sites_help[] =
    "malloscope sites [options] LOG\n\n"
    "Every call site, or every stack, with all that is known of it, for other tools:\n"
    "as TSV with a header row, or as JSON.\n\n"
    "  --stacks             a row for each stack; else for each call site\n"
    "  --sort COST          those with the most allocations, allocated (bytes;\n"
    "                       default), peak, leaked or temporary first\n"
    "  --filter REGEX       stacks that have a frame whose function, source file or\n"
    "                       module matches (an extended regular expression)\n"
    "  --module NAME        call sites in this program or library (file name or path)\n"
    READING_HELP
    "  --tsv                as TSV, which is what it does anyway\n"
    "  --json               as JSON, schema malloscope-sites/1\n"
    "                       (docs/sites.schema.json)\n"
    "  -h, --help\n\n"
    "  allocations, bytes         all that were made here\n"
    "  temporary                  freed by their thread before it allocated again;\n"
    "                             empty: not known, because not every allocation was\n"
    "                             recorded\n"
    "  peak_blocks, peak_bytes    live when most bytes were live; their sum is the\n"
    "                             peak\n"
    "  leaked_blocks, ..._bytes   still allocated when their process ended;\n"
    "                             of a part, at its end in processes that live then\n"
    "  regrown                    made by realloc from a smaller block\n"
    "  rounding                   bytes that glibc's malloc added, by rounding to 16;\n"
    "                             not what whole pages and alignments cost\n"
    "  mean_lifetime_us, ..._allocations\n"
    "                             of the blocks that were freed: microseconds, and\n"
    "                             allocations of the session; empty: none was\n"
    "  smallest, largest          bytes of one allocation\n"
    "  stacks                     how many were added up (at other addresses, with\n"
    "                             --stacks)\n"
    "  module, offset, function, file, line\n"
    "                             of the call site (see report --help); with several\n"
    "                             stacks of the one with the most bytes; empty: not\n"
    "                             known\n"
    "  stack                      functions from the program's start to the call,\n"
    "                             the innermost last (in leaks --tsv it is first),\n"
    "                             parted by `;`; of a call site the stack with the\n"
    "                             most bytes. module+0xOFFSET where there is no name\n\n"
    "Exit codes: 0; 1 the log is damaged (what is whole is shown), something may be\n"
    "missing in it, or it is none; 2 usage, no process has the --pid, or the log\n"
    "does not tell what --sort or --temporary-within asks for.\n";

enum { JSON = 256, TSV, STACKS, SORT, FILTER, MODULE };

static int take_sort(const char *value, enum cost *ret_cost)
{
    if (!cost_parse(value, ret_cost))
        return usage_error("sites", "sites: --sort %s: want " COST_NAMES, value);
    return 0;
}

static int take_filter(struct call_sites_filter *filter, const char *text, struct filter *ret_stacks)
{
    struct failure failure;

    filter_release(ret_stacks);
    if (!filter_init(ret_stacks, text, &failure))
        return usage_error("sites", "sites: --filter %s: %s", text, failure.text);
    filter->stacks = ret_stacks;
    filter->text = text;
    return 0;
}

int cmd_sites(int argc, char **argv)
{
    static const struct option options[] = {
        { "stacks", no_argument, NULL, STACKS }, { "sort", required_argument, NULL, SORT },
        { "filter", required_argument, NULL, FILTER }, { "module", required_argument, NULL, MODULE },
        { "json", no_argument, NULL, JSON }, { "tsv", no_argument, NULL, TSV }, READING_OPTIONS, { "help", no_argument, NULL, 'h' }, { 0 },
    };
    _cleanup_reading_options_ struct reading_options wanted = { 0 };
    struct sites_view view = { .sort = COST_ALLOCATED };
    struct call_sites_filter filter = { 0 };
    _cleanup_filter_ struct filter stacks = { 0 };
    struct reading r;
    struct sites sites;
    bool json = false, tsv = false;

    for (int option; (option = next_option(argc, argv, ":h", options, sites_help)) != -1;) {
        json |= option == JSON;
        tsv |= option == TSV;
        view.stacks |= option == STACKS;
        filter.module = option == MODULE ? optarg : filter.module;
        if ((option == SORT && take_sort(optarg, &view.sort)) || (option == FILTER && take_filter(&filter, optarg, &stacks)) ||
            reading_option(&wanted, option, optarg, "sites"))
            return EXIT_USAGE;
    }
    if (json && tsv)
        return usage_error("sites", "sites: --json or --tsv, not both");
    if (view.sort == COST_TEMPORARY)
        wanted.temporary_option = "--sort temporary";
    const char *name = only_log(argc, argv, "sites");
    if (!name)
        return EXIT_USAGE;
    int refused = reading_open(&wanted, name, "sites", &r);
    if (refused)
        return refused;
    call_sites_collect(r.facts, &r.namer, &filter, &sites);
    if (json)
        sites_print_json(r.log, r.facts, &sites, &r.namer, &view);
    else
        sites_print_tsv(r.facts, &sites, &r.namer, &view);
    sites_release(&sites);
    return reading_close(&r);
}
