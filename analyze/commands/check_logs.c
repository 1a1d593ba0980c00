#include "analyze/commands/check_logs.h"

#include "analyze/check/platform.h"
#include "analyze/command.h"
#include "analyze/commands/check_late.h"
#include "analyze/commands/check_names.h"
#include "analyze/log/live.h"
#include "analyze/model/endings.h"
#include "analyze/model/session.h"
#include "analyze/options.h"
#include "analyze/render/leaks.h"
#include "analyze/render/text.h"
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
    for (size_t i = 0; i < c->asked_count; i++)
        free(c->asked[i].name);
    free(c->asked);
    free(c->asked_of);
    for (size_t i = 0; i < c->mark_count; i++) {
        free(c->marks[i].name);
        measured_release(&c->marks[i].measured);
    }
    free(c->marks);
    measured_release(&c->measured);
    selection_release(&c->selection);
    suppressions_release(&c->suppressions);
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

static void add_running(const struct check_logs *c, const char *what, const struct log *log, const struct facts *f, struct verdict *v)
{
    _cleanup_free_ char *name = check_late_name(log, f);

    if (c->are_of_runs)
        verdict_add_problem(v, VERDICT_INCOMPLETE, NULL, "%s: %s still runs %d seconds after the program has ended, and what it will allocate is not "
                            "known; let the program end it, or wait for it, or say --allow-incomplete, and only what there is by then counts",
                            what, name, CHECK_LATE_SECONDS);
    else
        verdict_add_problem(v, VERDICT_INCOMPLETE, NULL, "%s: is still being recorded: %s still runs; wait for its end, or say --allow-incomplete, and "
                            "only what there is by now counts", what, name);
}

static void tell_running(struct check_logs *c, const char *what, const struct log *log, const struct facts *f, struct verdict *v)
{
    if (!log_is_running(log) || c->told_running)
        return;
    _cleanup_free_ char *name = check_late_name(log, f);
    c->told_running = true;
    verdict_add_note(v, "%s: %s still ran when the log was read: what it allocated later does not count", what, name);
}

/* False, after a problem. */
static bool is_measurable(const struct check_logs *c, const char *what, const struct log *log, const struct facts *f, unsigned left_out,
                          struct verdict *v)
{
    int status;

