/* What `check` has found: plain data, all of it made by check/, none of it in need of a log or of
 * the model. Whoever shows it (the terminal's table, JSON, JUnit, ...) gets a const struct verdict
 * and needs nothing else. It owns all its texts and lists.
 *
 * Texts that come from a log or a program (functions, modules, files, commands, names of marks)
 * may hold any bytes but 0: escape them for where they go. NULL stands only where it says so.
 *
 * A metric is a kind of cost in a scope. Its value is one number for each run; compared is the
 * least of the runs. */
#ifndef MALLOSCOPE_CHECK_VERDICT_H
#define MALLOSCOPE_CHECK_VERDICT_H

#include "analyze/util.h"

/* The exit codes of `check`. */
enum verdict_exit {
    VERDICT_EXIT_WITHIN = 0,         /* also: improved, without --fail-on-improvement; a baseline was saved */
    VERDICT_EXIT_REGRESSION = 2,     /* a metric is beyond its limit */
    VERDICT_EXIT_NOT_MEASURABLE = 3, /* see problems; takes precedence over 4, and over 2 unless all problems are VERDICT_NOT_STABLE */
    VERDICT_EXIT_IMPROVEMENT = 4,    /* no regression, and --fail-on-improvement */
    VERDICT_EXIT_USAGE = 64,         /* there is no verdict then */
};

/* What is counted. */
enum verdict_kind {
    VERDICT_ALLOCATIONS,   /* calls that returned a block; a realloc is one */
    VERDICT_BYTES,         /* asked for, in all */
    VERDICT_PEAK,          /* bytes live at the session's peak; of a scope: what of it lived then */
    VERDICT_LEAKED,        /* bytes live at their process's end */
    VERDICT_LEAKED_BLOCKS, /* their number */
    VERDICT_TEMPORARY,     /* allocations freed before their thread's next one */
    VERDICT_REALLOCATIONS, /* calls of realloc and reallocarray that returned a block */
    VERDICT_KINDS,
};

/* Of what. */
enum verdict_scope {
    VERDICT_ALL,    /* all that --within, --mark and --exclude-module leave */
    VERDICT_SITE,   /* what the functions of a name asked for themselves (not by those that they called) */
    VERDICT_MODULE, /* what functions in a module asked for */
    VERDICT_MARK,   /* what was allocated from a mark on to the next one of another name */
};

enum verdict_state {
    VERDICT_IS_WITHIN,       /* its limits and tolerance */
    VERDICT_IS_REGRESSION,   /* value > limit */
    VERDICT_IS_IMPROVEMENT,  /* value < baseline by more than the tolerance: the baseline should be made anew */
    VERDICT_IS_UNSTABLE,     /* spread > tolerance: refused as a gate; culprits are the sites that differ between runs */
    VERDICT_IS_NEW,          /* nothing to compare it with: no baseline has it and no limit was given */
    VERDICT_IS_NOT_MEASURED, /* reason says why; value and its like are 0 */
    VERDICT_STATES,
};

/* Where a limit comes from. */
enum verdict_source {
    VERDICT_FROM_NOWHERE,  /* there is none */
    VERDICT_FROM_BASELINE, /* its value + tolerance */
    VERDICT_FROM_MAX,      /* --max */
    VERDICT_FROM_BUDGET,   /* --budget */
};

struct verdict_frame {
    char *function; /* demangled, without parameters; "module+0x1234" where it has no name */
    char *module;   /* the file's name without directories; "" none */
    char *file;     /* of the source as the compiler named it, mostly with directories; NULL: unknown, or only a
                     * baseline has the frame and tells no more than its name */
    uint32_t line;  /* from 1; 0: unknown */
    bool is_apart;  /* frames between the one before and it are left out */
};

/* A site, as the stacks that begin with the same functions, or the part of it on the same lines: those that account for a change. */
struct verdict_culprit {
    struct verdict_frame *frames; /* the function that asked for memory first, then its callers; at least one */
    size_t frame_count;
    uint64_t before;   /* in the metric's unit: in the baseline; of an unstable metric: in the run that had least, of the baseline's if those differ by more */
    uint64_t now;      /* the least of the runs; of an unstable metric: in the run that had most, likewise */
    int64_t change;    /* now - before */
    uint64_t spread;   /* by how much it differs from run to run, now or in the baseline: the larger one; 0: it does not */
    bool has_before;   /* false: there is no baseline (the limit is --max or a budget); before is 0, change is now */
    bool is_new;       /* the baseline does not have it */
    bool is_line_gone; /* of its lines the one that accounts for the change is no longer there: the file and line, of the first frame that has one, are the baseline's */
    bool is_gone;      /* no run has it: before is all there is, and file and line are the baseline's, if any */
};

struct verdict_metric {
    char *name; /* unique; as --max and --tolerance have it: "allocations", "sites.json_parse.allocations",
                 * "modules.libpng.bytes", "marks.ready.leaked_blocks" */
    enum verdict_kind kind;
    enum verdict_scope scope;
    char *scope_name; /* "json_parse", "libpng", "ready"; "" of VERDICT_ALL */
    enum verdict_state state;

