#include "analyze/command.h"
#include "analyze/launch/compressor.h"
#include "analyze/launch/log_file.h"
#include "analyze/launch/not_loaded.h"
#include "analyze/launch/run.h"
#include "analyze/launch/shim.h"
#include "analyze/launch/target.h"
#include "analyze/log/append.h"
#include "analyze/log/hold.h"
#include "analyze/log/live.h"
#include "analyze/log/reader.h"
#include "analyze/log/spool.h"
#include "analyze/options.h"
#include "analyze/render/report.h"
#include "analyze/render/text.h"
#include "format/output_name.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const char record_help[] =
    "malloscope record [options] [--] PROGRAM [ARGS...]\n"
    "malloscope [options] PROGRAM [ARGS...]\n\n"
    "Runs PROGRAM and logs every allocation and free of it, and of the processes that it\n"
    "starts, into one log. Then prints a summary on stderr.\n\n"
    "  -o, --output NAME    the log's name; %p pid, %e program, %h host, %n a number that\n"
    "                       makes the name new, %% a per cent sign\n"
    "                       (default %e.%p.mscope)           MALLOSCOPE_OUTPUT\n"
    "  -f, --force          replace an existing file          MALLOSCOPE_FORCE=1\n"
    "  -q, --quiet          no summary at the end             MALLOSCOPE_QUIET=1\n"
    "  --no-compress        write the log as the program's processes give it; else it is\n"
    "                       packed meanwhile, by this command MALLOSCOPE_COMPRESS=0\n"
    "  --max-log SIZE       log no more when the log has that many bytes (K, M, G: 1024s);\n"
    "                       what comes then is counted        MALLOSCOPE_MAX_LOG\n"
    "  --call-graph MODE    how to take stacks (default auto) MALLOSCOPE_CALL_GRAPH\n"
    "                         auto: every stack by the recorder's own unwinder (verified\n"
    "                         against the last one), libunwind where that can't\n"
    "                         libunwind\n"
    "                         fp: frame pointers, cheap, wrong where code lacks them\n"
    "                         none\n"
    "  --max-depth N        the most frames of a stack, 1 to 1024; of deeper ones the\n"
    "                       innermost are kept (default 1024) MALLOSCOPE_MAX_DEPTH\n"
    "  --follow WHAT        what of its children to record    MALLOSCOPE_FOLLOW\n"
    "                         exec: all that it starts (default)\n"
    "                         fork: its forked copies, but no new programs, be they in a\n"
    "                         child or in PROGRAM's own process (sh -c 'exec prog')\n"
    "                         none: PROGRAM alone\n"
    "  --sample [BYTES]     record a sample: of each thread's allocations one in so many\n"
    "                       bytes on average, at random (default 512K); every figure of a\n"
    "                       report is then an unbiased estimate MALLOSCOPE_SAMPLE\n"
    "  --min-size BYTES     record no allocation that is smaller MALLOSCOPE_MIN_SIZE\n"
    "  --start-paused       record nothing until the program calls malloscope_start() of\n"
    "                       malloscope.h, or the signal comes MALLOSCOPE_START_PAUSED=1\n"
    "  --toggle-signal SIG  a signal to the program that pauses recording and goes on:\n"
    "                       a name as USR2 or a number. While paused, frees of recorded\n"
    "                       blocks are still recorded         MALLOSCOPE_TOGGLE_SIGNAL\n"
    "  --threshold N        where small ends in the summary, in bytes, 1 or more\n"
    "                       (default 100)                     MALLOSCOPE_THRESHOLD\n"
    "  -h, --help\n\n"
    "The variables do the same as the options, also for a program that is run without\n"
    "this command: LD_PRELOAD=.../libmalloscope.so PROGRAM; such a log never replaces\n"
    "a file: where its name is taken, .PID is added.\n\n"
    "Exit status: PROGRAM's own; 128+N when signal N ended it; 127 not found; 126 not\n"
    "executable; 125 it cannot be traced (statically linked, set-user-ID of another\n"
    "user, another architecture, ...) or the log cannot be made, said before PROGRAM\n"
    "runs; 2 usage.\n";

#define DEPTH_MOST 1024 /* frames: the recorder has room for no more */

#define LIMIT_LEAST (64 << 10) /* bytes of a log: enough to say who was there */

struct record_options {
    const char *output;
    bool force, quiet, compress;
    uint64_t threshold, max_log; /* bytes; max_log 0: no limit */
};

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value && strcmp(value, "0") != 0;
}

/* What the child will inherit, but for the session. */
static void set_environment(const char *shim)
{
    const char *old = getenv("LD_PRELOAD");
    _cleanup_free_ char *preload = old && *old ? format_text("%s:%s", shim, old) : copy_text(shim, strlen(shim));

    /* Under another `malloscope record` the shim is there already. */
    if (!old || strncmp(old, shim, strlen(shim)) != 0)
        setenv("LD_PRELOAD", preload, 1);
}

static bool follows_all(void)
{
    const char *follow = getenv("MALLOSCOPE_FOLLOW");
    return !follow || strcmp(follow, "exec") == 0;
}

