#include "analyze/command.h"
#include "analyze/commands/by_names.h"
#include "analyze/options.h"
#include "analyze/render/compare.h"

const char diff_help[] =
    "malloscope diff [options] OLD NEW\n\n"
    "What one recording allocated more or less than another: totals, and the stacks\n"
    "that are only in one of them or have changed, the largest change first.\n\n"
    "A stack is the same one in both where all its functions and the file names of\n"
    "their modules are. So neither addresses nor rebuilds nor moved lines are\n"
    "changes, and several calls in one function are one. A function goes by its\n"
    "name and parameters; one without parameters in its name, as in C, also by its\n"
    "source file and the directory that this is in, where they are known.\n\n"
    "  --sites              call sites instead of whole stacks: the functions that\n"
    "                       asked for memory, whoever called them; wrappers of\n"
    "                       malloc, C++'s operator new and containers only pass it on\n"
    "  --stacks             whole stacks (as is the default)\n"
    "  --unchanged          also those that are as before, after the others; without,\n"
    "                       only how many they are is told\n"
    BY_NAMES_HELP
    READING_HELP
    "  --json               as JSON, schema malloscope-diff/1 (docs/diff.schema.json)\n"
    "  -h, --help\n\n"
    "Options that leave out parts of a log count for both. Changed is what differs in\n"
    "any of the costs, whichever it is sorted by. allocations and temporary are\n"
    "calls, the other costs bytes.\n\n"
    "Exit codes: 0, whether they differ or not; 1 a log is damaged (what is whole is\n"
    "compared), something may be missing in it, or it is none, or Ctrl-C came while\n"
    "names were looked up (nothing is compared); 2 usage, or a log does not tell the\n"
    "cost (temporary, where allocations were sampled or small ones left out).\n";

/* 0, or the exit code with which there is nothing to compare. *code: of the log. */
static int add(const struct by_names_options *o, const char *path, enum compare_side side, struct comparison *c, int *code)
{
    struct by_names_log log;
    int refused = by_names_open(o, path, "diff", side, &log);

    if (refused)
        return refused;
    compare_add(c, log.r.log, &log.source);
    if (naming_was_interrupted(log.r.naming)) { /* rows are the same in both by their names */
        by_names_release(&log);
        complain("%s: interrupted: names are missing, nothing can be compared", path);
        return EXIT_DAMAGED;
    }
    int closed = by_names_close(&log);
    *code = closed ? closed : *code;
    return 0;
}

static int show(const struct by_names_options *o, bool unchanged, struct comparison *c)
{
    const struct compare_view view = { o->cost, o->top, o->depth };

    compare_sort(c, o->cost, unchanged);
    if (o->json)
        compare_print_json(c, &view);
    else
        compare_print(c, &view);
    return output_failed() ? EXIT_DAMAGED : EXIT_GOOD;
}

static int compare(const struct by_names_options *o, bool unchanged, const char *old, const char *new)
{
    struct comparison c;
    int code = EXIT_GOOD;

    compare_init(&c, &o->by_name);
    int refused = add(o, old, COMPARE_BEFORE, &c, &code);
    if (!refused)
        refused = add(o, new, COMPARE_AFTER, &c, &code);
    if (!refused) {
        int shown = show(o, unchanged, &c);
        code = shown ? shown : code;
    }
    compare_release(&c);
    return refused ? refused : code;
}

int cmd_diff(int argc, char **argv)
{
    enum { UNCHANGED = 256 };
    static const struct option options[] = { BY_NAMES_OPTIONS, { "unchanged", no_argument, NULL, UNCHANGED },
                                             { "help", no_argument, NULL, 'h' }, { 0 } };
    struct by_names_options o = BY_NAMES_DEFAULTS;
    bool unchanged = false;
    int code = 0;

    o.by_name.stacks = true;
    for (int option; !code && (option = next_option(argc, argv, ":n:h", options, diff_help)) != -1;) {
        unchanged |= option == UNCHANGED;
        code = by_names_option(&o, option, optarg, "diff");
    }
    by_names_end(&o);
    if (!code && argc - optind < 2)
        code = usage_error("diff", "diff: which two logs?");
    if (!code && argc - optind > 2)
        code = usage_error("diff", "diff: two logs at a time, not also %s", argv[optind + 2]);
    if (!code)
        code = by_names_check_logs(2, argv + optind, "diff");
    if (!code)
        code = compare(&o, unchanged, argv[optind], argv[optind + 1]);
    reading_options_release(&o.reading);
    return code;
}
