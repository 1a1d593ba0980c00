#include "analyze/options.h"

#include "analyze/command.h"
#include "analyze/commands/progress.h"
#include "analyze/log/live.h"
#include "analyze/log/piped.h"
#include "analyze/log/reader.h"
#include "analyze/log/spool.h"
#include "analyze/log/trimmed.h"
#include "analyze/render/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

static void complain_with(const char *format, va_list arguments)
{
    char text[8192];

    vsnprintf(text, sizeof text, format, arguments);
    fflush(stdout); /* where both go to one file, it is not in the middle of a line */
    fprintf(stderr, "malloscope: %s", text_make_safe(text)); /* a name may hold a newline: a message is one line */
}

void complain(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    complain_with(format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

static int usage_code = EXIT_USAGE;

void usage_exits_with(int code)
{
    usage_code = code;
}

int usage_error(const char *command, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    complain_with(format, arguments);
    va_end(arguments);
    fprintf(stderr, "; see `malloscope %s --help`\n", command);
    return usage_code;
}

int next_option(int argc, char **argv, const char *short_options, const struct option *long_options, const char *help)
{
    opterr = 0;
    int option = getopt_long(argc, argv, short_options, long_options, NULL);
    if (option == 'h') {
        fputs(help, stdout);
        exit(output_failed() ? EXIT_DAMAGED : EXIT_GOOD);
    }
    if (option == ':' || option == '?') {
        const char *word = argv[optind - 1];
        if (option == ':')
            usage_error(argv[0], "%s: option %s needs a value", argv[0], word);
        else if (optopt && (optopt & ~127) == 0 && strncmp(word, "--", 2) != 0)
            usage_error(argv[0], "%s: no option -%c", argv[0], optopt);
        else
            usage_error(argv[0], "%s: no option %s, or not with such a value", argv[0], word);
        exit(usage_code);
    }
    return option;
}

bool parse_number(const char *text, uint64_t least, uint64_t *ret_number)
{
    char *end;

    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (errno || end == text || *text == '-' || *text == '+' || *text == ' ')
        return false;
    unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (shift)
        end++;
    if (*end || number > UINT64_MAX >> shift || number << shift < least)
        return false;
    *ret_number = number << shift;
    return true;
}

uint64_t default_threshold(void)
{
    const char *text = getenv("MALLOSCOPE_THRESHOLD");
    uint64_t threshold = 100;

    if (text && !parse_number(text, 1, &threshold))
        complain("MALLOSCOPE_THRESHOLD=%s is not a number of bytes from 1 up; using 100", text);
    return threshold;
}

const char *only_log(int argc, char **argv, const char *command)
{
    if (optind == argc)
        usage_error(command, "%s: which log?", command);
    else if (optind + 1 < argc)
        usage_error(command, "%s: one log at a time, not also %s", command, argv[optind + 1]);
    else
        return argv[optind];
    return NULL;
}

bool is_same_file(const char *one, const char *other)
{
    struct stat a, b;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

#define DAMAGES_SHOWN 5

static int open_piped(const char *path, struct log **ret_log, struct failure *ret_failure)
{
    struct progress progress;
    int fd;

    progress_begin(&progress, PROGRESS_COPIES, "waiting for the log to come through a pipe");
    int error = piped_open(path, progress_goes_on, &progress, &fd, ret_failure);
    progress_end(&progress);
    if (!error)
        error = log_open_fd(fd, piped_name(path), ret_log, ret_failure);
    if (error && progress.was_interrupted)
        return fail(ret_failure, EINTR, "%s: interrupted before a log had come", piped_name(path));
    if (!error)
        (*ret_log)->is_beginning = progress.was_interrupted;
    return error;
}

static int open_file(const char *path, struct log **ret_log, struct failure *ret_failure)
{
    live_adopt(path); /* where that is not allowed, log_open reads the live files */
    return log_open(path, ret_log, ret_failure);
}

struct log *open_log(const char *path)
{
    struct failure failure;
    struct log *log;

    if ((piped_is_meant(path) ? open_piped : open_file)(path, &log, &failure) != 0) {
        complain("%s", failure.text);
        return NULL;
    }
    return log;
}

int log_verdict(const struct log *log, uint64_t bad_chunks, uint64_t bad_offset)
{
    for (size_t i = 0; i < log->damage_count && i < DAMAGES_SHOWN; i++) {
        const struct log_damage *d = &log->damages[i];
        complain("%s%s: damaged at offset %" PRIu64 ": %s; %s skipped, all that is whole %s was read",
                 log->path, d->in_spool ? SPOOL_ENDING : "", d->offset, d->reason, text_counted(d->bytes, "byte"),
                 d->offset + d->bytes >= (d->in_spool ? log->spool_end : log->bytes) ? "before" : "before and after");
    }
    if (log->damage_count > DAMAGES_SHOWN)
        complain("%s: damaged in %s", log->path, text_counted(log->damage_count - DAMAGES_SHOWN, "more place"));
    if (log->missing_chunks)
        complain("%s: %s of events %s missing", log->path, text_counted(log->missing_chunks, "chunk"),
                 log->missing_chunks == 1 ? "is" : "are");
    if (log->cut_processes && log->is_alone)
        complain("%s: ends at offset %" PRIu64 " before the end of %zu of its processes: it was cut there, is still being written, "
                 "or processes have left files beside it: read it where it lies", log->path, log->bytes, log->cut_processes);
    else if (log->cut_processes)
        complain("%s: ends at offset %" PRIu64 " before the end of %zu of its processes: it was cut there, or its files "
                 "%s.live.*%s are not beside it", log->path, log->bytes, log->cut_processes, log->path,
                 log->header.incompatible_flags & REC_FILE_PACKED ? " or " SPOOL_ENDING : "");
    if (log->lacks_processes)
        complain("%s: processes are missing that started others here: it was cut at offset %" PRIu64 ", or its files %s.live.* are "
                 "not beside it", log->path, log->bytes, log->path);
    bool headless = log->has_session_end && !log->has_session_start, whole = log_events_are_whole(log);
    if (headless || (log_launcher_died(log) && !whole && !log->cut_processes && !log->lacks_processes))
        complain("%s: the %s, at offset %" PRIu64 ", has no record of the launcher: it was cut, or the launcher was killed%s",
                 log->path, headless ? "beginning" : "end", headless ? 64 : log->bytes, log->is_alone ? ", or still runs" : "");
    struct log_trimmed trimmed = log_trimmed(log); /* of which nothing may be left */
    bool is_empty = !log->recorded_count && !trimmed.is;
    if (trimmed.incomplete)
        complain("%s: was trimmed from a log that was damaged or incomplete: something may be missing", log->path);
    if (bad_chunks)
        complain("%s: %s %s bytes that are no event, the first at offset %" PRIu64, log->path,
                 text_counted(bad_chunks, "chunk"), bad_chunks == 1 ? "holds" : "hold", bad_offset);
    if (is_empty && !log->damage_count && !log->missing_chunks)
        complain("%s: no events after the header at offset %u: nothing was recorded into it, or it was cut, or its files "
                 "%s.live.* are not beside it", log->path, log->header.header_bytes, log->path);
    struct reader_lost lost = reader_lost_events(log);
    if (lost.count)
        complain("%s: %s", log->path, text_lost_events(lost.count, lost.reason));
    if (lost.programs > 0)
        complain("%s: %s", log->path, text_lost_programs((uint64_t)lost.programs));
    bool bad = headless || trimmed.incomplete || !whole || bad_chunks || is_empty || lost.programs > 0 ||
               lost.count > lost.beyond_limit; /* the user has asked for that limit */
    return bad ? EXIT_DAMAGED : EXIT_GOOD;
}

void complain_of_interrupt(const struct log *log)
{
    complain("%s: interrupted: what is shown is of the log's beginning only", log->path);
}

bool output_failed(void)
{
    bool failed = fflush(stdout) != 0 || ferror(stdout);

    if (failed && errno != EPIPE)
        complain("cannot write the output: %s", strerror(errno));
    return failed;
}