/* The exit code of a shell for what became of the program; says so where a
 * signal ended it. */
static int exit_code_of(int status, const char *program)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    complain("%s was killed by signal %d (%s)%s", program, WTERMSIG(status), strsignal(WTERMSIG(status)),
             WCOREDUMP(status) ? ", core dumped" : "");
    return 128 + WTERMSIG(status);
}

/* Adds what only we know: how the program ended. */
static void append_end_of(const struct log *log, const struct log_file *file, pid_t pid, int status)
{
    uint8_t records[ENCODE_EVENT_MAX];
    struct append_chunk chunk;
    uint64_t image = 0;

    for (size_t i = 0; i < log->process_count; i++)
        if (log->processes[i].pid == (uint32_t)pid && log->processes[i].image > image)
            image = log->processes[i].image;
    append_begin(&chunk, (uint32_t)pid, image, records);
    chunk.header.sequence = REC_SESSION_END;
    chunk.at = encode_process_end(&chunk.encoder, chunk.at, chunk.encoder.ticks, (uint32_t)pid, true, (uint32_t)status);
    append_end(&chunk, file->fd);
}

/* As a user here would type it. */
static const char *short_path(const char *path)
{
    char here[PATH_MAX];
    size_t length = getcwd(here, sizeof here) ? strlen(here) : 0;

    if (length > 1 && strncmp(path, here, length) == 0 && path[length] == '/')
        return path + length + 1;
    return path;
}

/* As it was typed, where that was a path: it may not be in PATH. */
static const char *own_name(void)
{
    return strchr(program_invocation_name, '/') ? program_invocation_name : "malloscope";
}

/* A program with a loader of its own brings its own C library, which may be too old
 * for the shim: it would run without us, and not with us. */
static int check_libraries(const struct target *target, const char *shim, struct failure *ret_failure)
{
    struct libraries libraries;
    int error = 0;

    if (target->loader && !shim_shares_loader(target->loader) &&
        libraries_list(target->loader, target->program, &libraries) == 0) {
        error = shim_check(shim, &libraries, ret_failure);
        libraries_release(&libraries);
    }
    return error;
}

/* The program that target_find let pass has run, and nothing was recorded. */
static void explain(const struct target *target, const char *program, const char *shim, const char *log_name, int status)
{
    _cleanup_free_ char *reason = not_loaded_reason(target, shim, status);

    if (reason)
        complain("%s ran, but malloscope's library was never loaded into it: %s; nothing was recorded", program, reason);
    else
        complain("%s ran, but malloscope's library was never loaded into it: it (or the loader's settings) ignores "
                 "LD_PRELOAD, or it ended before, or %s.live.* could not be made; nothing was recorded", program, log_name);
}

static int finish(struct log_file *file, const struct target *target, const char *program, const char *shim, pid_t pid,
                  int status, struct compressor *compressor, const struct record_options *options)
{
    struct failure failure;
    struct log *log;
    struct stat st;
    int code = exit_code_of(status, program);

    compressor_stop(compressor); /* what kept it from its work keeps live_adopt, or is over */
    if (!log_file_is_there(file)) {
        bool is_moved = fstat(file->fd, &st) == 0 && st.st_nlink > 0, has_spool = is_moved && options->compress;
        complain("%s: was removed or replaced while the program ran: its events are lost%s%s%s", file->path,
                 has_spool ? ", but for those in " : "", has_spool ? file->path : "", has_spool ? SPOOL_ENDING : "");
        if (!is_moved)
            live_discard_session(file->path, file->session);
        return code;
    }
    int error = live_adopt(file->path);
    if (error)
        complain("%s: the last events are still in the files %s.live.*%s: %s; keep them beside the log", file->path,
                 text_base_name(file->path), options->compress ? " and " SPOOL_ENDING : "", strerror(-error));
    if (log_open_held(file->path, file->fd, &log, &failure) != 0) {
        complain("%s", failure.text);
        return code;
    }
    if (!log->recorded_count) {
        explain(target, program, shim, text_base_name(file->path), status);
        log_free(log);
        log_file_discard(file);
        return EXIT_NOT_TRACED;
    }
    append_end_of(log, file, pid, status);
    log_let_go(file->fd);
    struct reader_lost lost = reader_lost_events(log);
    if (lost.count)
        complain("%s: INCOMPLETE: %s", short_path(file->path), text_lost_events(lost.count, lost.reason));
    if (options->quiet) {
        log_free(log);
        return code;
    }
    struct facts *facts = facts_collect(log, NULL);
    report_print_summary(stderr, log, facts, &(struct report_view){
        .log_name = short_path(file->path), .command = own_name(), .threshold = options->threshold });
    facts_free(facts);
    log_free(log);
    return code;
}

