/* What diff and merge share: the options that say which stacks of their logs are shown and
 * how, and the way of a log into the table of names. */
#ifndef MALLOSCOPE_COMMANDS_BY_NAMES_H
#define MALLOSCOPE_COMMANDS_BY_NAMES_H

#include "analyze/commands/reading.h"
#include "analyze/render/by_name.h"
#include "analyze/render/filter.h"

/* After what the command says of --stacks and --sites, one of which is its default. */
#define BY_NAMES_HELP                                                                       \
    "  --depth N            frames shown of each stack (default 10; --json has all)\n"      \
    "  --by function|line   line: source lines count, too (default: function)\n"            \
    "  --cost COST          sort by allocated (bytes; default), allocations, peak,\n"          \
    "                       leaked or temporary\n"                                          \
    "  -n, --num-largest N  rows shown (default 20; with --json all)\n"                     \
    "  --filter REGEX       only stacks with a frame whose function, source file or\n"         \
    "                       module matches this POSIX extended expression; totals\n"           \
    "                       stay whole\n"

enum { BY_NAMES_STACKS = 0x3000, BY_NAMES_SITES, BY_NAMES_DEPTH, BY_NAMES_BY, BY_NAMES_COST, BY_NAMES_FILTER, BY_NAMES_JSON };
#define BY_NAMES_OPTIONS                                                                             \
    { "num-largest", required_argument, NULL, 'n' }, { "stacks", no_argument, NULL, BY_NAMES_STACKS }, \
    { "sites", no_argument, NULL, BY_NAMES_SITES }, { "depth", required_argument, NULL, BY_NAMES_DEPTH }, \
    { "by", required_argument, NULL, BY_NAMES_BY }, { "cost", required_argument, NULL, BY_NAMES_COST }, \
    { "filter", required_argument, NULL, BY_NAMES_FILTER }, { "json", no_argument, NULL, BY_NAMES_JSON }, READING_OPTIONS

struct by_names_options {
    struct reading_options reading;
    struct by_name_options by_name;
    enum cost cost;
    size_t top;   /* rows shown */
    size_t depth; /* frames shown of each */
    const char *filter;
    bool json;
};

/* With the defaults. */
#define BY_NAMES_DEFAULTS (struct by_names_options){ .cost = COST_ALLOCATED, .top = SIZE_MAX, .depth = 10 }
/* 0, or EXIT_USAGE after a message. */
int by_names_option(struct by_names_options *o, int option, const char *value, const char *command);
/* After all options. */
void by_names_end(struct by_names_options *o);

/* Before any is read: one of them at most may come from stdin. 0, or EXIT_USAGE after a message. */
int by_names_check_logs(int count, char **paths, const char *command);

/* A log, read and ready to be added on a side of the table. */
struct by_names_log {
    struct reading r;
    struct filter filter;
    struct by_name_source source;
};

/* 0, or the exit code after a message. */
int by_names_open(const struct by_names_options *o, const char *path, const char *command, unsigned side, struct by_names_log *ret_log);
/* As reading_release(), for whoever says himself what is wrong. */
void by_names_release(struct by_names_log *log);
/* As reading_close(). */
int by_names_close(struct by_names_log *log);

#endif
