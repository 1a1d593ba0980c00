/* `malloscope check`: its arguments, and where its verdict goes. */
#include "analyze/check/outputs.h"
#include "analyze/check/table.h"
#include "analyze/command.h"
#include "analyze/commands/check_session.h"
#include "analyze/commands/naming.h"
#include "analyze/launch/target.h"
#include "analyze/options.h"
#include "analyze/render/text.h"
#include "analyze/symbols/spelling.h"

#include <string.h>

#define RUNS 3
#define RUNS_MOST 1000
#define SHORT_OPTIONS ":r:w:ih"

const char check_help[] =
    "malloscope check [options] -- PROGRAM [ARGS...]\n"
    "malloscope check [options] LOG...\n\n"
    "Does PROGRAM allocate more than it did, or than it may? Records it some times,\n"
    "compares what it allocates with a baseline or with limits, and names the call\n"
    "sites that account for the difference. For CI: counts do not depend on how fast\n"
    "or busy a machine is. LOGs are runs that were recorded before.\n\n"
    "What to compare with:\n"
    "  --baseline FILE      the figures of a good run, of this platform\n"
    "                       (docs/baseline.md); to be committed\n"
    "  --save-baseline      writes FILE, or adds this platform to it\n"
    "  --update             the same, and replaces this platform's part; no other\n"
    "                       byte changes, and what does is printed as a patch\n"
    "  --max METRIC=N       the most that it may be; N with K, M, G or KiB, MiB, GiB\n"
    "  --budget FILE        the same in JSON, for the whole, for functions (sites),\n"
    "                       modules and marks (docs/baseline.md)\n"
    "  --tolerance METRIC=P%+N\n"
    "                       how far it may be off its baseline: P per cent and N;\n"
    "                       also P% or N alone. METRIC: or all, sites, modules,\n"
    "                       marks. Default: nothing where all runs agree, else 1%\n"
    "  --metrics LIST       which are compared with the baseline, with commas\n"
    "                       between; also sites and modules: the allocations of each\n"
    "                       function, of each module (default: the seven below)\n"
    "  --fail-on-improvement\n"
    "                       fewer fails, too, with an exit code of its own\n"
    "  --allow-unstable     what differs between runs by more than its tolerance is\n"
    "                       compared all the same, by its least\n\n"
    "Metrics: allocations (calls), bytes (asked for), peak (most bytes at a time),\n"
    "leaked (bytes), leaked_blocks, temporary (calls whose block was freed before\n"
    "their thread's next one), reallocations (calls). With sites.FUNCTION.,\n"
    "modules.MODULE. or marks.MARK. in front: what a function asked for itself, what\n"
    "a module's functions did (libpng is libpng16.so.16, too, and (program) the\n"
    "program's own), what came from a mark on to the next one of another name.\n"
    "Where functions have no names (stripped), any of them may be FUNCTION, unless\n"
    "a stack or a symbol has its name: a limit that only those keep is not\n"
    "measurable. Nor is one that may be kept only because a compiler has made a jump\n"
    "of a call (-O2; -fno-optimize-sibling-calls), which counts for the callers.\n\n"
    "What is measured:\n"
    "  -r, --runs N         runs of PROGRAM (default 3). Compared is the least; as\n"
    "                       many more are made before anything fails\n"
    "  -w, --warmups N      runs before them that do not count (default 0)\n"
    "  --within FUNCTION    only what it, or what it calls, allocates\n"
    "  --mark NAME          only what comes from the program's first mark of this\n"
    "                       name (malloscope_mark) up to the next mark of another one\n"
    "  --exclude-module RE  not what modules asked for whose file names match this\n"
    "                       POSIX extended expression; (program) is the program's\n"
    "                       own; may be given more than once\n"
    "  --suppressions FILE  known leaks, which do not count as leaked: as of `leaks`;\n"
    "                       may be given more than once\n"
    "  --no-default-suppressions\n"
    "                       what the C library, the loader and the C++ library keep\n"
    "                       for themselves counts as leaked\n"
    "  --input FILE         PROGRAM's standard input (default: none)\n"
    "  --show-output        what PROGRAM prints is shown after each run, on standard\n"
    "                       error (default: what it says of errors, where it fails)\n"
    "  -i, --ignore-failure PROGRAM may end with an exit status other than 0\n"
    "  --allow-incomplete   programs that PROGRAM starts and that cannot be recorded\n"
    "                       (statically linked, set-user-ID, with a malloc of their\n"
    "                       own), and libraries loaded with RTLD_DEEPBIND, do not\n"
    "                       count; with --within nor do stacks that are not whole,\n"
    "                       nor, for limits of functions and modules, what has no\n"
    "                       name, no stack or no frame (default: exit code 3)\n"
    "  --compiler NAME      a part of the platform's name: linux/x86_64/glibc/NAME\n"
    "  --platform NAME      the platform's whole name, as in the baseline\n"
    NAMING_HELP
    "\nMALLOSCOPE_* in the environment, which `record` heeds, are not.\n"
    "\nWhat is written (docs/ci.md):\n"
    CHECK_OUTPUTS_HELP
    "  -h, --help\n\n"
    "Exit codes: 0 within all limits; 2 a regression; 4 an improvement, with\n"
    "--fail-on-improvement; 3 not measurable: not the same in each run, not recorded,\n"
    "no events, something missing, the program failed, no baseline of this platform;\n"
    "64 usage, and files\n"
    "that are no baseline, budget or log.\n";

