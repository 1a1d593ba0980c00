#include "analyze/commands/check_session.h"

#include "analyze/check/json_file.h"
#include "analyze/check/patch.h"
#include "analyze/check/platform.h"
#include "analyze/command.h"
#include "analyze/launch/target.h"
#include "analyze/options.h"
#include "analyze/render/text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

struct session_state {
    struct check_options *o;
    struct check_logs logs;
    struct check_runs runs;
    struct baseline baseline;
    char *libc; /* with its version, where that is known */
};

static char *copied(const char *text)
{
    return text ? copy_text(text, strlen(text)) : NULL;
}

/* --- the baseline ------------------------------------------------------------------------ */

/* 0, or the exit code after a message. */
static int read_baseline(struct session_state *s, const char *platform)
{
    const struct check_options *o = s->o;
    struct failure failure;

    if (!o->baseline_file)
        return 0;
    baseline_release(&s->baseline);
    int error = baseline_read(o->baseline_file, platform, o->save == CHECK_UPDATES, &s->baseline, &failure);
    if (!error || (error == -ENOENT && o->save))
        return 0;
    return error == -ENOENT ? usage_error("check", "check: %s: there is no such file; make it with --save-baseline", o->baseline_file)
                            : usage_error("check", "check: %s", failure.text);
}

static bool is_same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Of a log only "glibc" is known, of a program "glibc 2.36". */
static bool is_same_libc(const char *a, const char *b)
{
    size_t length = strlen(a) < strlen(b) ? strlen(a) : strlen(b);
    return strncmp(a, b, length) == 0 && (a[length] == b[length] || ((!a[length] || !b[length]) && !memchr(a, ' ', length)));
}

static const char *or_none(const char *text)
{
    return text ? text : "none";
}

#define OTHER_SCOPE "these are figures of other things; say the same, or make a baseline of this in another file"

static void compare_scope(const char *option, const char *baselines, const char *given, const char *file, struct verdict *v)
{
    if (!is_same_text(baselines, given))
        verdict_add_problem(v, VERDICT_NO_BASELINE, NULL, "%s: was made with %s %s, and now it is %s: " OTHER_SCOPE, file, option, or_none(baselines),
                            or_none(given));
}

static bool compares_leaks(const struct check_options *o)
{
    bool compares = o->kinds[VERDICT_LEAKED] || o->kinds[VERDICT_LEAKED_BLOCKS];

    for (size_t i = 0; i < o->limits.count; i++)
        compares |= o->limits.of[i].id.kind == VERDICT_LEAKED || o->limits.of[i].id.kind == VERDICT_LEAKED_BLOCKS;
    return compares;
}

static void compare_suppressions(const struct check_options *o, const struct baseline_scope *scope, struct verdict *v)
{
    if (!compares_leaks(o))
        return;
    compare_scope("--suppressions", scope->suppressions, o->suppression_files, o->baseline_file, v);
    if (scope->no_default_suppressions != o->no_default_suppressions)
        verdict_add_problem(v, VERDICT_NO_BASELINE, NULL, "%s: was made %s --no-default-suppressions, and this is %s it: " OTHER_SCOPE, o->baseline_file,
                            o->no_default_suppressions ? "without" : "with", o->no_default_suppressions ? "with" : "without");
}

/* Whether it can be compared with; problems say why not. */
static bool has_baseline(const struct session_state *s, struct verdict *v)
{
    const struct check_options *o = s->o;
    const struct baseline *b = &s->baseline;
    size_t before = v->problem_count;

    if (!o->baseline_file || o->save)
        return false;
    if (!b->found) {
        verdict_add_problem(v, VERDICT_NO_BASELINE, NULL, "%s: has no baseline of %s, but of %s; add it with --save-baseline, or name the one to "
                            "compare with by --platform", o->baseline_file, v->platform, *b->others ? b->others : "no platform at all");
        return false;
    }
    for (enum verdict_kind kind = 0; kind < VERDICT_KINDS; kind++)
        if (o->kinds[kind] && !b->metrics[kind].known)
            verdict_add_problem(v, VERDICT_NO_BASELINE, NULL, "%s: has no figures of %s for %s, so that it cannot be compared; make it anew with "
                                "--update, or leave it out (--metrics)", o->baseline_file, verdict_kind_name(kind), v->platform);
    compare_scope("--within", b->scope.within, o->within, o->baseline_file, v);
    compare_scope("--mark", b->scope.mark, o->mark, o->baseline_file, v);
    compare_scope("--exclude-module", b->scope.exclude_modules, o->exclude_modules, o->baseline_file, v);
    compare_suppressions(o, &b->scope, v);
    if (b->libc && s->libc && !is_same_libc(b->libc, s->libc))
        verdict_add_note(v, "the baseline was made with %s, this is %s: what the C library itself allocates may differ", b->libc, s->libc);
    return v->problem_count == before;
}