    uint64_t value;            /* what is compared: the least of the runs */
    uint64_t minimum, maximum; /* over all runs; minimum == value */
    uint64_t spread;           /* maximum - minimum */
    bool has_baseline;
    uint64_t baseline;         /* the least of its runs; 0 where !has_baseline */
    uint64_t baseline_spread;  /* of its runs */
    int64_t change;            /* value - baseline; 0 where !has_baseline */

    double tolerance_percent;    /* as given, or the default: P of P%+N, */
    uint64_t tolerance_absolute; /* and N, in the unit */
    bool tolerance_given;        /* by --tolerance */
    uint64_t tolerance;          /* what they come to, in the unit, without the spread */
    uint64_t allowed;            /* tolerance + the larger of the two spreads: what a value may be off its baseline */
    bool has_limit;
    uint64_t limit;              /* the most it may be: the least of baseline + allowed, --max and the budget */
    enum verdict_source limit_from;

    char *reason; /* a sentence without a full stop for people: why it has its state; NULL: nothing to say beyond the figures */

    struct verdict_culprit *culprits; /* the largest change in the direction of the failure first, as far as it is beyond
                                       * what the site differs by from run to run; last what differs and by its least has not gone there, if that is all
                                       * that may have. Of regressions,
                                       * improvements and unstable ones; else none */
    size_t culprit_count;
    size_t culprits_left_out;         /* that there are beyond these: smaller ones */
    int64_t offset;                   /* what sites or lines have changed the other way, of those that do not differ from run to run; 0 where nothing is compared */
    size_t offset_sites;              /* their number */
};

/* Why the whole is not measurable: exit code 3. */
enum verdict_problem_kind {
    VERDICT_NOT_INJECTED,   /* the library was not loaded, or recording did not begin */
    VERDICT_NO_EVENTS,      /* nothing was allocated, in all or where the baseline has some */
    VERDICT_PROGRAM_FAILED, /* its exit status was not 0, or a signal ended it */
    VERDICT_INCOMPLETE,     /* events are missing in a log, or it is damaged or a sample */
    VERDICT_NO_BASELINE,    /* for this platform, or what is measured is not what it has */
    VERDICT_NOT_STABLE,     /* the metric of this name */
    VERDICT_NOT_FOUND,      /* a mark that is not set, or a function that no stack has */
    VERDICT_PROBLEM_KINDS,
};

struct verdict_problem {
    enum verdict_problem_kind kind;
    char *metric; /* its name; NULL: it concerns all */
    char *text;   /* one line: what, where, why, what to do; without the program's name and newline */
};

struct verdict {
    char *version;  /* malloscope's */
    char *platform; /* "linux/x86_64/glibc", or with the compiler that was given "linux/x86_64/glibc/gcc-13" */
    char *program;  /* the command, words with spaces between; "" unknown */
    char **logs;    /* that were given instead of a program, as they were named; else none */
    size_t log_count;
    uint64_t runs, warmups; /* measured; discarded. Of logs: their number, 0 */
    char *baseline_file; /* as named; NULL: none */
    char *budget_file;   /* likewise */
    char *within;          /* function; NULL: not given */
    char *mark;            /* likewise */
    char *exclude_modules; /* regular expressions joined by '|'; NULL: not given */
    bool fail_on_improvement, allow_unstable;
    bool baseline_saved;   /* --save-baseline or --update wrote baseline_file: metrics are what is in it now */

    struct verdict_metric *metrics; /* VERDICT_ALL by kind first, then sites, modules and marks by name */
    size_t metric_count;
    struct verdict_problem *problems; /* none: it is measurable */
    size_t problem_count;
    char **notes; /* for people, a line each: what may make figures differ though nothing is wrong */
    size_t note_count;
    char *trust;  /* of the last run: one line, without newline, "Trust: ..."; "" none was read */
    int exit_code; /* enum verdict_exit */
};

/* "allocations", "bytes", "peak", "leaked", "leaked_blocks", "temporary", "reallocations". */
const char *verdict_kind_name(enum verdict_kind kind);
/* Of values, for people and machines: "calls", "bytes" or "blocks". */
const char *verdict_unit(enum verdict_kind kind);
static inline bool verdict_is_bytes(enum verdict_kind kind)
{
    return kind == VERDICT_BYTES || kind == VERDICT_PEAK || kind == VERDICT_LEAKED;
}
/* "within", "regression", "improvement", "unstable", "new", "not measured". */
const char *verdict_state_name(enum verdict_state state);
/* "", "baseline", "--max", "budget". */
const char *verdict_source_name(enum verdict_source source);
/* "not injected", "no events", "program failed", "incomplete", "no baseline", "unstable", "not found". */
const char *verdict_problem_name(enum verdict_problem_kind kind);

/* The frame to point at: the first with a file and a line; NULL: none has. */
const struct verdict_frame *verdict_culprit_place(const struct verdict_culprit *culprit);

void verdict_release(struct verdict *v); /* accepts an all-zero one */

#endif
