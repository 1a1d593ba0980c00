/* `malloscope record`: its arguments, and what of them goes to the recorder by variables. */
#include "analyze/command.h"
#include "analyze/commands/record_run.h"
#include "analyze/options.h"
#include "format/output_name.h"
#include "format/signal_name.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

const char record_help[] =
    "malloscope record [options] [--] PROGRAM [ARGS...]\n"
    "malloscope [options] PROGRAM [ARGS...]\n\n"
    "Runs PROGRAM and logs every allocation and free of it, and of the processes that\n"
    "it starts, into one log. Then prints a summary on stderr.\n\n"
    "  -o, --output NAME    the log's name; %p pid, %e program, %h host, %n a number\n"
    "                       that makes the name new, %% a per cent sign (default\n"
    "                       %e.%p.mscope)                          MALLOSCOPE_OUTPUT\n"
    "  -f, --force          replace an existing file, and what a session that is over\n"
    "                       has left beside it, but for the log of one that still\n"
    "                       runs                              MALLOSCOPE_FORCE=1\n"
    "  -q, --quiet          no summary at the end             MALLOSCOPE_QUIET=1\n"
    "  --no-compress        write the log as the program's processes give it; else it\n"
    "                       is packed meanwhile, by this command\n"
    "                       MALLOSCOPE_COMPRESS=0\n"
    "  --max-log SIZE       log no more events when the log has that many bytes (K,\n"
    "                       M, G: 1024s, 64K or more, with --no-compress 128K or\n"
    "                       more); what comes then is counted. What says how much is\n"
    "                       missing, and which processes and threads were there, may\n"
    "                       take some KiB beyond\n"
    "                       MALLOSCOPE_MAX_LOG\n"
    "  --call-graph MODE    how to take stacks (default auto) MALLOSCOPE_CALL_GRAPH\n"
    "                         auto: every stack by the recorder's own unwinder\n"
    "                         (verified against the last one), libunwind where that\n"
    "                         can't\n"
    "                         libunwind\n"
    "                         fp: frame pointers, cheap, wrong where code lacks them\n"
    "                         none\n"
    "  --max-depth N        the most frames of a stack, 1 to 1024; of deeper ones the\n"
    "                       innermost are kept (default 1024) MALLOSCOPE_MAX_DEPTH\n"
    "  --follow WHAT        what of its children to record    MALLOSCOPE_FOLLOW\n"
    "                         exec: all that it starts (default)\n"
    "                         fork: its forked copies, but no new programs, be they\n"
    "                         in a child or in PROGRAM's own process (sh -c 'exec\n"
    "                         prog')\n"
    "                         none: PROGRAM alone\n"
    "                         all: as exec, and what its statically linked children\n"
    "                         start: those must start no programs of another C\n"
    "                         library, architecture, root directory, or with\n"
    "                         sanitizers\n"
    "  --sample [BYTES]     record a sample: of each thread's allocations one in so\n"
    "                       many bytes on average, at random (default 512K); every\n"
    "                       figure of a report is then an unbiased estimate\n"
    "                       MALLOSCOPE_SAMPLE\n"
    "  --min-size BYTES     record no allocation that is smaller MALLOSCOPE_MIN_SIZE\n"
    "  --start-paused       record nothing until the program calls malloscope_start()\n"
    "                       of malloscope.h, or the signal comes\n"
    "                       MALLOSCOPE_START_PAUSED=1\n"
    "  --toggle-signal SIG  a signal to the program that pauses recording and goes\n"
    "                       on: a name as USR2 or RTMIN+1, or a number. While paused,\n"
    "                       frees of recorded blocks are still there. Send it to one\n"
    "                       process that runs, not to a process group: it ends those\n"
    "                       that are just starting, as it does untraced\n"
    "                       MALLOSCOPE_TOGGLE_SIGNAL\n"
    "  --threshold N        where small ends in the summary, in bytes, 1 or more\n"
    "                       (default 100)                     MALLOSCOPE_THRESHOLD\n"
    "  --embed-symbols      when the program has ended, write the names of its\n"
    "                       functions into the log (as `malloscope symbolize` does);\n"
    "                       they come on top of --max-log\n"
    "  -h, --help\n\n"
    "The variables do the same as the options, also for a program that is run without\n"
    "this command: LD_PRELOAD=.../libmalloscope.so PROGRAM; such a log never replaces\n"
    "a file: where its name is taken, .PID is added.\n\n"
    "Signals that are sent to this command go to PROGRAM; where PROGRAM stops, it\n"
    "stops.\n\n"
    "Exit status: PROGRAM's own; 128+N when signal N ended it; 127 not found; 126 not\n"
    "executable; 125 it cannot be traced (statically linked, set-user-ID of another\n"
    "user, another architecture, ...) or the log cannot be made, said before PROGRAM\n"
    "runs; 2 usage.\n";