/* Reads it again under its lock: what others have written into it, or by hand, while the program ran is not lost. 0 and the new text,
 * NULL where it is as it was; or the exit code after a message. */
static int write_baseline(struct session_state *s, const struct verdict *v, char **ret_text)
{
    const struct check_options *o = s->o;
    struct failure failure;
    const struct baseline_part part = {
        .platform = v->platform, .libc = s->libc, .measured = &s->logs.measured,
        .scope = { o->within, (char *)o->mark, o->exclude_modules, o->suppression_files, o->no_default_suppressions },
    };
    _cleanup_close_ int lock = json_file_lock(o->baseline_file);
    int refused = read_baseline(s, v->platform);

    (void)lock;
    *ret_text = NULL;
    if (refused)
        return refused;
    if (o->save == CHECK_SAVES && s->baseline.found)
        return usage_error("check", "check: %s: has got a baseline of %s from another command meanwhile; --update replaces it", o->baseline_file,
                           v->platform);
    _cleanup_free_ char *text = baseline_with(&s->baseline, &part);
    if (s->baseline.text && strcmp(s->baseline.text, text) == 0)
        return 0;
    if (json_file_write(o->baseline_file, text, &failure) != 0)
        return usage_error("check", "check: %s", failure.text);
    *ret_text = text;
    text = NULL;
    return 0;
}

static void note_unstable(const struct check_options *o, struct verdict *v)
{
    for (size_t i = 0; i < v->metric_count; i++) {
        const struct verdict_metric *metric = &v->metrics[i];
        if (metric->scope == VERDICT_ALL && o->kinds[metric->kind] && metric->spread > metric->tolerance)
            verdict_add_note(v, "%s is not the same in each run (%s to %s): it will be refused, unless it has more room "
                             "(--tolerance %s=P%%+N) or is left out (--metrics)", metric->name, text_count(metric->minimum),
                             text_count(metric->maximum), metric->name);
    }
}

/* 0, or the exit code after a message. */
static int save_baseline(struct session_state *s, FILE *patch_to, struct verdict *v)
{
    _cleanup_free_ char *text = NULL;
    int refused = write_baseline(s, v, &text);

    if (refused)
        return refused;
    if (text) /* without the lock: who reads it may let us wait */
        patch_print(patch_to, s->o->baseline_file, s->baseline.text, text);
    else
        verdict_add_note(v, "%s is as it was", s->o->baseline_file);
    v->baseline_saved = true;
    note_unstable(s->o, v);
    return 0;
}

/* --- measuring --------------------------------------------------------------------------- */

static void add_run(struct session_state *s, const char *what, struct verdict *v)
{
    struct failure failure;

    if (check_logs_add(&s->logs, s->runs.log, what, v, &failure) == 0)
        v->runs++;
    else
        verdict_add_problem(v, VERDICT_INCOMPLETE, NULL, "%s: its log cannot be read: %s: somebody has changed it meanwhile; nothing but "
                            "malloscope may write there", what, failure.text);
}

static void add_runs(struct session_state *s, struct verdict *v, uint64_t count, uint64_t warmups)
{
    for (uint64_t i = 0; i < warmups + count && !v->problem_count; i++) {
        bool is_warmup = i < warmups;
        _cleanup_free_ char *what = is_warmup ? format_text("warm-up %" PRIu64 " of %" PRIu64, i + 1, warmups)
                                              : format_text("run %" PRIu64 " of %" PRIu64, v->runs + 1, v->runs + count - (i - warmups));
        if (!check_runs_record(&s->runs)) {
            if (!s->o->shows_output)
                check_runs_repeat(&s->runs);
            verdict_add_problem(v, VERDICT_NOT_INJECTED, NULL, "%s: was not recorded: the line before this one says why; `malloscope doctor %s` "
                                "says more", what, s->o->command[0]);
            return;
        }
        if (!is_warmup)
            add_run(s, what, v);
        if (v->problem_count && !s->o->shows_output)
            check_runs_repeat(&s->runs);
        check_runs_forget(&s->runs);
    }
}

