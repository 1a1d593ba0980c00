#include "analyze/command.h"
#include "analyze/commands/reading.h"
#include "analyze/options.h"
#include "analyze/render/compare.h"
#include "analyze/render/filter.h"

#include <string.h>

const char diff_help[] =
    "malloscope diff [options] OLD NEW\n\n"
    "What one recording allocated more or less than another: totals, and the call sites that\n"
    "are only in one of them or have changed, the largest change first.\n\n"
    "A call site is the function that called the allocator, in its module's file name; for\n"
    "C++'s operator new, its caller. So neither addresses nor rebuilds nor moved lines are\n"
    "changes, and several calls in one function are one site.\n\n"
    "  --stacks             whole stacks instead of call sites\n"
    "  --by function|line   line: source lines count, too (default: function)\n"
    "  --cost COST          sort by: " COST_NAMES "\n"
    "                       (default: allocated)\n"
    "  -n, --num-largest N  rows shown (default 20; with --json all)\n"
    "  --filter REGEX       only stacks with a frame whose function, source file or module\n"
    "                       matches this POSIX extended expression; totals stay whole\n"
    READING_HELP
    "  --json               as JSON, schema malloscope-diff/1 (docs/diff.schema.json)\n"
    "  -h, --help\n\n"
    "Options that leave out parts of a log count for both. Changed is what made another\n"
    "number of allocations, or of bytes, or has another COST. allocations and temporary are\n"
    "calls, the other costs bytes.\n\n"
    "Exit codes: 0, whether they differ or not; 1 a log is damaged (what is whole is\n"
    "compared), something may be missing in it, or it is none; 2 usage.\n";

struct diff_options {
    struct reading_options reading;
    struct by_name_options by_name;
    struct compare_view view;
    const char *filter;
    bool json, has_top;
};

/* 0, or EXIT_USAGE after a message. */
static int take_option(struct diff_options *o, int option, const char *value)
{
    uint64_t number;

    switch (option) {
    case 'n':
        if (!parse_number(value, 0, &number))
            return usage_error("diff", "diff: -n %s: want a number of rows", value);
        o->view.top = (size_t)number;
        o->has_top = true;
        return 0;
    case 'b':
        o->by_name.lines = strcmp(value, "line") == 0;
        return o->by_name.lines || strcmp(value, "function") == 0 ? 0 : usage_error("diff", "diff: --by %s: want function or line", value);
    case 'c':
        return cost_parse(value, &o->view.cost) ? 0 : usage_error("diff", "diff: --cost %s: want " COST_NAMES, value);
    case 's':
        o->by_name.stacks = true;
        return 0;
    case 'f':
        o->filter = value;
        return 0;
    case 'j':
        o->json = true;
        return 0;
    default:
        return reading_option(&o->reading, option, value, "diff");
    }
}

/* 0, or the exit code with which there is nothing to compare. *code: of the log. */
static int add(const struct diff_options *o, const char *path, enum compare_side side, struct comparison *c, int *code)
{
    _cleanup_filter_ struct filter filter = { 0 }; /* it remembers what it knows of one log */
    struct failure failure;
    struct reading r;

    if (o->filter && !filter_init(&filter, o->filter, &failure))
        return usage_error("diff", "diff: --filter %s: %s", o->filter, failure.text);
    int refused = reading_open(&o->reading, path, "diff", &r);
    if (refused)
        return refused;
    filter_use(&filter, r.facts, &r.namer);
    compare_add(c, r.log, &(struct by_name_source){
        .side = side, .facts = r.facts, .namer = &r.namer, .is_wrapper = naming_is_wrapper, .wrapper_data = r.naming,
        .wanted = filter_wants, .wanted_data = &filter });
    int closed = reading_close(&r);
    *code = closed ? closed : *code;
    return 0;
}

static int show(const struct diff_options *o, struct comparison *c)
{
    compare_sort(c, o->view.cost);
    if (o->json) {
        json_t *root = compare_json(c, &o->view);
        json_dumpf(root, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(root);
    } else {
        compare_print(c, &o->view);
    }
    return output_failed() ? EXIT_DAMAGED : EXIT_GOOD;
}

static int compare(const struct diff_options *o, const char *old, const char *new)
{
    struct comparison c;
    int code = EXIT_GOOD;

    compare_init(&c, &o->by_name);
    int refused = add(o, old, COMPARE_BEFORE, &c, &code);
    if (!refused)
        refused = add(o, new, COMPARE_AFTER, &c, &code);
    if (!refused) {
        int shown = show(o, &c);
        code = shown ? shown : code;
    }
    compare_release(&c);
    return refused ? refused : code;
}

int cmd_diff(int argc, char **argv)
{
    static const struct option options[] = {
        { "num-largest", required_argument, NULL, 'n' }, { "stacks", no_argument, NULL, 's' }, { "by", required_argument, NULL, 'b' },
        { "cost", required_argument, NULL, 'c' }, { "filter", required_argument, NULL, 'f' }, { "json", no_argument, NULL, 'j' },
        READING_OPTIONS, { "help", no_argument, NULL, 'h' }, { 0 },
    };
    struct diff_options o = { .view = { .cost = COST_ALLOCATED, .top = 20 } };
    int code = 0;

    for (int option; !code && (option = next_option(argc, argv, ":n:h", options, diff_help)) != -1;)
        code = take_option(&o, option, optarg);
    if (!code && argc - optind != 2)
        code = usage_error("diff", argc - optind < 2 ? "diff: which two logs?" : "diff: two logs at a time, not also %s",
                           argc - optind < 2 ? "" : argv[optind + 2]);
    if (o.json && !o.has_top)
        o.view.top = SIZE_MAX;
    if (!code)
        code = compare(&o, argv[optind], argv[optind + 1]);
    reading_options_release(&o.reading);
    return code;
}
