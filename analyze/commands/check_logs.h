/* The way of a log into what `check` measures, and whether it can be believed. */
#ifndef MALLOSCOPE_COMMANDS_CHECK_LOGS_H
#define MALLOSCOPE_COMMANDS_CHECK_LOGS_H

#include "analyze/check/judge.h"
#include "analyze/check/selection.h"
#include "analyze/render/suppressions.h"
#include "analyze/symbols/symbols.h"

struct check_logs {
    struct symbols_options symbols;
    struct selection selection;
    struct suppressions suppressions; /* of leaks that do not count */
    const struct limits *limits; /* whose functions' symbols are looked for, where others have no names */
    const char *mark; /* only what comes from this mark on, up to the next of another name; NULL: all */
    bool are_of_runs; /* of processes that live longer than the program the end was waited for (check_late.h) */
    bool ignore_failure;
    bool allow_incomplete; /* programs that were not recorded, processes that still run, and stacks that are not whole, do not matter */
    bool (*goes_on)(void *data, double progress); /* as facts_options.goes_on; may be NULL */
    /* Filled: */
    struct measured measured;
    struct judge_mark *marks; /* with the names of those that are to be looked at */
    size_t mark_count, mark_capacity;
    struct symbols_asked *asked; /* with those of limits and --within */
    size_t asked_count, asked_capacity;
    bool told_killed, told_running; /* a note has */
    char *asked_of; /* the program's path; NULL: of none yet */
    const char *libc;
    size_t count; /* of logs that were added */
};

void check_logs_want_mark(struct check_logs *c, const char *name);
void check_logs_want_name(struct check_logs *c, const char *name, bool is_module);
/* what: "run 2 of 3", or the log's name. 0; what makes it unmeasurable is a problem of the verdict, and then it is not
 * added. -errno: it is no log. */
int check_logs_add(struct check_logs *c, const char *path, const char *what, struct verdict *v, struct failure *ret_failure);
void check_logs_release(struct check_logs *c);

#endif