static int add_logs(struct session_state *s, struct verdict *v)
{
    const struct check_options *o = s->o;
    struct failure failure;

    v->logs = alloc_zeroed(o->log_count, sizeof *v->logs);
    v->log_count = o->log_count;
    for (size_t i = 0; i < o->log_count; i++) {
        v->logs[i] = copied(o->logs[i]);
        if (check_logs_add(&s->logs, o->logs[i], o->logs[i], v, &failure) != 0)
            return usage_error("check", "check: %s (a program to run comes behind --)", failure.text);
        v->runs++;
    }
    return 0;
}

/* All that judging has added; notes_kept: of the notes those stay that were there before. */
static void release_metrics(struct verdict *v, size_t notes_kept)
{
    struct verdict rest = { .metrics = v->metrics, .metric_count = v->metric_count, .problems = v->problems, .problem_count = v->problem_count };

    verdict_release(&rest);
    v->metrics = NULL;
    v->problems = NULL;
    v->metric_count = v->problem_count = 0;
    while (v->note_count > notes_kept)
        free(v->notes[--v->note_count]);
}

static void note_unmatched(const struct selection *s, struct verdict *v)
{
    for (size_t i = 0; i < s->excluded_count && i < 64; i++)
        if (!(s->excluded_matched >> i & 1))
            verdict_add_note(v, "--exclude-module %s: matches no module that asked for memory, and leaves nothing out", s->excluded_texts[i]);
}

static void judge_it(const struct session_state *s, struct verdict *v)
{
    const struct check_options *o = s->o;
    struct judge j = {
        .measured = &s->logs.measured, .marks = s->logs.marks, .mark_count = s->logs.mark_count, .limits = &o->limits,
        .asked = s->logs.asked, .asked_count = s->logs.asked_count, .sites = o->sites, .modules = o->modules, .allow_unstable = o->allow_unstable,
        .allow_incomplete = o->allow_incomplete, .fail_on_improvement = o->fail_on_improvement,
    };

    memcpy(j.kinds, o->kinds, sizeof j.kinds);
    j.baseline = has_baseline(s, v) ? &s->baseline : NULL;
    note_unmatched(&s->logs.selection, v);
    if (!v->problem_count)
        judge(&j, v);
    verdict_set_exit_code(v);
}

/* What disturbs one measurement may be gone in the next: nothing fails that has not failed twice. */
static void measure_and_judge(struct session_state *s, struct verdict *v)
{
    const struct check_options *o = s->o;

    add_runs(s, v, o->runs, o->warmups);
    const size_t notes = v->note_count;
    if (!v->problem_count)
        judge_it(s, v);
    else
        verdict_set_exit_code(v);
    if (v->exit_code != VERDICT_EXIT_REGRESSION && v->exit_code != VERDICT_EXIT_IMPROVEMENT)
        return;
    release_metrics(v, notes);
    add_runs(s, v, o->runs, 0);
    if (!v->problem_count)
        judge_it(s, v);
    else
        verdict_set_exit_code(v);
}

/* --- all ----------------------------------------------------------------------------------- */

/* Its C library; what cannot be run or traced is a problem at once. */
static const char *look_at_command(char **command, struct verdict *v)
{
    _cleanup_target_ struct target target = { 0 };
    struct failure failure;
    int code = target_find(command[0], &target, &failure);

    if (!code)
        return platform_libc_of_loader(target.loader);
    verdict_add_problem(v, code == EXIT_NOT_TRACED ? VERDICT_NOT_INJECTED : VERDICT_PROGRAM_FAILED, NULL, "%s", failure.text);
    return "libc";
}

/* It is written beside the file, which then goes. Before anything runs, for minutes maybe. */
static int can_save(const char *file)
{
    _cleanup_free_ char *real = realpath(file, NULL);
    const char *name = real ? real : file, *slash = strrchr(name, '/');
    _cleanup_free_ char *directory = !slash ? copied(".") : copy_text(name, slash == name ? 1 : (size_t)(slash - name));

    if (access(directory, W_OK | X_OK) == 0)
        return 0;
    return usage_error("check", "check: %s: cannot be written: %s: %s", file, directory, strerror(errno));
}

