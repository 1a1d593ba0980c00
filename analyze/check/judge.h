/* What was measured, against baseline and limits: the verdict's metrics, and what makes them unmeasurable. */
#ifndef MALLOSCOPE_CHECK_JUDGE_H
#define MALLOSCOPE_CHECK_JUDGE_H

#include "analyze/check/baseline.h"
#include "analyze/check/limits.h"
#include "analyze/check/pairing.h"
#include "analyze/check/verdict_make.h"
#include "analyze/symbols/asked.h"

/* Of a mark that a budget names. */
struct judge_mark {
    char *name;
    bool is_set; /* in each run */
    struct measured measured;
};

struct judge {
    const struct measured *measured;
    const struct judge_mark *marks;
    size_t mark_count;
    const struct baseline *baseline; /* NULL: there is none to compare with */
    const struct limits *limits;
    const struct symbols_asked *asked; /* what symbols and debug information have of the names in limits and --within */
    size_t asked_count;
    bool kinds[VERDICT_KINDS]; /* totals that are compared with the baseline */
    bool sites, modules;       /* so are the allocations of each function and module */
    bool allow_unstable, allow_incomplete, fail_on_improvement;
    struct pairing *pairing; /* judge()'s own: of measured and baseline, once somebody asks for it */
};

/* Adds metrics, problems and notes to a verdict that has none of its metrics yet, and sets its exit code. */
void judge(struct judge *j, struct verdict *v);

/* A metric's value in a run. */
uint64_t judge_value(const struct measured *m, const struct verdict_metric *metric, size_t run);
/* Of --max and the budgets; NULL: there is none. */
const struct limit *judge_least_given(const struct judge *j, const struct verdict_metric *metric);
/* uncertain.c: why a metric that is within its limit may not be: of some allocations neither function nor stack is known. NULL: it is
 * for sure. To be freed. */
char *judge_uncertain(const struct judge *j, const struct measured *m, const struct verdict_metric *metric);
/* unseen.c: a note where the baseline has the program's lines, and this build has none. */
void judge_tell_no_lines(const struct judge *j, struct verdict *v);
/* Why a limit of a function that is kept may not be: what it asks for last leaves no frame of it. NULL: nothing says so. To be freed. */
char *judge_tail_call(const struct judge *j, const struct verdict_metric *metric);
/* Notes of the same for modules, and --within. */
void judge_tell_tail_calls(const struct judge *j, struct verdict *v);
/* Notes of limits whose function or module is nowhere. */
void judge_tell_unknown(const struct judge *j, struct verdict *v);
/* What may be of its scope in a run, besides its value. */
uint64_t judge_hidden(const struct measured *m, const struct verdict_metric *metric, size_t run);
/* culprits.c: the sites that account for a metric's state, where it has one that they explain. */
void culprits_find(const struct judge *j, const struct measured *m, struct verdict_metric *metric);
/* Notes of functions that are taken to be the baseline's under other names, where something has culprits. */
void culprits_tell_renamed(const struct judge *j, struct verdict *v);
/* scope.c: whether a site is in a metric's scope, also as one whose memory the function only passes on. Of a baseline's site measured is NULL. */
bool judge_site_counts(const struct verdict_metric *metric, const struct measured_site *measured, const char *key, const char *own_module);
/* Of a site that counts: whether only what has passed through the metric's function does. */
bool judge_only_passed(const struct verdict_metric *metric, const struct measured_site *measured);
/* "libpng16.so.16", "libpng16.so", "libpng16" and "libpng" are all names of libpng16.so.16; BASELINE_PROGRAM is one of the program. */
bool judge_is_module(const char *file_name, bool is_own, const char *name);
/* A key's first frame, "function (module)", or "function" of the program. To be freed. */
void judge_split_frame(const char *key, const char *own_module, char **ret_function, char **ret_module);
const char *judge_own_module(const struct measured *m);

#endif
