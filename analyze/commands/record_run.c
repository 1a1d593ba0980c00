/* A recording from its log's making to its summary: checks, starts and awaits the program, and
 * says what went wrong. */
#include "analyze/commands/record_run.h"

#include "analyze/command.h"
#include "analyze/commands/embedding.h"
#include "analyze/commands/own_heaps.h"
#include "analyze/launch/compressor.h"
#include "analyze/launch/limits.h"
#include "analyze/launch/loaded.h"
#include "analyze/launch/log_file.h"
#include "analyze/launch/not_loaded.h"
#include "analyze/launch/run.h"
#include "analyze/launch/shim.h"
#include "analyze/launch/target.h"
#include "analyze/log/append.h"
#include "analyze/log/calibrate.h"
#include "analyze/log/hold.h"
#include "analyze/log/live.h"
#include "analyze/log/reader.h"
#include "analyze/log/spool.h"
#include "analyze/log/unrecorded.h"
#include "analyze/options.h"
#include "analyze/render/report.h"
#include "analyze/render/text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child will inherit, but for the session. */
static void set_environment(const char *shim, const char *name)
{
    const char *old = getenv("LD_PRELOAD");
    size_t length = strlen(shim);

    /* Under another `malloscope record` the shim is there already. */
    if (old && strncmp(old, shim, length) == 0 && strchr(": ", old[length])) /* or the end */
        old += length + (old[length] != 0);
    _cleanup_free_ char *preload = old && *old ? format_text("%s:%s", name, old) : copy_text(name, strlen(name));
    setenv("LD_PRELOAD", preload, 1);
}

/* 0 or -errno. */
static int make_link(const char *shim, const char *link)
{
    if (symlink(shim, link) != 0 && errno != EEXIST) /* one run's is the next one's */
        return -errno;
    unsetenv("MALLOSCOPE_SHIM"); /* it tells where we are as well */
    return 0;
}

static bool follows_all(void)
{
    const char *follow = getenv("MALLOSCOPE_FOLLOW");
    return !follow || strcmp(follow, "exec") == 0 || strcmp(follow, "all") == 0;
}