static int run_session(struct session_state *s, FILE *patch_to, struct verdict *v)
{
    struct check_options *o = s->o;
    struct failure failure;
    const char *libc;
    int refused = read_baseline(s, ""); /* before anything runs */

    if (refused)
        return refused;
    if (o->save) {
        refused = can_save(o->baseline_file);
        if (refused)
            return refused;
    }
    if (o->input && access(o->input, R_OK) != 0)
        return usage_error("check", "check: --input %s: cannot be read: %s", o->input, strerror(errno));
    if (o->command) {
        libc = look_at_command(o->command, v);
        s->libc = platform_libc_version(libc);
    } else {
        refused = add_logs(s, v);
        if (refused)
            return refused;
        libc = s->logs.libc;
        s->libc = copied(libc);
    }
    v->platform = o->platform ? copied(o->platform) : platform_name(libc, o->compiler);
    if (!baseline_can_name(v->platform))
        return usage_error("check", "check: %s: no name of a platform: it must be UTF-8 text", o->platform ? "--platform" : "--compiler");
    refused = read_baseline(s, v->platform);
    if (refused)
        return refused;
    if (o->save == CHECK_SAVES && s->baseline.found)
        return usage_error("check", "check: %s: has a baseline of %s already; --update replaces it", o->baseline_file, v->platform);
    if (v->problem_count) {
        /* there is nothing to judge, or to run it for */
    } else if (!o->command) {
        judge_it(s, v);
    } else if (has_baseline(s, v) || !v->problem_count) {
        release_metrics(v, 0); /* its notes come again */
        if (check_runs_begin(&s->runs, &failure) != 0)
            verdict_add_problem(v, VERDICT_NOT_INJECTED, NULL, "%s", failure.text);
        else
            measure_and_judge(s, v);
    }
    verdict_set_exit_code(v);
    return o->save && v->exit_code != VERDICT_EXIT_NOT_MEASURABLE ? save_baseline(s, patch_to, v) : 0;
}

/* "prog input"; "" of logs, which say it themselves. */
static char *words_of(char **command)
{
    char *text = copied("");

    for (size_t i = 0; command && command[i]; i++) {
        _cleanup_free_ char *before = text;
        text = format_text("%s%s%s", before, i ? " " : "", command[i]);
    }
    return text;
}

int check_session(struct check_options *o, FILE *patch_to, struct verdict *ret_verdict)
{
    struct session_state s = {
        .o = o,
        .logs = { .symbols = o->symbols, .selection = o->selection, .suppressions = o->suppressions, .limits = &o->limits, .mark = o->mark,
                  .ignore_failure = o->ignore_failure,
                  .allow_incomplete = o->allow_incomplete,
                  .goes_on = check_runs_go_on },
        .runs = { .command = o->command, .input = o->input, .shows_output = o->shows_output,
                  .is_read_by_github = o->is_read_by_github },
    };
    struct verdict v = {
        .version = copied(MALLOSCOPE_VERSION), .platform = NULL, .program = words_of(o->command), .warmups = o->command ? o->warmups : 0,
        .baseline_file = copied(o->baseline_file), .budget_file = copied(o->budget_files), .within = copied(o->within),
        .mark = copied(o->mark), .exclude_modules = copied(o->exclude_modules), .fail_on_improvement = o->fail_on_improvement,
        .allow_unstable = o->allow_unstable, .trust = copied(""),
    };

    o->selection = (struct selection){ 0 }; /* they are the logs' now */
    o->suppressions = (struct suppressions){ 0 };
    s.logs.selection.within = o->within;
    for (size_t i = 0; i < o->limits.count; i++)
        if (o->limits.of[i].id.scope == VERDICT_MARK)
            check_logs_want_mark(&s.logs, o->limits.of[i].id.scope_name);
        else if (o->limits.of[i].id.scope != VERDICT_ALL)
            check_logs_want_name(&s.logs, o->limits.of[i].id.scope_name, o->limits.of[i].id.scope == VERDICT_MODULE);
    if (o->within)
        check_logs_want_name(&s.logs, o->within, false);
    int refused = run_session(&s, patch_to, &v);
    check_runs_end(&s.runs);
    check_logs_release(&s.logs);
    baseline_release(&s.baseline);
    free(s.libc);
    if (refused)
        verdict_release(&v);
    else
        *ret_verdict = v;
    return refused;
}