    if (!log->recorded_count && (log->damage_count || log->missing_chunks || log->cut_processes || log->lacks_processes)) {
        verdict_add_problem(v, VERDICT_INCOMPLETE, NULL, "%s: the log is damaged or cut, and nothing of any process is left in it; record it anew "
                            "(`malloscope info` says what is missing)", what);
        return false;
    }
    if (!log->recorded_count) {
        verdict_add_problem(v, VERDICT_NOT_INJECTED, NULL, "%s: nothing was recorded: malloscope's library was not loaded into the program; "
                            "`malloscope doctor PROGRAM` says why", what);
        return false;
    }
    if (f->interrupted) {
        verdict_add_problem(v, VERDICT_INCOMPLETE, NULL, "%s: interrupted before it was read", what);
        return false;
    }
    if (log_is_running(log) && !c->allow_incomplete) {
        add_running(c, what, log, f, v);
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
    if (left_out && !c->allow_incomplete) {
        verdict_add_problem(v, VERDICT_INCOMPLETE, NULL, "%s: was recorded with --follow %s: what %s allocate is not known; record it without "
                            "that, or say --allow-incomplete, and they do not count", what, left_out & REC_SESSION_NO_CHILDREN ? "none" : "fork",
                            left_out & REC_SESSION_NO_CHILDREN ? "the processes that it starts" : "the programs that it executes");
        return false;
    }
    if (f->told.notes.untraced_programs && !c->allow_incomplete) {
        const struct note_untraced *first = f->told.notes.untraced_count ? &f->told.notes.untraced[0] : NULL;
        verdict_add_problem(v, VERDICT_INCOMPLETE, NULL, "%s: %" PRIu64 " program%s that it executed could not be recorded%s%s: what %s is not known; "
                            "`malloscope report` says why; leave it out, or say --allow-incomplete, and it does not count", what,
                            f->told.notes.untraced_programs, f->told.notes.untraced_programs == 1 ? "" : "s", first ? ", as " : "",
                            first ? first->path : "", f->told.notes.untraced_programs == 1 ? "it allocates" : "they allocate");
        return false;
    }
    if (f->settings.own_mallocs && !c->allow_incomplete) {
        verdict_add_problem(v, VERDICT_INCOMPLETE, NULL, "%s: %" PRIu64 " process%s a malloc of %s own, which no library can see: what comes from it "
                            "is not known; link it dynamically, or say --allow-incomplete, and it does not count", what, f->settings.own_mallocs,
                            f->settings.own_mallocs == 1 ? " has" : "es have", f->settings.own_mallocs == 1 ? "its" : "their");
        return false;
    }
    if (f->told.notes.deepbind_count && !c->allow_incomplete) {
        verdict_add_problem(v, VERDICT_INCOMPLETE, NULL, "%s: %s %s loaded with RTLD_DEEPBIND or dlmopen, as %s: what such a library allocates may not be "
                            "recorded; load it without that, or say --allow-incomplete, and it does not count", what,
                            text_counted(f->told.notes.deepbind_count, "library"), f->told.notes.deepbind_count == 1 ? "was" : "were",
                             f->told.notes.deepbind[0]);
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

/* A process that ends within a part leaks as one does that lives when that ends. */
static void take_left(struct facts *f)
{
    for (uint32_t leaf = 0; leaf < f->told.stacks.leaf_count; leaf++) {
        const struct leak_units left = leak_list_at(&f->left, leaf);
        f->costs.of[leaf].leaked_blocks += left.blocks;
        f->costs.of[leaf].leaked_bytes += left.bytes;
    }
}

static void suppress_leaks(struct check_logs *c, struct facts *f, const struct namer *namer)
{
    if (!c->suppressions.count)
        return;
    _cleanup_free_ bool *suppressed = leaks_suppressed(f, namer, &c->suppressions);
    for (uint32_t leaf = 0; leaf < f->told.stacks.leaf_count; leaf++)
        if (suppressed[leaf])
            f->costs.of[leaf].leaked_bytes = f->costs.of[leaf].leaked_blocks = 0;
}

static int measure(struct check_logs *c, const struct log *log, struct facts *f, struct measured *into)
{
    struct namer namer;
    struct naming *naming = naming_open(log, &f->told.code, &c->symbols, &namer);

    take_left(f);
    suppress_leaks(c, f, &namer);
    selection_use(&c->selection, f, &namer);
    measured_add(into, &(struct by_name_source){ .facts = f, .namer = &namer, .wanted = selection_wants, .wanted_data = &c->selection });
    selection_end(&c->selection);
    if (into == &c->measured)
        check_names_look_up(c, f, naming);
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

/* Whether the function is anywhere in the log, where only a part of it was measured, and whether all of it is of modules that do
 * not count. */
static int look_everywhere(struct check_logs *c, const struct log *log, struct facts *f)
{
    struct namer namer;
    struct naming *naming = naming_open(log, &f->told.code, &c->symbols, &namer);

    code_locate_all(&f->told.code);
    selection_use(&c->selection, f, &namer);
    for (uint32_t leaf = 0; leaf < f->told.stacks.leaf_count; leaf++)
        if (f->costs.of[leaf].allocations)
            selection_wants(&c->selection, leaf);
    selection_end(&c->selection);
    int interrupted = naming_was_interrupted(naming) ? -EINTR : 0;
    naming_close(naming);
    return interrupted;
}

static uint64_t or_1(uint64_t number)
{
    return number ? number : 1;
}

static void check_whole_stacks(const struct check_logs *c, const char *what, const struct facts *f, struct verdict *v)
{
    const struct selection *s = &c->selection;
    uint64_t hidden = s->cut + s->partial;

    if (!hidden || c->allow_incomplete)
        return;
    verdict_add_problem(v, VERDICT_INCOMPLETE, NULL, "%s: --within %s: %" PRIu64 " allocation%s (%" PRIu64 " %%) may have come from there or not: "
                        "their stacks %s; %s, or say --allow-incomplete, and they do not count", what, s->within, hidden, hidden == 1 ? "" : "s",
                        hidden * 100 / or_1(f->allocations), s->cut ? "are cut" : "end before main, where no unwinding goes further",
                        !s->cut ? "build what calls back with unwind tables (-fasynchronous-unwind-tables)"
                        : f->told.max_depth < 1024 ? "record with a greater --max-depth"
                        : "stacks have 1024 frames at most (--max-depth): name a function that is further in");
}

/* A misspelt name would be within any limit. */
static int check_selection(struct check_logs *c, const char *what, const struct log *log, struct facts *f, struct verdict *v)
{
    const struct selection *s = &c->selection;
    size_t before = v->problem_count;

    if (!s->within && !selection_excludes(s))
        return 0;
    if (s->within)
        check_whole_stacks(c, what, f, v);
    if (s->no_stack && !c->allow_incomplete)
        verdict_add_problem(v, VERDICT_INCOMPLETE, NULL, "%s: --exclude-module: %" PRIu64 " allocation%s no stack, so that %s module is not known; record "
                            "with stacks (--call-graph), or say --allow-incomplete, and they count", what, s->no_stack,
                            s->no_stack == 1 ? " has" : "s have", s->no_stack == 1 ? "its" : "their");
    int error = c->mark ? look_everywhere(c, log, f) : 0;
    if (error || v->problem_count > before)
        return error;
    if (s->within && !s->is_found)
        verdict_add_problem(v, VERDICT_NOT_FOUND, NULL, "%s: --within %s: no recorded stack has a function of this name: it allocates nothing, was "
                            "inlined, or is called otherwise; `malloscope report` shows the names (C++ without parameters)", what,
                            s->within);
    if (s->left_out && !s->kept)
        verdict_add_problem(v, VERDICT_NO_EVENTS, NULL, "%s: --exclude-module leaves nothing: all of its %" PRIu64 " allocations are of such modules; "
                            "the expressions match too much", what, s->left_out);
    return 0;
}

static int measure_all(struct check_logs *c, const char *what, const struct log *log, struct facts *f, struct verdict *v)
{
    bool is_set = true;
    int error = c->mark ? measure_mark(c, log, f, c->mark, &c->measured, &is_set) : measure(c, log, f, &c->measured);

    if (!is_set)
        verdict_add_problem(v, VERDICT_NOT_FOUND, NULL, "%s: --mark %s: the program did not set this mark; `malloscope report` lists those "
                            "that it sets", what, c->mark);
    if (is_set && !error)
        error = check_selection(c, what, log, f, v);
    for (size_t i = 0; i < c->mark_count && !error; i++)
        error = measure_mark(c, log, f, c->marks[i].name, &c->marks[i].measured, &c->marks[i].is_set);
    return error;
}

/* A worker that crashes allocates less. */
static void tell_killed(struct check_logs *c, const char *what, const struct facts *f, struct verdict *v)
{
    _cleanup_free_ enum ending *endings = endings_find(f);
    uint64_t count = 0;

    for (size_t i = 0; i < f->by_start_count; i++) {
        const struct told_process *told = f->processes[f->by_start[i]].told;
        enum ending ending = endings[f->by_start[i]];
        count += told && !told->awaited && (ending == ENDING_SIGNAL || ending == ENDING_UNKNOWN);
    }
    if (!count || c->told_killed)
        return;
    c->told_killed = true;
    verdict_add_note(v, "%s: %s that it started %s killed, or ended unseen: what was allocated up to then counts, and maybe not all that should have been", what,
                     text_counted(count, "process"), count == 1 ? "was" : "were");
}

/* What the session leaves out: rec_session_flags. */
static unsigned tell(const struct log *log, const struct facts *f, struct verdict *v)
{
    struct session session;
    struct trust trust;
    size_t bytes;

    session_read(log, &session);
    free(v->program);
    v->program = session.command;
    session.command = NULL;
    const unsigned left_out = session.flags;
    session_release(&session);
    trust_of_facts(log, f, &trust);
    free(v->trust);
    v->trust = NULL;
    FILE *to = open_memstream(&v->trust, &bytes);
    if (!to)
        return left_out;
    trust_print_short(to, &trust);
    fclose(to);
    v->trust[strcspn(v->trust, "\n")] = 0;
    return left_out;
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
    unsigned left_out = tell(log, f, v);
    c->libc = platform_libc_of_code(&f->told.code);
    if (is_measurable(c, what, log, f, left_out, v)) {
        if (f->told.notes.untraced_programs && !c->count)
            verdict_add_note(v, "%s: %" PRIu64 " program%s that it executed could not be recorded, and do not count", what,
                             f->told.notes.untraced_programs, f->told.notes.untraced_programs == 1 ? "" : "s");
        if (f->settings.own_mallocs && !c->count)
            verdict_add_note(v, "%s: %" PRIu64 " process%s with a malloc of %s own, which no library can see: what comes from it does not count",
                             what, f->settings.own_mallocs, f->settings.own_mallocs == 1 ? "" : "es",
                             f->settings.own_mallocs == 1 ? "its" : "their");
        if (f->told.notes.deepbind_count && !c->count)
            verdict_add_note(v, "%s: %s %s loaded with RTLD_DEEPBIND or dlmopen, as %s: what is not recorded of it does not count", what,
                             text_counted(f->told.notes.deepbind_count, "library"), f->told.notes.deepbind_count == 1 ? "was" : "were",
                             f->told.notes.deepbind[0]);
        if (f->told.was_paused && !c->count)
            verdict_add_note(v, "%s: recording was paused for some time (malloscope_stop, --start-paused, a signal): what was allocated then does "
                             "not count", what);
        tell_killed(c, what, f, v);
        tell_running(c, what, log, f, v);
        if (measure_all(c, what, log, f, v) != 0)
            verdict_add_problem(v, VERDICT_INCOMPLETE, NULL, "%s: interrupted before it was read", what);
        c->count++;
    }
    facts_free(f);
    log_free(log);
    return 0;
}
