#include "analyze/command.h"
#include "analyze/commands/reading.h"
#include "analyze/options.h"
#include "analyze/render/leaks.h"
#include "analyze/render/text.h"

const char leaks_help[] =
    "malloscope leaks [options] LOG\n\n"
    "Blocks that were never freed, by the stack that allocated them: bytes, blocks,\n"
    "when the first of them was allocated, and how long it has lived. It is said of\n"
    "each process how it ended: what it had when it was killed, executed another\n"
    "program, left by _exit or quick_exit, which tidy nothing up, or still ran is\n"
    "shown, but is no leak; LeakSanitizer sees none there either, but valgrind counts\n"
    "what these leave. With --to, or of a part: what was alive at that moment in\n"
    "processes that lived then, and apart from it what others had leaked by then.\n"
    "What is freed later, a part does not tell.\n\n"
    "  -n, --num-largest N  places shown (default 10; with --json and --tsv all)\n"
    "  --depth N            frames shown of each stack (default 20; 1 or more)\n"
    "  --filter REGEX       only stacks with a frame whose function, source file or\n"
    "                       module matches (POSIX extended)\n"
    "  --suppressions FILE  leave out known leaks, as LeakSanitizer does: lines\n"
    "                       leak:PATTERN, which is looked for in the module, the\n"
    "                       function (of C++ with its parameters) and the source file\n"
    "                       of every frame; * is any text, ^ and $ are its ends; #\n"
    "                       begins a comment. May be given more than once\n"
    "  --no-default-suppressions\n"
    "                       show also what the C library, the loader and the C++\n"
    "                       library keep for themselves (buffers of streams, time\n"
    "                       zones, libraries that were loaded, memory for exceptions)\n"
    "  --fail               exit code 1 where something leaked that is not suppressed\n"
    READING_HELP
    "  --json               as JSON, schema malloscope-leaks/1\n"
    "  --tsv                a header row, and a row for each place: file, line,\n"
    "                       module and function are of the call site, as in sites;\n"
    "                       stack has functions, the innermost first (in sites it is\n"
    "                       the last), parted by `;`\n"
    "  -h, --help\n\n"
    "A place is a stack: the same functions called from elsewhere are another one.\n"
    "Where allocations were sampled, all figures are estimates.\n\n"
    "Exit codes: 0; 1 with --fail something leaked, or the log is damaged (what is\n"
    "whole is shown), something may be missing in it, events that --max-log left\n"
    "out among that, or it is none (stderr says which of them); 2 usage, or no\n"
    "process has the --pid.\n";

struct wanted {
    struct reading_options reading;
    struct leaks_view view;
    struct suppressions rules;
    struct filter filter;
    bool json, tsv, fail;
};

static void release(struct wanted *w)
{
    reading_options_release(&w->reading);
    suppressions_release(&w->rules);
    filter_release(&w->filter);
}

/* 0, or the exit code after a message. */
static int parse(int argc, char **argv, struct wanted *w)
{
    enum { DEPTH = 256, FILTER, SUPPRESSIONS, NO_DEFAULT, FAIL, JSON, TSV };
    static const struct option options[] = {
        { "num-largest", required_argument, NULL, 'n' }, { "depth", required_argument, NULL, DEPTH },
        { "filter", required_argument, NULL, FILTER }, { "suppressions", required_argument, NULL, SUPPRESSIONS },
        { "no-default-suppressions", no_argument, NULL, NO_DEFAULT }, { "fail", no_argument, NULL, FAIL },
        { "json", no_argument, NULL, JSON }, { "tsv", no_argument, NULL, TSV }, READING_OPTIONS,
        { "help", no_argument, NULL, 'h' }, { 0 },
    };
    bool defaults = true, has_top = false;
    const char *regex = NULL;
    struct failure failure;

    for (int option; (option = next_option(argc, argv, ":n:h", options, leaks_help)) != -1;) {
        uint64_t number = 0;
        if (option == 'n' && !parse_number(optarg, 0, &number))
            return usage_error("leaks", "leaks: -n %s: want a number of places", optarg);
        if (option == DEPTH && !parse_number(optarg, 1, &number))
            return usage_error("leaks", "leaks: --depth %s: want a number of frames from 1 up", optarg);
        if (option == SUPPRESSIONS && suppressions_read(&w->rules, optarg, &failure) != 0)
            return usage_error("leaks", "leaks: --suppressions: %s", failure.text);
        if (option == 'n')
            w->view.top = (size_t)number;
        if (option == DEPTH)
            w->view.depth = (size_t)number;
        if (option == FILTER)
            regex = optarg;
        has_top |= option == 'n';
        defaults &= option != NO_DEFAULT;
        w->fail |= option == FAIL;
        w->json |= option == JSON;
        w->tsv |= option == TSV;
        if (reading_option(&w->reading, option, optarg, "leaks") != 0)
            return EXIT_USAGE;
    }
    if (w->json && w->tsv)
        return usage_error("leaks", "leaks: --json or --tsv, not both");
    if (!has_top && (w->json || w->tsv))
        w->view.top = SIZE_MAX;
    if (regex && !filter_init(&w->filter, regex, &failure))
        return usage_error("leaks", "leaks: --filter %s: %s", regex, failure.text);
    if (defaults)
        suppressions_add_builtin(&w->rules);
    w->view.is_filtered = regex != NULL;
    w->view.log_name = only_log(argc, argv, "leaks");
    return w->view.log_name ? 0 : EXIT_USAGE;
}

static void print(const struct leaks *leaks, const struct wanted *w, const struct reading *r)
{
    if (w->json)
        leaks_print_json(leaks, &w->rules, r->log, r->facts, &w->view);
    else if (w->tsv)
        leaks_print_tsv(leaks, &w->view);
    else
        leaks_print(leaks, &w->rules, r->log, r->facts, &w->view);
}

int cmd_leaks(int argc, char **argv)
{
    __attribute__((cleanup(release))) struct wanted w = { .view = { .top = 10, .depth = 20 } };
    struct leaks leaks;
    struct reading r;
    int refused = parse(argc, argv, &w);

    if (!refused)
        refused = reading_open(&w.reading, w.view.log_name, "leaks", &r);
    if (refused)
        return refused;
    _cleanup_free_ uint32_t *locations = NULL;
    size_t count = leaks_locations(r.facts, &locations);
    naming_resolve(r.naming, locations, count);
    leaks_collect(r.facts, &r.namer, &w.filter, &w.rules, &leaks);
    print(&leaks, &w, &r);
    const struct leak_sum leaked = leaks.at_end;
    leaks_release(&leaks);
    const bool has_lost = reader_lost_events(r.log).count > 0; /* also beyond a limit that the user has set */
    int code = reading_close(&r);
    if (has_lost && !code)
        code = EXIT_DAMAGED;
    if (!w.fail || !leaked.blocks)
        return code;
    complain("%s: --fail: %s in %s leaked and %s not suppressed", w.view.log_name, text_counted(leaked.bytes, "byte"),
             text_counted(leaked.blocks, "block"), leaked.blocks == 1 ? "is" : "are");
    return EXIT_DAMAGED;
}