#define DEPTH_MOST 1024 /* frames: the recorder has room for no more */

#define LIMIT_LEAST (64 << 10) /* bytes of a log: enough to say who was there, and to have a packed chunk's events */
#define LIMIT_LEAST_RAW (128 << 10) /* a chunk that is not packed has nearly 64 KiB */

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value && strcmp(value, "0") != 0;
}

/* What the recorder reads from its environment. NULL: as it is by default. 0, or
 * the exit status after a message. */
static int set_stacks(const char *call_graph, const char *max_depth)
{
    static const char *const modes[] = { "auto", "libunwind", "fp", "none" };
    bool known = !call_graph;
    uint64_t depth = DEPTH_MOST;

    for (size_t i = 0; !known && i < sizeof modes / sizeof *modes; i++)
        known = strcmp(call_graph, modes[i]) == 0;
    if (!known)
        return usage_error("record", "record: --call-graph %s: want auto, libunwind, fp or none", call_graph);
    if (max_depth && (!parse_number(max_depth, 1, &depth) || depth > DEPTH_MOST))
        return usage_error("record", "record: --max-depth %s: want a number of frames from 1 to %d", max_depth, DEPTH_MOST);
    if (call_graph)
        setenv("MALLOSCOPE_CALL_GRAPH", call_graph, 1);
    if (max_depth) {
        char text[24];
        snprintf(text, sizeof text, "%" PRIu64, depth); /* without suffix */
        setenv("MALLOSCOPE_MAX_DEPTH", text, 1);
    }
    return 0;
}

/* The recorder keeps to the limit by itself where the log is not packed. */
static int set_limit(const char *max_log, struct record_options *options)
{
    char text[24];

    if (!max_log)
        return 0;
    int least = options->compress ? LIMIT_LEAST : LIMIT_LEAST_RAW;
    if (!parse_number(max_log, (uint64_t)least, &options->max_log))
        return usage_error("record", "record: --max-log %s: want a number of bytes from %dK up%s", max_log, least >> 10,
                           options->compress ? "" : " with --no-compress");
    snprintf(text, sizeof text, "%" PRIu64, options->max_log); /* without suffix */
    setenv("MALLOSCOPE_MAX_LOG", text, 1);
    return 0;
}

static int set_follow(const char *what)
{
    if (!what)
        return 0;
    if (strcmp(what, "none") != 0 && strcmp(what, "fork") != 0 && strcmp(what, "exec") != 0 && strcmp(what, "all") != 0)
        return usage_error("record", "record: --follow %s: want none, fork, exec or all", what);
    setenv("MALLOSCOPE_FOLLOW", what, 1);
    return 0;
}

/* Which allocations are recorded, as the options or else the variables have it. */
struct selection {
    const char *sample, *min_size, *toggle_signal;
    bool start_paused;
};

static bool set_bytes(const char *variable, const char *value, uint64_t least)
{
    uint64_t bytes;
    char text[24];

    if (!value || !*value)
        return true;
    if (!parse_number(value, least, &bytes) || bytes > 1ull << 40)
        return false;
    snprintf(text, sizeof text, "%" PRIu64, bytes); /* without suffix */
    setenv(variable, text, 1);
    return true;
}

static int set_selection(const struct selection *s)
{
    if (!set_bytes("MALLOSCOPE_SAMPLE", s->sample, 1))
        return usage_error("record", "record: --sample %s: want a number of bytes from 1 to 1024G", s->sample);
    if (!set_bytes("MALLOSCOPE_MIN_SIZE", s->min_size, 0))
        return usage_error("record", "record: --min-size %s: want a number of bytes up to 1024G", s->min_size);
    if (s->toggle_signal && *s->toggle_signal) {
        int number = signal_name_number(s->toggle_signal, SIGRTMIN, SIGRTMAX);
        char text[24];
        if (!number)
            return usage_error("record", "record: --toggle-signal %s: want a signal that can be handled, as USR2, RTMIN+1 "
                               "or its number", s->toggle_signal);
        snprintf(text, sizeof text, "%d", number);
        setenv("MALLOSCOPE_TOGGLE_SIGNAL", text, 1);
    }
    if (s->start_paused)
        setenv("MALLOSCOPE_START_PAUSED", "1", 1);
    return 0;
}

