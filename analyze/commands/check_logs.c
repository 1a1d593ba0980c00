#include "analyze/commands/check_logs.h"

#include "analyze/check/platform.h"
#include "analyze/command.h"
#include "analyze/commands/naming.h"
#include "analyze/log/live.h"
#include "analyze/model/session.h"
#include "analyze/options.h"
#include "analyze/render/trust.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

void check_logs_want_mark(struct check_logs *c, const char *name)
{
    for (size_t i = 0; i < c->mark_count; i++)
        if (strcmp(c->marks[i].name, name) == 0)
            return;
    c->marks = grow(c->marks, &c->mark_capacity, c->mark_count + 1, sizeof *c->marks);
    c->marks[c->mark_count++] = (struct judge_mark){ .name = copy_text(name, strlen(name)), .is_set = true };
}

void check_logs_release(struct check_logs *c)
{
    for (size_t i = 0; i < c->mark_count; i++) {
        free(c->marks[i].name);
        measured_release(&c->marks[i].measured);
    }
    free(c->marks);
    measured_release(&c->measured);
    selection_release(&c->selection);
    *c = (struct check_logs){ 0 };
}

/* --- whether it can be believed ---------------------------------------------------------- */

static bool has_failed(const struct facts *f, const struct log *log, int *ret_status)
{
    for (size_t i = 0; i < log->process_count; i++) {
        const struct told_process *told = f->processes[i].told;
        if (told && told->awaited && told->status_known && told->wait_status) {
            *ret_status = (int)told->wait_status;
            return true;
        }
    }
    return false;
}

static void add_failure(const char *what, int status, struct verdict *v)
{
    const char *remedy = "what a program allocates that fails is no measure; mend it, or say --ignore-failure";

    if (WIFSIGNALED(status))
        verdict_add_problem(v, VERDICT_PROGRAM_FAILED, NULL, "%s: the program was killed by signal %d (%s): %s", what, WTERMSIG(status),
                            strsignal(WTERMSIG(status)), remedy);
    else
        verdict_add_problem(v, VERDICT_PROGRAM_FAILED, NULL, "%s: the program ended with exit status %d: %s", what, WEXITSTATUS(status),
                            remedy);
}

/* False, after a problem. */
static bool is_measurable(const struct check_logs *c, const char *what, const struct log *log, const struct facts *f, struct verdict *v)
{
    int status;

    if (!log->recorded_count) {
        verdict_add_problem(v, VERDICT_NOT_INJECTED, NULL, "%s: nothing was recorded: malloscope's library was not loaded into the program; "
                            "`malloscope doctor PROGRAM` says why", what);
        return false;
    }
    if (f->interrupted) {
        verdict_add_problem(v, VERDICT_INCOMPLETE, NULL, "%s: interrupted before it was read", what);
        return false;
    }
    if (log_is_running(log)) {
        verdict_add_problem(v, VERDICT_INCOMPLETE, NULL, "%s: is still being recorded; wait for its end", what);
        return false;
    }
    if (log_verdict(log, f->bad_chunks, f->bad_offset) != EXIT_GOOD || f->lost_reason || f->told.lost_events) {
        verdict_add_problem(v, VERDICT_INCOMPLETE, NULL, "%s: events are missing in the log, so that its figures are too small; record it "
                            "anew (`malloscope info` says what is missing)", what);
        return false;
    }
    if (!settings_all_recorded(&f->settings)) {
        verdict_add_problem(v, VERDICT_INCOMPLETE, NULL, "%s: not every allocation was recorded (%s): estimates are no gate; record it "
                            "without that", what, f->settings.sample_bytes ? "--sample" : "--min-size");
        return false;
    }
    if (!c->ignore_failure && has_failed(f, log, &status)) {
        add_failure(what, status, v);
        return false;
    }
    if (!f->allocations) {
        verdict_add_problem(v, VERDICT_NO_EVENTS, NULL, "%s: the program ran, and not one allocation of it was recorded: it makes none, has "
                            "a malloc of its own, or never started to record; `malloscope doctor PROGRAM` says more", what);
        return false;
    }
    return true;
}

/* --- measuring --------------------------------------------------------------------------- */

