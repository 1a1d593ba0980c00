#include "analyze/command.h"
#include "analyze/commands/progress.h"
#include "analyze/commands/reading.h"
#include "analyze/launch/log_file.h"
#include "analyze/log/append.h"
#include "analyze/log/pack.h"
#include "analyze/log/trimmed.h"
#include "analyze/model/trim.h"
#include "analyze/new_file.h"
#include "analyze/options.h"
#include "analyze/render/text.h"
#include "format/chunk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

const char trim_help[] =
    "malloscope trim [options] LOG -o NEW\n\n"
    "A part of a log as a log of its own, which every command reads: smaller, quicker\n"
    "to read, and enough to show somebody what happened then.\n\n"
    "  -o, --output NEW     the new log's name\n"
    "  -f, --force          replace NEW if it exists, but for a log that is still\n"
    "                       being recorded; without it nothing is overwritten\n"
    "  --from WHEN          the part begins then (default: with the log)\n"
    "  --to WHEN            it ends then (default: with the log). WHEN: seconds since\n"
    "                       the session began (1.5), or with a unit (us, ms, s, min),\n"
    "                       or the name of a mark that the program set: its first, or\n"
    "                       for --to its first after --from\n"
    "  --pid PID[,PID...]   only these processes; may be given more than once\n"
    "  -h, --help\n\n"
    "The new log has all allocations and frees of that time, and of the time before\n"
    "the allocations of blocks that still lived when it begins: so live bytes and the\n"
    "peak are right at each moment of the part, and frees find their blocks. These\n"
    "blocks count in its totals, and `report` says how many they are; with --from\n"
    "WHEN it leaves them out, and says of that time what `report --from WHEN --to\n"
    "WHEN LOG` says. Times are those of LOG, and so are marks, but for those of\n"
    "processes that --pid leaves out. NEW is packed if LOG is. It appears under its\n"
    "name when it is complete.\n\n"
    "Exit codes: 0; 1 LOG is damaged (what is whole of it is in NEW), something may\n"
    "be missing in it, it is none, or NEW cannot be written; 2 usage, no process has\n"
    "the --pid, nothing comes after --from, or NEW exists.\n";

struct new_log {
    const char *path;
    char *temporary;
    int fd;
    struct packer *packer; /* NULL: not packed */
    uint64_t bytes;
    uint8_t *run; /* chunks that may become one */
    size_t run_bytes, run_capacity;
    unsigned run_count;
    struct rec_chunk_header last; /* of them */
};

static int append(struct new_log *n, const void *chunk, size_t bytes)
{
    n->bytes += bytes;
    return append_all(n->fd, chunk, bytes);
}

static int append_run(struct new_log *n)
{
    size_t bytes;
    int error = 0;
    const void *packed = n->run_count > 1 ? packer_pack_run(n->packer, n->run, n->run_count, &bytes) : NULL;

    if (packed)
        error = append(n, packed, bytes);
    for (size_t at = 0; !packed && !error && at < n->run_bytes;) {
        struct rec_chunk_header header;
        memcpy(&header, n->run + at, sizeof header);
        const void *chunk = packer_pack(n->packer, n->run + at, &bytes);
        error = append(n, chunk, bytes);
        at += header.header_bytes + (size_t)header.payload_bytes;
    }
    n->run_bytes = n->run_count = 0;
    return error;
}

static int put(void *data, const struct rec_chunk_header *chunk, size_t bytes)
{
    struct new_log *n = data;
    int error = 0;

    if (!n->packer)
        return append(n, chunk, bytes);
    if (n->run_count && (!packer_can_follow(&n->last, chunk) || n->run_bytes + bytes > PACKER_RUN_MOST))
        error = append_run(n);
    n->run = grow(n->run, &n->run_capacity, n->run_bytes + bytes, 1);
    memcpy(n->run + n->run_bytes, chunk, bytes);
    n->run_bytes += bytes;
    n->run_count++;
    n->last = *chunk;
    return error;
}

static int begin(struct new_log *n, const struct log *log)
{
    struct rec_file_header header;
    uint8_t session[16];

    n->temporary = format_text("%s.XXXXXX", n->path);
    n->fd = mkostemp(n->temporary, O_CLOEXEC | O_APPEND);
    if (n->fd < 0)
        return -errno;
    new_file_watch(n->temporary);
    if (getrandom(session, sizeof session, 0) != (ssize_t)sizeof session)
        memcpy(session, log->header.session, sizeof session);
    n->packer = log->header.incompatible_flags & REC_FILE_PACKED ? packer_make() : NULL;
    file_header_make_with(&header, session, n->packer ? REC_FILE_PACKED : 0, sizeof header);
    n->bytes = sizeof header;
    return append_all(n->fd, &header, sizeof header);
}

/* Under its name, if that is still free. */
static int appear(const struct new_log *n, bool force)
{
    if (force)
        return rename(n->temporary, n->path) == 0 ? 0 : -errno;
    if (link(n->temporary, n->path) != 0)
        return -errno;
    unlink(n->temporary);
    return 0;
}