static int record(const struct record_options *options, char **command)
{
    _cleanup_free_ char *shim = NULL;
    _cleanup_target_ struct target target = { 0 };
    struct failure failure;
    struct compressor *compressor = NULL;
    struct child child;
    struct log_file file;

    int code = target_find(command[0], &target, &failure);
    if (code) {
        complain("%s", failure.text);
        return code;
    }
    _cleanup_free_ char *own_heap = target.loader ? program_own_heap(&target.heap) : NULL;
    if (own_heap)
        complain("warning: %s: %s", target.program, own_heap);
    if (shim_find(&shim, &failure) != 0 || check_libraries(&target, shim, &failure) != 0) {
        complain("%s", failure.text);
        return EXIT_NOT_TRACED;
    }
    set_environment(shim);
    int error = child_make(command, &child);
    if (error) {
        complain("cannot make a process: %s", strerror(-error));
        return EXIT_NOT_TRACED;
    }
    if (log_file_make(options->output, command[0], child.pid, options->force, options->compress, &file, &failure) != 0) {
        child_abandon(&child);
        complain("%s", failure.text);
        return EXIT_NOT_TRACED;
    }
    log_file_begin(&file, command);
    error = options->compress ? compressor_start(file.path, options->max_log, &compressor) : 0;
    if (error) {
        child_abandon(&child);
        log_file_discard(&file);
        complain("the log cannot be packed: %s; see --no-compress", strerror(-error));
        return EXIT_NOT_TRACED;
    }
    _cleanup_free_ char *session = log_file_session(&file, follows_all() ? 0 : child.pid);
    error = child_start(&child, session);
    if (error) {
        compressor_stop(compressor);
        log_file_discard(&file);
        complain("%s: cannot execute: %s", command[0], strerror(error));
        return error == ENOENT ? 127 : 126;
    }
    int status = child_wait(&child);
    code = finish(&file, &target, command[0], shim, child.pid, status, compressor, options);
    log_file_release(&file);
    return code;
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
    if (!parse_number(max_log, LIMIT_LEAST, &options->max_log))
        return usage_error("record", "record: --max-log %s: want a number of bytes from %dK up", max_log, LIMIT_LEAST >> 10);
    snprintf(text, sizeof text, "%" PRIu64, options->max_log); /* without suffix */
    setenv("MALLOSCOPE_MAX_LOG", text, 1);
    return 0;
}

static int set_follow(const char *what)
{
    if (!what)
        return 0;
    if (strcmp(what, "none") != 0 && strcmp(what, "fork") != 0 && strcmp(what, "exec") != 0)
        return usage_error("record", "record: --follow %s: want none, fork or exec", what);
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

/* 0: there is no such signal, or it is not one for this. */
static int signal_number(const char *name)
{
    uint64_t number;

    if (parse_number(name, 1, &number))
        return number <= (uint64_t)SIGRTMAX && (number < 32 || number >= (uint64_t)SIGRTMIN) && number != SIGKILL &&
                       number != SIGSTOP ? (int)number : 0; /* those between are the C library's own */
    if (strncasecmp(name, "SIG", 3) == 0)
        name += 3;
    for (int i = 1; i < SIGRTMIN; i++)
        if (sigabbrev_np(i) && strcasecmp(sigabbrev_np(i), name) == 0 && i != SIGKILL && i != SIGSTOP)
            return i;
    return 0;
}

static int set_selection(const struct selection *s)
{
    if (!set_bytes("MALLOSCOPE_SAMPLE", s->sample, 1))
        return usage_error("record", "record: --sample %s: want a number of bytes from 1 to 1024G", s->sample);
    if (!set_bytes("MALLOSCOPE_MIN_SIZE", s->min_size, 0))
        return usage_error("record", "record: --min-size %s: want a number of bytes up to 1024G", s->min_size);
    if (s->toggle_signal && *s->toggle_signal) {
        int number = signal_number(s->toggle_signal);
        char text[24];
        if (!number)
            return usage_error("record", "record: --toggle-signal %s: want a signal that can be handled, as USR2 or its "
                               "number", s->toggle_signal);
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
    enum { CALL_GRAPH = 256, MAX_DEPTH, THRESHOLD, SAMPLE, MIN_SIZE, START_PAUSED, TOGGLE_SIGNAL, FOLLOW, NO_COMPRESS, MAX_LOG };
    static const struct option long_options[] = {
        { "output", required_argument, NULL, 'o' }, { "force", no_argument, NULL, 'f' },
        { "quiet", no_argument, NULL, 'q' }, { "call-graph", required_argument, NULL, CALL_GRAPH },
        { "max-depth", required_argument, NULL, MAX_DEPTH }, { "threshold", required_argument, NULL, THRESHOLD },
        { "no-compress", no_argument, NULL, NO_COMPRESS }, { "max-log", required_argument, NULL, MAX_LOG },
        { "sample", optional_argument, NULL, SAMPLE }, { "min-size", required_argument, NULL, MIN_SIZE },
        { "start-paused", no_argument, NULL, START_PAUSED },
        { "toggle-signal", required_argument, NULL, TOGGLE_SIGNAL },
        { "follow", required_argument, NULL, FOLLOW }, { "help", no_argument, NULL, 'h' }, { 0 },
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
    return record(&options, argv + optind);
}