static unsigned left_out(void)
{
    const char *follow = getenv("MALLOSCOPE_FOLLOW");
    bool none = follow && strcmp(follow, "none") == 0;

    return follows_all() ? 0 : none ? REC_SESSION_NO_PROGRAMS | REC_SESSION_NO_CHILDREN : REC_SESSION_NO_PROGRAMS;
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

/* How the program ended, and when: what is done after that may take a while. */
struct ending_seen {
    int status;
    uint64_t ticks, clock_ns;
};

/* Adds what only we know. */
static int append_end_of(const struct log *log, const struct log_file *file, pid_t pid, const struct ending_seen *seen)
{
    uint8_t records[ENCODE_EVENT_MAX];
    struct append_chunk chunk;
    uint64_t image = 0;

    for (size_t i = 0; i < log->process_count; i++)
        if (log->processes[i].pid == (uint32_t)pid && log->processes[i].image > image)
            image = log->processes[i].image;
    append_begin(&chunk, (uint32_t)pid, image, records);
    chunk.header.sequence = REC_SESSION_END;
    chunk.header.ticks = seen->ticks;
    chunk.header.clock_ns = seen->clock_ns;
    encoder_begin(&chunk.encoder, seen->ticks);
    chunk.at = encode_process_end(&chunk.encoder, chunk.at, seen->ticks, (uint32_t)pid, REC_END_AWAITED, (uint32_t)seen->status);
    return append_end(&chunk, file->fd);
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

/* It had the library, as there was a live file, and nothing was recorded. */
static void explain_loaded(const struct log *log, const char *program, int status)
{
    struct reader_lost lost = reader_lost_events(log);
    const char *name = text_base_name(log->path);

    if (lost.reason)
        complain("%s ran, but nothing could be recorded: %s", program, text_stop_reason(lost.reason));
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS)
        complain("%s was recorded, but all is lost: %s.live.*, which it had in use, was cut short, and that is probably what "
                 "killed it", program, name);
    else
        complain("%s was recorded, but nothing is left of it: it was killed when it had hardly begun, or %s.live.* was "
                 "emptied or overwritten", program, name);
}

static void embed(const struct log *log)
{
    struct embedding done;
    int error = embed_names(log, NULL, false, &done);

    if (error)
        complain("%s: names cannot be written into it: %s", short_path(log->path), strerror(-error));
}

/* Of the program itself we have said it before it ran. */
static void note_own_heaps(const struct log *log, const struct log_file *file, bool was_said)
{
    _cleanup_own_heaps_ struct own_heaps heaps;
    int error = own_heaps_note(log, file->fd, &heaps);

    if (error)
        complain("%s: that programs have a malloc of their own cannot be noted in it: %s", short_path(log->path), strerror(-error));
    if (heaps.programs > was_said)
        complain("warning: %s with a malloc of %s own, not exported (%s%s): what %s allocated with it is not recorded",
                 text_counted(heaps.processes, "process"), heaps.processes == 1 ? "its" : "their", heaps.program,
                 heaps.programs > 1 ? " and others" : "", heaps.processes == 1 ? "it" : "they");
}

static int finish(struct log_file *file, const struct target *target, const char *program, const char *shim, pid_t pid,
                  const struct ending_seen *seen, struct compressor *compressor, const struct record_options *options)
{
    struct failure failure;
    struct log *log;
    struct stat st;
    int code = exit_code_of(seen->status, program);

    compressor_stop(compressor); /* what kept it from its work keeps live_adopt, or is over */
    if (!log_file_is_there(file)) {
        bool is_moved = fstat(file->fd, &st) == 0 && st.st_nlink > 0, has_spool = is_moved && options->compress;
        complain("%s: was removed or replaced while the program ran: its events are lost%s%s%s", file->path,
                 has_spool ? ", but for those in " : "", has_spool ? file->path : "", has_spool ? SPOOL_ENDING : "");
        if (!is_moved)
            live_discard_session(file->path, file->session);
        else if (unrecorded_adopt(file->fd, file->session) == 0)
            unrecorded_remove(file->session); /* the log may be where nobody will find it */
        return code;
    }
    bool was_emptied = !log_file_is_whole(file);
    int error = was_emptied ? log_file_restore(file) : 0;
    if (was_emptied)
        complain("%s: INCOMPLETE: was emptied or overwritten while the program ran: what was in it till then is "
                 "lost, and programs that began later may be missing%s%s",
                 short_path(file->path), error ? ", and it cannot be mended: " : "", error ? strerror(-error) : "");
    if (error)
        return code;
    const bool had_live = live_is_there(file->path, file->session);
    error = live_adopt(file->path);
    if (error) {
        _cleanup_free_ char *names = live_names(file->path);
        complain("%s: the last events are still in the files %s*%s: %s; keep them until the log has been read", file->path,
                 names, options->compress ? " and " SPOOL_ENDING : "", strerror(-error));
    }
    if (log_open_held(file->path, file->fd, &log, &failure) != 0) {
        complain("%s", failure.text);
        return code;
    }
    if (!log->recorded_count) {
        if (had_live)
            explain_loaded(log, program, seen->status);
        else
            explain(target, program, shim, text_base_name(file->path), seen->status);
        log_free(log);
        log_file_discard(file);
        return had_live ? code : EXIT_NOT_TRACED;
    }
    note_own_heaps(log, file, target->heap.malloc == MALLOC_HIDDEN);
    int end_error = append_end_of(log, file, pid, seen);
    log_let_go(file->fd);
    if (!live_any_running(file->path)) /* else who comes later may still need it */
        unrecorded_remove(file->session);
    if (options->embed_symbols)
        embed(log);
    struct reader_lost lost = reader_lost_events(log);
    if (lost.count)
        complain("%s: INCOMPLETE: %s", short_path(file->path), text_lost_events(lost.count, lost.reason));
    if (lost.programs > 0)
        complain("%s: INCOMPLETE: %s", short_path(file->path), text_lost_programs((uint64_t)lost.programs));
    if (log->missing_chunks && !was_emptied)
        complain("%s: INCOMPLETE: %s of events %s missing: somebody has changed the log's files",
                 short_path(file->path), text_counted(log->missing_chunks, "chunk"),
                 log->missing_chunks == 1 ? "is" : "are");
    if (log->cut_processes)
        complain("%s: INCOMPLETE: the end of %zu of its processes is missing: files %s.live.* were removed or cannot be read",
                 short_path(file->path), log->cut_processes, short_path(file->path));
    if (log->lacks_processes)
        complain("%s: INCOMPLETE: processes are missing that started others", short_path(file->path));
    if (end_error)
        complain("%s: INCOMPLETE: its end cannot be written: %s", short_path(file->path), strerror(-end_error));
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

int record_run(const struct record_options *options, char **command)
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
    const char *listing = loaded_listing(&target, command), *loaded = loaded_program(&target, command);
    if (listing) {
        complain("%s %s: it only says what it would load, and runs no program: there is nothing to record; run it without record",
                 command[0], listing);
        return EXIT_NOT_TRACED;
    }
    if (loaded) {
        _cleanup_target_ struct target program = { 0 };
        code = target_find(loaded, &program, &failure);
        if (code == EXIT_NOT_TRACED) { /* of all else the loader complains by itself */
            complain("%s", failure.text);
            return code;
        }
    }
    _cleanup_free_ char *own_heap = target.loader ? program_own_heap(&target.heap) : NULL;
    if (own_heap)
        complain("warning: %s: %s", target.program, own_heap);
    if (limits_check(&failure) != 0 || shim_find(&shim, &failure) != 0 || check_libraries(&target, shim, &failure) != 0) {
        complain("%s", failure.text);
        return EXIT_NOT_TRACED;
    }
    int error = options->shim_link ? make_link(shim, options->shim_link) : 0;
    if (error) {
        complain("%s: cannot be made: %s", options->shim_link, strerror(-error));
        return EXIT_NOT_TRACED;
    }
    set_environment(shim, options->shim_link ? options->shim_link : shim);
    error = child_make(command, &child);
    if (error) {
        complain("cannot make a process: %s%s", strerror(-error), error == -EMFILE ? "; it takes a limit of 8 at least "
                 "(ulimit -n)" : "");
        return EXIT_NOT_TRACED;
    }
    if (log_file_make(options->output, command[0], child.pid, options->force, options->compress, &file, &failure) != 0) {
        child_abandon(&child);
        char *place = options->elsewhere ? strstr(failure.text, ANOTHER_PLACE) : NULL;
        complain("%.*s%s", place ? (int)(place - failure.text) : INT_MAX, failure.text, place ? options->elsewhere : "");
        return EXIT_NOT_TRACED;
    }
    log_file_begin(&file, command, child.pid, left_out());
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
    struct ending_seen seen = { .status = child_wait(&child) };
    clock_now(&seen.ticks, &seen.clock_ns);
    code = finish(&file, &target, command[0], shim, child.pid, &seen, compressor, options);
    log_file_release(&file);
    return code;
}