static int refuse_existing(const char *path)
{
    return usage_error("trim", "%s: exists already; use -f to overwrite it, or another name with -o", path);
}

/* 0, or the exit code: NEW may be made. */
static int check_new(const char *path, bool force, const struct log *log)
{
    struct stat there, mine;

    if (lstat(path, &there) != 0)
        return 0;
    if (!force)
        return refuse_existing(path);
    if (!S_ISREG(there.st_mode))
        return usage_error("trim", "%s: exists and is no regular file; a log must be one", path);
    if (fstat(log->fd, &mine) == 0 && mine.st_dev == there.st_dev && mine.st_ino == there.st_ino)
        return usage_error("trim", "%s: is the log that is to be trimmed; name another one with -o", path);
    if (log_file_is_in_use(path))
        return usage_error("trim", "%s: is a log that is still being recorded; name another one with -o", path);
    return 0;
}

static int write_new(struct new_log *n, const struct log *log, struct trim_options *options, bool force, uint64_t *end_ns,
                     uint64_t *bad_chunks, uint64_t *bad_offset)
{
    struct progress progress;

    progress_begin(&progress, PROGRESS_READS, "trimming the log:"); /* to the end: a signal leaves the whole file, or none */
    options->put = put;
    options->put_data = n;
    options->goes_on = progress_goes_on;
    options->goes_on_data = &progress;
    options->end_ns = end_ns;
    int error = begin(n, log);
    if (!error)
        error = trim_log(log, options, bad_chunks, bad_offset);
    if (!error)
        error = append_run(n);
    if (log_trimmed(log).from_ns > *end_ns) /* in a part there may be nothing from its own beginning on */
        *end_ns = log_trimmed(log).from_ns;
    if (!error && options->from_ns > *end_ns)
        error = -ERANGE;
    if (!error)
        error = appear(n, force);
    progress_end(&progress);
    return error;
}

static int refuse_interrupted(const char *path)
{
    complain("%s: interrupted: nothing was written", path);
    return EXIT_DAMAGED;
}

static int trim(const struct log *log, struct trim_options *options, const char *path, bool force, const char *from)
{
    struct new_log n = { .path = path, .fd = -1 };
    uint64_t end_ns = 0, bad_chunks = 0, bad_offset = 0;
    int refused = check_new(path, force, log);

    if (refused)
        return refused;
    int error = write_new(&n, log, options, force, &end_ns, &bad_chunks, &bad_offset);
    packer_free(n.packer);
    free(n.run);
    if (n.fd >= 0)
        close(n.fd);
    if (error && n.fd >= 0)
        unlink(n.temporary);
    new_file_watch(NULL);
    free(n.temporary);
    if (error == -EEXIST)
        return refuse_existing(path);
    if (error == -ERANGE)
        return reading_refuse_from(log, "trim", from, end_ns);
    if (error == -EINTR)
        return refuse_interrupted(path);
    if (error) {
        complain("%s: cannot be written: %s; name another place with -o", path, strerror(-error));
        return EXIT_DAMAGED;
    }
    text_write_safe(stdout, path);
    printf(": %s of %s\n", text_bytes(n.bytes), text_bytes(log->bytes + log->spool_bytes));
    return log_verdict(log, bad_chunks, bad_offset);
}

int cmd_trim(int argc, char **argv)
{
    static const struct option options[] = {
        { "output", required_argument, NULL, 'o' }, { "force", no_argument, NULL, 'f' }, { "pid", required_argument, NULL, READING_PID },
        { "from", required_argument, NULL, READING_FROM }, { "to", required_argument, NULL, READING_TO },
        { "help", no_argument, NULL, 'h' }, { 0 },
    };
    _cleanup_reading_options_ struct reading_options wanted = { 0 };
    const char *output = NULL;
    bool force = false;
    struct log *log;

    for (int option; (option = next_option(argc, argv, ":o:fh", options, trim_help)) != -1;) {
        force |= option == 'f';
        if (option == 'o')
            output = optarg;
        if (reading_option(&wanted, option, optarg, "trim") != 0)
            return EXIT_USAGE;
    }
    const char *path = only_log(argc, argv, "trim");
    if (!path)
        return EXIT_USAGE;
    if (!output || !*output)
        return usage_error("trim", "trim: -o NEW: which name is the new log to have?");
    int code = pids_open(&wanted.pids, path, "trim", &log);
    if (code)
        return code;
    struct trim_options part = { 0 };
    if (log->is_beginning) /* what is made of it would pass for a part of the whole */
        code = refuse_interrupted(output);
    else
        code = reading_times(&wanted, log, "trim", &part.from_ns, &part.to_ns);
    pids_select(&wanted.pids, log);
    if (!code)
        code = trim(log, &part, output, force, wanted.from);
    if (output_failed())
        code = EXIT_DAMAGED;
    log_free(log);
    return code;
}