static int take_metrics(struct check_options *o, const char *list)
{
    memset(o->kinds, 0, sizeof o->kinds);
    o->sites = o->modules = false;
    for (const char *at = list;; at++) {
        size_t bytes = strcspn(at, ",");
        enum verdict_kind kind;
        if (verdict_kind_parse(at, bytes, &kind))
            o->kinds[kind] = true;
        else if (bytes == 5 && memcmp(at, "sites", 5) == 0)
            o->sites = true;
        else if (bytes == 7 && memcmp(at, "modules", 7) == 0)
            o->modules = true;
        else
            return usage_error("check", "check: --metrics %s: want " CHECK_KIND_NAMES ", sites or modules, with commas between", list);
        at += bytes;
        if (!*at)
            return 0;
    }
}

static int take_number(const char *option, const char *value, uint64_t least, uint64_t *ret_number)
{
    if (parse_number(value, least, ret_number) && *ret_number <= RUNS_MOST)
        return 0;
    return usage_error("check", "check: %s %s: want a number from %d to %d", option, value, (int)least, RUNS_MOST);
}

static int exclude_module(struct check_options *o, const char *regex)
{
    struct failure failure;

    if (selection_exclude(&o->selection, regex, &failure) != 0)
        return usage_error("check", "check: %s", failure.text);
    char *all = format_text("%s%s%s", o->exclude_modules ? o->exclude_modules : "", o->exclude_modules ? "|" : "", regex);
    free(o->exclude_modules);
    o->exclude_modules = all;
    return 0;
}

static void add_input(struct check_options *o, const char *file)
{
    o->inputs = grow(o->inputs, &o->input_capacity, o->input_count + 1, sizeof *o->inputs);
    o->inputs[o->input_count++] = file;
}

static void take_budget(struct check_options *o, const char *file)
{
    char *all = format_text("%s%s%s", o->budget_files ? o->budget_files : "", o->budget_files ? ", " : "", file);

    free(o->budget_files);
    o->budget_files = all;
    add_input(o, file);
}

static void take_suppressions(struct check_options *o, const char *file)
{
    char *all = format_text("%s%s%s", o->suppression_files ? o->suppression_files : "", o->suppression_files ? ", " : "", text_base_name(file));

    free(o->suppression_files);
    o->suppression_files = all;
    add_input(o, file);
}

static int report_failure(int error, const struct failure *failure)
{
    return error ? usage_error("check", "check: %s", failure->text) : 0;
}

enum { BASELINE = 256, SAVE, UPDATE, MAX, BUDGET, TOLERANCE, METRICS, FAIL_ON_IMPROVEMENT, ALLOW_UNSTABLE, ALLOW_INCOMPLETE, WITHIN, MARK, EXCLUDE_MODULE,
       SUPPRESSIONS, NO_DEFAULT_SUPPRESSIONS, INPUT, SHOW_OUTPUT, COMPILER, PLATFORM };