/* The value of --sample may be left out, and may follow as a word. */
static const char *sample_value(int argc, char **argv)
{
    uint64_t bytes;

    if (optarg)
        return optarg;
    return optind < argc && parse_number(argv[optind], 0, &bytes) ? argv[optind++] : "512K";
}

int cmd_record(int argc, char **argv)
{
    enum { CALL_GRAPH = 256, MAX_DEPTH, THRESHOLD, SAMPLE, MIN_SIZE, START_PAUSED, TOGGLE_SIGNAL, FOLLOW, NO_COMPRESS, MAX_LOG, EMBED_SYMBOLS };
    static const struct option long_options[] = {
        { "output", required_argument, NULL, 'o' }, { "force", no_argument, NULL, 'f' },
        { "quiet", no_argument, NULL, 'q' }, { "call-graph", required_argument, NULL, CALL_GRAPH },
        { "max-depth", required_argument, NULL, MAX_DEPTH }, { "threshold", required_argument, NULL, THRESHOLD },
        { "no-compress", no_argument, NULL, NO_COMPRESS }, { "max-log", required_argument, NULL, MAX_LOG },
        { "sample", optional_argument, NULL, SAMPLE }, { "min-size", required_argument, NULL, MIN_SIZE },
        { "start-paused", no_argument, NULL, START_PAUSED },
        { "toggle-signal", required_argument, NULL, TOGGLE_SIGNAL },
        { "follow", required_argument, NULL, FOLLOW }, { "embed-symbols", no_argument, NULL, EMBED_SYMBOLS }, { "help", no_argument, NULL, 'h' }, { 0 },
    };
    const char *output = getenv("MALLOSCOPE_OUTPUT"), *call_graph = getenv("MALLOSCOPE_CALL_GRAPH");
    const char *max_depth = getenv("MALLOSCOPE_MAX_DEPTH"), *max_log = getenv("MALLOSCOPE_MAX_LOG");
    const char *compress = getenv("MALLOSCOPE_COMPRESS");
    const char *follow = getenv("MALLOSCOPE_FOLLOW");
    struct selection selection = {
        .sample = getenv("MALLOSCOPE_SAMPLE"), .min_size = getenv("MALLOSCOPE_MIN_SIZE"),
        .toggle_signal = getenv("MALLOSCOPE_TOGGLE_SIGNAL"), .start_paused = is_set("MALLOSCOPE_START_PAUSED"),
    };
    struct record_options options = {
        .output = output && *output ? output : OUTPUT_NAME_DEFAULT,
        .force = is_set("MALLOSCOPE_FORCE"),
        .quiet = is_set("MALLOSCOPE_QUIET"),
        .compress = !compress || strcmp(compress, "0") != 0,
        .threshold = default_threshold(),
    };

    for (int option; (option = next_option(argc, argv, "+:o:fqh", long_options, record_help)) != -1;) {
        if (option == 'o')
            options.output = optarg;
        options.force |= option == 'f';
        options.quiet |= option == 'q';
        options.compress &= option != NO_COMPRESS;
        options.embed_symbols |= option == EMBED_SYMBOLS;
        if (option == MAX_LOG)
            max_log = optarg;
        if (option == CALL_GRAPH)
            call_graph = optarg;
        if (option == MAX_DEPTH)
            max_depth = optarg;
        if (option == FOLLOW)
            follow = optarg;
        if (option == SAMPLE)
            selection.sample = sample_value(argc, argv);
        if (option == MIN_SIZE)
            selection.min_size = optarg;
        if (option == TOGGLE_SIGNAL)
            selection.toggle_signal = optarg;
        selection.start_paused |= option == START_PAUSED;
        if (option == THRESHOLD && !parse_number(optarg, 1, &options.threshold))
            return usage_error("record", "record: --threshold %s: want a number of bytes from 1 up", optarg);
    }
    int bad = set_stacks(call_graph, max_depth);
    bad = bad ? bad : set_follow(follow);
    bad = bad ? bad : set_selection(&selection);
    bad = bad ? bad : set_limit(max_log, &options);
    if (bad)
        return bad;
    if (optind == argc)
        return usage_error("record", "record: which program?");
    return record_run(&options, argv + optind);
}
