/* What `record` does when the program has ended, it does for those that are there by then: whoever comes later, between its end and
 * that of the last process, is looked at here. */
#include "analyze/commands/check_late.h"

#include "analyze/commands/own_heaps.h"
#include "analyze/launch/inheritors.h"
#include "analyze/log/live.h"
#include "analyze/render/text.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 10000000
#define AMID_EXEC_NS 1000000

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool read_session(const char *log_path, uint8_t ret_session[16])
{
    struct rec_file_header header;
    _cleanup_close_ int fd = open(log_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool is_read = fd >= 0 && pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header;

    if (is_read)
        memcpy(ret_session, header.session, sizeof header.session);
    return is_read;
}

/* In this order: a program that has just been executed has the environment before it has a live file. Twice: amid the system
 * call that executes it, it has neither. */
static bool does_any_run(const char *log_path, const uint8_t session[16])
{
    if (inheritors_run(session) || live_any_running_of(log_path, session))
        return true;
    nanosleep(&(struct timespec){ .tv_nsec = AMID_EXEC_NS }, NULL);
    return inheritors_run(session);
}

static void note_own_heaps(const char *log_path)
{
    _cleanup_own_heaps_ struct own_heaps heaps = { 0 };
    _cleanup_close_ int fd = open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
    struct failure failure;
    struct log *log;

    if (fd < 0 || log_open(log_path, &log, &failure) != 0)
        return;
    own_heaps_note(log, fd, &heaps);
    log_free(log);
}

void check_late_wait(const char *log_path, bool (*goes_on)(void *data, double progress), void *data)
{
    const int64_t end_ms = now_ms() + CHECK_LATE_SECONDS * 1000;
    uint8_t session[16];
    bool is_there = read_session(log_path, session), ran = false;

    for (; is_there && does_any_run(log_path, session) && goes_on(data, 0) && now_ms() < end_ms; ran = true)
        nanosleep(&(struct timespec){ .tv_nsec = LOOK_NS }, NULL);
    if (!ran && !(is_there && live_is_there(log_path, session)))
        return; /* `record` has seen the end of all */
    live_adopt(log_path);
    note_own_heaps(log_path);
}

/* What it executes now: the last of the images that have its pid. */
static const struct told_process *latest(const struct facts *f, const struct told_process *of)
{
    const struct told_process *last = of;

    for (size_t i = 0; i < f->told.process_count; i++)
        if (f->told.processes[i].pid == of->pid && f->told.processes[i].image > last->image)
            last = &f->told.processes[i];
    return last;
}

char *check_late_name(const struct log *log, const struct facts *f)
{
    uint32_t process;
    bool is_known;

    if (!live_find_running(log, &process, &is_known))
        return format_text("malloscope record");
    const struct told_process *its = latest(f, &f->told.processes[process]);
    const char *program = its->exe && *its->exe ? text_base_name(its->exe) : NULL;
    return format_text("process %u%s%s%s%s", its->pid, program ? " (" : "", program ? program : "", program ? ")" : "",
                       is_known ? "" : ", or a child of it,");
}