static int take_option(struct check_options *o, int option, const char *value)
{
    struct failure failure;

    switch (option) {
    case 'r':
        o->of_programs = "--runs";
        return take_number("--runs", value, 1, &o->runs);
    case 'w':
        o->of_programs = "--warmups";
        return take_number("--warmups", value, 0, &o->warmups);
    case 'i':
        o->ignore_failure = true;
        return 0;
    case BASELINE:
        o->baseline_file = value;
        return 0;
    case SAVE:
    case UPDATE:
        o->save = option == UPDATE ? CHECK_UPDATES : CHECK_SAVES;
        return 0;
    case MAX:
        return report_failure(limits_add_max(&o->limits, value, &failure), &failure);
    case BUDGET:
        take_budget(o, value);
        return report_failure(limits_add_budget(&o->limits, value, &failure), &failure);
    case TOLERANCE:
        return report_failure(limits_add_tolerance(&o->limits, value, &failure), &failure);
    case METRICS:
        return take_metrics(o, value);
    case FAIL_ON_IMPROVEMENT:
        o->fail_on_improvement = true;
        return 0;
    case ALLOW_UNSTABLE:
        o->allow_unstable = true;
        return 0;
    case ALLOW_INCOMPLETE:
        o->allow_incomplete = true;
        return 0;
    case WITHIN:
        free(o->within);
        o->within = spelling_copy(value);
        return 0;
    case MARK:
        o->mark = value;
        return 0;
    case EXCLUDE_MODULE:
        return exclude_module(o, value);
    case SUPPRESSIONS:
        take_suppressions(o, value);
        return report_failure(suppressions_read(&o->suppressions, value, &failure), &failure);
    case NO_DEFAULT_SUPPRESSIONS:
        o->no_default_suppressions = true;
        return 0;
    case INPUT:
        o->input = value;
        o->of_programs = "--input";
        return 0;
    case SHOW_OUTPUT:
        o->shows_output = true;
        o->of_programs = "--show-output";
        return 0;
    case COMPILER:
        o->compiler = value;
        return 0;
    case PLATFORM:
        o->platform = value;
        return 0;
    default:
        naming_option(&o->symbols, option, value);
        return 0;
    }
}

/* What is left of the command line: a program behind --, or logs. */
static int take_words(struct check_options *o, int argc, char **argv, int behind_dashes)
{
    bool is_program = optind > 1 && strcmp(argv[optind - 1], "--") == 0;

    if (optind == argc)
        return usage_error("check", "check: which program, behind --, or which logs?");
    if (is_program && argc - optind > behind_dashes) /* getopt has put it there */
        return usage_error("check", "check: %s: a program behind --, or logs that were recorded already, not both", argv[optind]);
    if (!is_program && o->of_programs)
        return usage_error("check", "check: %s: says nothing of logs, which were recorded already (a program to run comes behind --)", o->of_programs);
    if (o->save && !o->baseline_file)
        return usage_error("check", "check: %s: into which file? Name it with --baseline", o->save == CHECK_UPDATES ? "--update" : "--save-baseline");
    if (!o->baseline_file && !o->limits.count)
        return usage_error("check", "check: compared with what? Want --baseline, --max or --budget");
    o->command = is_program ? argv + optind : NULL;
    o->logs = is_program ? NULL : argv + optind;
    o->log_count = is_program ? 0 : (size_t)(argc - optind);
    return 0;
}

/* All that it reads, and the program with what that may read; the last is NULL. To be freed. target: found in PATH, its path is among them. */
static const char **inputs_of(const struct check_options *o, struct target *target)
{
    struct failure failure;
    size_t words = 0, count = 0;

    while (o->command && o->command[words])
        words++;
    const char **all = alloc_zeroed(o->input_count + o->log_count + words + 4, sizeof *all);
    if (o->baseline_file)
        all[count++] = o->baseline_file;
    if (o->input)
        all[count++] = o->input;
    for (size_t i = 0; i < o->input_count; i++)
        all[count++] = o->inputs[i];
    for (size_t i = 0; i < o->log_count; i++)
        all[count++] = o->logs[i];
    for (size_t i = 0; i < words; i++)
        all[count++] = o->command[i];
    if (words && target_find(o->command[0], target, &failure) == 0)
        all[count++] = target->path;
    return all;
}

/* Before anything runs: what it writes can be written, and is nothing that it reads. */
static int ready(const struct check_outputs *outputs, const struct check_options *o)
{
    struct failure failure;
    _cleanup_target_ struct target target = { 0 };
    _cleanup_free_ const char **inputs = inputs_of(o, &target);

    return report_failure(check_outputs_ready(outputs, inputs, &failure), &failure);
}

/* Whatever is wrong with the command line, and wherever in it: no output of an earlier run stays. only_unknown: unless there is an option
 * that is none, which ends this program where it is met. */
