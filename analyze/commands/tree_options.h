/* The options that `tree` and `flame` share: which cost, which way round, how much of it. */
#ifndef MALLOSCOPE_COMMANDS_TREE_OPTIONS_H
#define MALLOSCOPE_COMMANDS_TREE_OPTIONS_H

#include "analyze/commands/reading.h"
#include "analyze/render/filter.h"
#include "analyze/render/tree.h"

#define TREE_HELP \
    "  --cost COST          allocations (the default), allocated (bytes), peak (bytes\n"       \
    "                       at the moment when most were in use), leaked (bytes never\n"       \
    "                       freed) or temporary (allocations freed before the\n"               \
    "                       thread's next one)\n"                                              \
    "  --inverted           call sites first, their callers below them\n" \
    "  --filter REGEX       only stacks with a frame whose function, source file or\n"         \
    "                       module matches (POSIX extended)\n"

enum { TREE_COST = 0x3000, TREE_INVERTED, TREE_FILTER, TREE_MIN_SHARE };
#define TREE_OPTIONS \
    { "cost", required_argument, NULL, TREE_COST }, { "inverted", no_argument, NULL, TREE_INVERTED }, \
    { "filter", required_argument, NULL, TREE_FILTER }, { "min-share", required_argument, NULL, TREE_MIN_SHARE }

struct tree_options {
    struct reading_options reading;
    struct tree_view view;
    struct filter filter;
    bool has_min_share;
    bool all_costs; /* are wanted in the tree, not only view.cost */
};

void tree_options_release(struct tree_options *o);
#define _cleanup_tree_options_ __attribute__((cleanup(tree_options_release)))

/* Takes an option of TREE_OPTIONS or READING_OPTIONS, and leaves any other alone. 0, or EXIT_USAGE
 * after a message. */
int tree_option(struct tree_options *o, int option, const char *value, const char *command);

/* The log, and its tree, sorted. 0, or the exit code after a message: where the log cannot be
 * read, or does not tell the cost. */
int tree_open(struct tree_options *o, const char *path, const char *command, struct reading *ret_reading, struct call_tree *ret_tree);

#endif
