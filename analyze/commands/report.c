#include "analyze/command.h"
#include "analyze/commands/reading.h"
#include "analyze/options.h"
#include "analyze/render/report.h"

const char report_help[] =
    "malloscope report [options] LOG\n\n"
    "The tree of processes, totals, peak, what was still allocated at exit, the share of\n"
    "small allocations, the marks that the program set, and the call sites that allocate\n"
    "most. The last lines say how far all this can be trusted.\n\n"
    "  -n, --num-largest N  call sites in each list (default 10; 0 or more)\n"
    "  --threshold N        smaller than N bytes is small (default 100, or\n"
    "                       MALLOSCOPE_THRESHOLD; 1 or more; K, M, G)\n"
    READING_HELP
    "  --json               as JSON, schema malloscope-report/1 (docs/report.schema.json)\n"
    "  -h, --help\n\n"
    "  allocation   a call that returned a block; a successful realloc is one free and one\n"
    "               allocation of the new size\n"
    "  temporary    a block freed by its thread before that thread allocated again; not\n"
    "               known where allocations were sampled, or small ones left out\n"
    "  peak         the largest sum of live bytes at one time, over all processes\n"
    "  still allocated   not freed when its process ended\n"
    "  call site    the frame that called the allocator; for C++'s operator new, its\n"
    "               caller. Shown as module+offset (in the module's file), with the\n"
    "               function's name where the file's symbols know it; the callers are\n"
    "               those of the site's stack with the most bytes\n\n"
    "Bytes are those asked for: the allocator's own overhead is not in them. A process is\n"
    "shown under the one that forked it, a program under the one that executed it; of more\n"
    "than 20 those with the most bytes, and sums for each program.\n\n"
    "Where allocations were sampled, every figure is an estimate: one that was recorded\n"
    "with the chance p counts as 1/p of its size. Sums are without bias; what follows a ±\n"
    "is their standard error. The peak is the largest estimate of one moment, and so a\n"
    "little high.\n\n"
    "Exit codes: 0; 1 the log is damaged (what is whole is shown), something may be missing\n"
    "in it, or it is none; 2 usage, or no process has the --pid.\n";

int cmd_report(int argc, char **argv)
{
    enum { THRESHOLD = 256, JSON };
    static const struct option options[] = {
        { "num-largest", required_argument, NULL, 'n' }, { "threshold", required_argument, NULL, THRESHOLD },
        { "json", no_argument, NULL, JSON }, READING_OPTIONS, { "help", no_argument, NULL, 'h' }, { 0 },
    };
    struct report_view view = { .threshold = default_threshold(), .top = 10 };
    _cleanup_reading_options_ struct reading_options wanted = { 0 };
    struct reading r;
    struct sites sites;
    bool json = false;

    for (int option; (option = next_option(argc, argv, ":n:h", options, report_help)) != -1;) {
        uint64_t number;
        if (option == 'n') {
            if (!parse_number(optarg, 0, &number))
                return usage_error("report", "report: -n %s: want a number of call sites", optarg);
            view.top = (size_t)number;
        }
        if (option == THRESHOLD && !parse_number(optarg, 1, &view.threshold))
            return usage_error("report", "report: --threshold %s: want a number of bytes from 1 up", optarg);
        json |= option == JSON;
        if (reading_option(&wanted, option, optarg, "report") != 0)
            return EXIT_USAGE;
    }
    view.log_name = only_log(argc, argv, "report");
    if (!view.log_name)
        return EXIT_USAGE;
    int refused = reading_open(&wanted, view.log_name, "report", &r);
    if (refused)
        return refused;
    sites_collect(r.facts, naming_is_wrapper, r.naming, &sites);
    if (json) {
        json_t *root = report_json(r.log, r.facts, &sites, &r.namer, &view);
        json_dumpf(root, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(root);
    } else {
        report_print(r.log, r.facts, &sites, &r.namer, &view);
    }
    sites_release(&sites);
    return reading_close(&r);
}
