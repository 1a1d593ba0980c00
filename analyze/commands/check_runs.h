/* A program recorded several times, each time as `record` does it, into a log in a temporary directory that
 * goes when it has been read. Its standard input is empty or a file, its standard output goes nowhere or to ours for
 * errors. What ends this command from outside ends the program, and then this command. */
#ifndef MALLOSCOPE_COMMANDS_CHECK_RUNS_H
#define MALLOSCOPE_COMMANDS_CHECK_RUNS_H

#include "analyze/util.h"

struct check_runs {
    char *directory, *log; /* the log of the last run */
    char **command;
    const char *input; /* NULL: none */
    bool shows_output;
};

/* 0, or -errno with a message. */
int check_runs_begin(struct check_runs *r, struct failure *ret_failure);
/* Runs it once. True: there is a log; else why has been said. */
bool check_runs_record(struct check_runs *r);
/* Removes the last run's log. */
void check_runs_forget(struct check_runs *r);
/* Removes all. Does not return where a signal has come that ends us. */
void check_runs_end(struct check_runs *r);
/* As facts_options.goes_on: no such signal has come. */
bool check_runs_go_on(void *data, double progress);

#endif
