/* What `check` does once its arguments are read: measures, judges, and saves the baseline. */
#ifndef MALLOSCOPE_COMMANDS_CHECK_SESSION_H
#define MALLOSCOPE_COMMANDS_CHECK_SESSION_H

#include "analyze/commands/check_logs.h"
#include "analyze/commands/check_runs.h"

enum check_save { CHECK_COMPARES, CHECK_SAVES, CHECK_UPDATES };

struct check_options {
    const char *baseline_file; /* NULL: not given */
    char *budget_files;        /* joined by ", "; likewise */
    const char **inputs;       /* files that are read: budgets, suppressions */
    size_t input_count, input_capacity;
    const char *of_programs;   /* an option that says something only of a program's runs; NULL: none was given */
    enum check_save save;
    uint64_t runs, warmups;
    char *within;                                    /* as names are spelled; NULL: not given */
    const char *mark, *compiler, *platform; /* NULL: not given */
    char *exclude_modules;                           /* joined by '|', likewise */
    char *suppression_files;                         /* their names, joined by ", ", likewise */
    struct limits limits;
    bool kinds[VERDICT_KINDS], sites, modules; /* what is compared with a baseline */
    bool no_default_suppressions, allow_unstable, allow_incomplete, fail_on_improvement, ignore_failure, shows_output, is_read_by_github;
    const char *input;
    struct selection selection;
    struct suppressions suppressions;
    struct symbols_options symbols;
    char **command; /* NULL: logs are given */
    char **logs;
    size_t log_count;
};

/* 0 and a verdict; or the exit code after a message. patch_to: gets what changes in the baseline's file. */
int check_session(struct check_options *o, FILE *patch_to, struct verdict *ret_verdict);

#endif
