#include "analyze/command.h"
#include "analyze/commands/reading.h"
#include "analyze/options.h"
#include "analyze/render/report.h"

const char report_help[] =
    "malloscope report [options] LOG\n\n"
    "The tree of processes, totals, peak, what was still allocated at exit,\n"
    "lifetimes, the share of small allocations, the marks that the program set, the\n"
    "modules and the call sites that allocate most, and advice. The last lines say\n"
    "how far this can be trusted.\n\n"
    "  -n, --num-largest N  rows in each list (default 5, or 10 with --sort and\n"
    "                       --json)\n"
    "  --sort COST          one list of call sites, by allocations, allocated\n"
    "                       (bytes), peak, leaked or temporary. Else all; one that\n"
    "                       says nothing new is told in a line, and (3) is site 3,\n"
    "                       which has been shown. --json has all\n"
    "  --depth N            frames of each stack (default 4)\n"
    "  --filter REGEX       call sites of stacks that have a frame whose function,\n"
    "                       source file or module matches (an extended regular\n"
    "                       expression)\n"
    "  --module NAME        call sites in this program or library (file name or path)\n"
    "  --threads            a table of the threads\n"
    "  --merge-threads      the same, threads of the same name added up; numbers at\n"
    "                       its end do not count: worker-1 and worker-2 are worker-*\n"
    "  --no-advice          no advice\n"
    "  --threshold N        smaller than N bytes is small (default 100, or\n"
    "                       MALLOSCOPE_THRESHOLD; 1 or more; K, M, G)\n"
    READING_HELP
    "  --json               as JSON, schema malloscope-report/1\n"
    "                       (docs/report.schema.json)\n"
    "  -h, --help\n\n"
    "  allocation   a call that returned a block; a successful realloc is one free\n"
    "               and one allocation of the new size\n"
    "  temporary    a block freed by its thread before that thread allocated again,\n"
    "               but not what a realloc frees; not known where allocations were\n"
    "               sampled, or small ones left out\n"
    "  peak         the largest sum of live bytes at one time, over all processes\n"
    "  still allocated   not freed when its process ended; of a part (--to), at its\n"
    "                    end in processes that live then. What others had left is\n"
    "                    told apart\n"
    "  call site    the line that asked for memory: not in what only passes\n"
    "               allocations on (xmalloc, strdup, operator new, C++'s containers),\n"
    "               but in its caller. One line of one function is one site; without\n"
    "               a line, one return address. Where the line is not known it is\n"
    "               shown as module+offset. The stack is the site's with the most of\n"
    "               what the list is about\n\n"
    "Bytes are those asked for: the allocator's own overhead is not in them. A\n"
    "process is shown under the one that forked it, a program under the one that\n"
    "executed it; of more than 20 those with the most bytes, and sums for each\n"
    "program.\n\n"
    "Where allocations were sampled, every figure is an estimate: one that was\n"
    "recorded with the chance p counts as 1/p of its size. Sums are without bias;\n"
    "what follows a ± is their standard error. The peak is the largest estimate of\n"
    "one moment, and so a little high.\n\n"
    "Exit codes: 0; 1 the log is damaged (what is whole is shown), something may be\n"
    "missing in it, or it is none; 2 usage, no process has the --pid, or the log\n"
    "does not tell what --sort or --temporary-within asks for.\n";

enum { THRESHOLD = 256, JSON, SORT, DEPTH, FILTER, MODULE, THREADS, MERGE_THREADS, NO_ADVICE };

static int take_number(const char *name, const char *text, uint64_t least, size_t *ret_number)
{
    uint64_t number;

    if (!parse_number(text, least, &number) || number >= SIZE_MAX)
        return usage_error("report", "report: %s %s: want a number%s", name, text, least ? " from 1 up" : "");
    *ret_number = (size_t)number;
    return 0;
}

static int take_filter(struct call_sites_filter *filter, const char *text, struct filter *ret_stacks)
{
    struct failure failure;

    filter_release(ret_stacks);
    if (!filter_init(ret_stacks, text, &failure))
        return usage_error("report", "report: --filter %s: %s", text, failure.text);
    filter->stacks = ret_stacks;
    filter->text = text;
    return 0;
}

/* 0, or EXIT_USAGE after a message. */
static int take_option(struct report_view *view, struct filter *stacks, int option, const char *value)
{
    switch (option) {
    case 'n':
        return take_number("-n", value, 0, &view->top);
    case DEPTH:
        return take_number("--depth", value, 1, &view->depth);
    case THRESHOLD:
        if (!parse_number(value, 1, &view->threshold))
            return usage_error("report", "report: --threshold %s: want a number of bytes from 1 up", value);
        return 0;
    case SORT:
        view->has_sort = true;
        if (!cost_parse(value, &view->sort))
            return usage_error("report", "report: --sort %s: want " COST_NAMES, value);
        return 0;
    case FILTER:
        return take_filter(&view->filter, value, stacks);
    case MODULE:
        view->filter.module = value;
        return 0;
    case THREADS:
    case MERGE_THREADS:
        view->has_threads = true;
        view->merges_threads |= option == MERGE_THREADS;
        return 0;
    case NO_ADVICE:
        view->no_advice = true;
        return 0;
    default:
        return 0;
    }
}

static void show(const struct reading *r, const struct sites *sites, const struct report_view *view, bool json)
{
    if (json)
        report_print_json(r->log, r->facts, sites, &r->namer, view);
    else
        report_print(r->log, r->facts, sites, &r->namer, view);
}

int cmd_report(int argc, char **argv)
{
    static const struct option options[] = {
        { "num-largest", required_argument, NULL, 'n' }, { "threshold", required_argument, NULL, THRESHOLD },
        { "sort", required_argument, NULL, SORT }, { "depth", required_argument, NULL, DEPTH },
        { "filter", required_argument, NULL, FILTER }, { "module", required_argument, NULL, MODULE },
        { "threads", no_argument, NULL, THREADS }, { "merge-threads", no_argument, NULL, MERGE_THREADS },
        { "no-advice", no_argument, NULL, NO_ADVICE },
        { "json", no_argument, NULL, JSON }, READING_OPTIONS, { "help", no_argument, NULL, 'h' }, { 0 },
    };
    struct report_view view = { .threshold = default_threshold(), .top = REPORT_TOP_DEFAULT };
    _cleanup_reading_options_ struct reading_options wanted = { 0 };
    _cleanup_filter_ struct filter stacks = { 0 };
    struct reading r;
    struct sites sites;
    bool json = false;

    for (int option; (option = next_option(argc, argv, ":n:h", options, report_help)) != -1;) {
        json |= option == JSON;
        if (take_option(&view, &stacks, option, optarg) || reading_option(&wanted, option, optarg, "report"))
            return EXIT_USAGE;
    }
    if (json && view.has_sort)
        return usage_error("report", "report: --sort is for the text: --json has a list for each cost");
    if (view.has_sort && view.sort == COST_TEMPORARY)
        wanted.temporary_option = "--sort temporary";
    view.log_name = only_log(argc, argv, "report");
    if (!view.log_name)
        return EXIT_USAGE;
    int refused = reading_open(&wanted, view.log_name, "report", &r);
    if (refused)
        return refused;
    call_sites_collect(r.facts, &r.namer, &view.filter, &sites);
    show(&r, &sites, &view, json);
    sites_release(&sites);
    return reading_close(&r);
}
