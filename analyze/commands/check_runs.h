/* A program recorded several times, each time as `record` does it, into a log in a temporary directory that
 * goes when it has been read. Its standard input is empty or a file, its standard output goes nowhere, and what it says of errors
 * into a file: the same on a terminal and in CI, or some would allocate otherwise there. What ends this command
 * from outside ends the program, and then this command. */
#ifndef MALLOSCOPE_COMMANDS_CHECK_RUNS_H
#define MALLOSCOPE_COMMANDS_CHECK_RUNS_H

#include "analyze/util.h"

struct check_runs {
    char *directory;
    char *log, *said; /* the last run's log, and what it, and the recorder, have written to standard error */
    char *link; /* to the library, whose path the program gets; NULL: it gets the library's own */
    char **command;
    const char *input; /* NULL: none */
    bool shows_output; /* after each run, that of standard output, too */
    bool is_read_by_github; /* which finds commands in whatever is printed */
};

/* 0, or -errno with a message. */
int check_runs_begin(struct check_runs *r, struct failure *ret_failure);
/* Runs it once, and waits for processes that live longer (check_late.h). True: there is a log; else why is what check_runs_repeat() shows, or it was a signal. */
bool check_runs_record(struct check_runs *r);
/* To standard error, what the last run wrote there. */
void check_runs_repeat(const struct check_runs *r);
/* Removes the last run's log, and what is beside it. */
void check_runs_forget(struct check_runs *r);
/* Removes all. Does not return where a signal has come that ends us. */
void check_runs_end(struct check_runs *r);
/* As facts_options.goes_on: no such signal has come. */
bool check_runs_go_on(void *data, double progress);

#endif