static int measure(struct check_logs *c, const struct log *log, struct facts *f, struct measured *into)
{
    struct namer namer;
    struct naming *naming = naming_open(log, &f->told.code, &c->symbols, &namer);

    selection_use(&c->selection, f, &namer);
    measured_add(into, &(struct by_name_source){ .facts = f, .namer = &namer, .wanted = selection_wants, .wanted_data = &c->selection });
    selection_use(&c->selection, NULL, NULL);
    if (!c->count && into == &c->measured)
        naming_complain(naming);
    int interrupted = naming_was_interrupted(naming) ? -EINTR : 0;
    naming_close(naming);
    return interrupted;
}

/* From the first mark of a name to the next one of another. False: there is none. */
static bool find_mark(const struct log *log, const struct facts *f, const char *name, struct facts_options *ret_part)
{
    const struct notes *n = &f->told.notes;
    size_t i = 0;

    while (i < n->mark_count && (strcmp(n->marks[i].name, name) != 0 || n->marks[i].ns < log->first_ns))
        i++;
    if (i == n->mark_count)
        return false;
    ret_part->from_ns = n->marks[i].ns - log->first_ns;
    while (i < n->mark_count && strcmp(n->marks[i].name, name) == 0)
        i++;
    if (i < n->mark_count)
        ret_part->to_ns = n->marks[i].ns - log->first_ns;
    return true;
}

static int measure_mark(struct check_logs *c, const struct log *log, const struct facts *whole, const char *name, struct measured *into,
                        bool *ret_is_set)
{
    struct facts_options part = { .goes_on = c->goes_on };

    if (!find_mark(log, whole, name, &part)) {
        *ret_is_set = false;
        return 0;
    }
    struct facts *f = facts_collect(log, &part);
    int error = f->interrupted ? -EINTR : measure(c, log, f, into);
    facts_free(f);
    return error;
}

static int measure_all(struct check_logs *c, const char *what, const struct log *log, struct facts *f, struct verdict *v)
{
    bool is_set = true;
    int error = c->mark ? measure_mark(c, log, f, c->mark, &c->measured, &is_set) : measure(c, log, f, &c->measured);

    if (!is_set)
        verdict_add_problem(v, VERDICT_NO_EVENTS, NULL, "%s: --mark %s: the program did not set this mark; `malloscope report` lists those "
                            "that it sets", what, c->mark);
    for (size_t i = 0; i < c->mark_count && !error; i++)
        error = measure_mark(c, log, f, c->marks[i].name, &c->marks[i].measured, &c->marks[i].is_set);
    return error;
}

static void tell(const struct log *log, const struct facts *f, struct verdict *v)
{
    struct session session;
    struct trust trust;
    size_t bytes;

    session_read(log, &session);
    free(v->program);
    v->program = session.command;
    session.command = NULL;
    session_release(&session);
    trust_of_facts(log, f, &trust);
    free(v->trust);
    v->trust = NULL;
    FILE *to = open_memstream(&v->trust, &bytes);
    if (!to)
        return;
    trust_print_short(to, &trust);
    fclose(to);
    v->trust[strcspn(v->trust, "\n")] = 0;
}

static int open_it(const char *path, struct log **ret_log, struct failure *ret_failure)
{
    live_adopt(path); /* where that is not allowed, log_open reads the live files */
    return log_open(path, ret_log, ret_failure);
}

int check_logs_add(struct check_logs *c, const char *path, const char *what, struct verdict *v, struct failure *ret_failure)
{
    struct log *log;
    int error = open_it(path, &log, ret_failure);

    if (error)
        return error;
    log->one_thread = c->symbols.jobs == 1;
    struct facts *f = facts_collect(log, &(struct facts_options){ .goes_on = c->goes_on });
    tell(log, f, v);
    c->libc = platform_libc_of_code(&f->told.code);
    if (is_measurable(c, what, log, f, v)) {
        if (f->told.notes.untraced_programs && !c->count)
            verdict_add_note(v, "%s: %" PRIu64 " program%s that it executed could not be recorded, and do not count", what,
                             f->told.notes.untraced_programs, f->told.notes.untraced_programs == 1 ? "" : "s");
        if (f->settings.own_mallocs && !c->count)
            verdict_add_note(v, "%s: %" PRIu64 " process%s with a malloc of %s own, which no library can see: what comes from it does not count",
                             what, f->settings.own_mallocs, f->settings.own_mallocs == 1 ? "" : "es",
                             f->settings.own_mallocs == 1 ? "its" : "their");
        if (measure_all(c, what, log, f, v) != 0)
            verdict_add_problem(v, VERDICT_INCOMPLETE, NULL, "%s: interrupted before it was read", what);
        c->count++;
    }
    facts_free(f);
    log_free(log);
    return 0;
}