static void empty_outputs(int argc, char **argv, const struct option *options, bool only_unknown)
{
    struct check_outputs outputs = { 0 };
    struct check_options o = { 0 };
    bool has_unknown = false;

    optind = 0; /* from the beginning */
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, SHORT_OPTIONS, options, NULL)) != -1 && option != 'h';) {
        has_unknown |= option == '?' || option == ':';
        if (option == BASELINE || option == BUDGET || option == SUPPRESSIONS || option == INPUT)
            add_input(&o, optarg);
        else
            check_outputs_option(&outputs, option, optarg);
    }
    o.command = argv + optind; /* or logs */
    _cleanup_target_ struct target target = { 0 };
    _cleanup_free_ const char **inputs = inputs_of(&o, &target);
    if (has_unknown || !only_unknown)
        check_outputs_empty(&outputs, inputs);
    free(o.inputs);
    optind = 0;
}

/* Before getopt has put the words in another order. */
static int words_behind_dashes(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--") == 0)
            return argc - i - 1;
    return argc;
}

static int show(const struct check_outputs *outputs, const struct verdict *v)
{
    struct failure failure;

    for (size_t i = 0; i < v->problem_count; i++)
        complain("check: %s", v->problems[i].text);
    if (!check_outputs_take_stdout(outputs))
        table_print(stdout, v);
    int failed = check_outputs_write(outputs, v, &failure);
    if (failed)
        complain("check: %s", failure.text);
    if (!output_failed() && !failed)
        return v->exit_code;
    return v->exit_code == VERDICT_EXIT_WITHIN ? VERDICT_EXIT_NOT_MEASURABLE : v->exit_code;
}

int cmd_check(int argc, char **argv)
{
    static const struct option options[] = {
        { "baseline", required_argument, NULL, BASELINE }, { "save-baseline", no_argument, NULL, SAVE }, { "update", no_argument, NULL, UPDATE },
        { "max", required_argument, NULL, MAX }, { "budget", required_argument, NULL, BUDGET },
        { "tolerance", required_argument, NULL, TOLERANCE }, { "metrics", required_argument, NULL, METRICS },
        { "fail-on-improvement", no_argument, NULL, FAIL_ON_IMPROVEMENT }, { "allow-unstable", no_argument, NULL, ALLOW_UNSTABLE },
        { "allow-incomplete", no_argument, NULL, ALLOW_INCOMPLETE },
        { "runs", required_argument, NULL, 'r' }, { "warmups", required_argument, NULL, 'w' }, { "within", required_argument, NULL, WITHIN },
        { "mark", required_argument, NULL, MARK }, { "exclude-module", required_argument, NULL, EXCLUDE_MODULE },
        { "suppressions", required_argument, NULL, SUPPRESSIONS },
        { "no-default-suppressions", no_argument, NULL, NO_DEFAULT_SUPPRESSIONS },
        { "input", required_argument, NULL, INPUT }, { "show-output", no_argument, NULL, SHOW_OUTPUT },
        { "ignore-failure", no_argument, NULL, 'i' }, { "compiler", required_argument, NULL, COMPILER },
        { "platform", required_argument, NULL, PLATFORM }, NAMING_OPTIONS, CHECK_OUTPUTS_OPTIONS, { "help", no_argument, NULL, 'h' }, { 0 },
    };
    struct check_options o = { .runs = RUNS };
    struct check_outputs outputs = { 0 };
    struct verdict v = { 0 };
    int refused = 0;
    const int behind_dashes = words_behind_dashes(argc, argv);

    usage_exits_with(VERDICT_EXIT_USAGE);
    for (enum verdict_kind kind = 0; kind < VERDICT_KINDS; kind++)
        o.kinds[kind] = true;
    empty_outputs(argc, argv, options, true);
    for (int option; !refused && (option = next_option(argc, argv, SHORT_OPTIONS, options, check_help)) != -1;)
        refused = check_outputs_option(&outputs, option, optarg) ? 0 : take_option(&o, option, optarg);
    if (!o.no_default_suppressions)
        suppressions_add_builtin(&o.suppressions);
    if (!refused)
        refused = take_words(&o, argc, argv, behind_dashes);
    o.is_read_by_github = outputs.github;
    if (!refused)
        refused = ready(&outputs, &o);
    if (!refused)
        refused = check_session(&o, check_outputs_take_stdout(&outputs) ? stderr : stdout, &v);
    if (refused)
        empty_outputs(argc, argv, options, false);
    int code = refused ? refused : show(&outputs, &v);
    verdict_release(&v);
    limits_release(&o.limits);
    selection_release(&o.selection);
    suppressions_release(&o.suppressions);
    free(o.within);
    free(o.exclude_modules);
    free(o.suppression_files);
    free(o.budget_files);
    free(o.inputs);
    return code;
}
