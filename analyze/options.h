/* What the subcommands' argument parsing shares. Messages go to stderr, one
 * line each, with the program's name in front. */
#ifndef MALLOSCOPE_ANALYZE_OPTIONS_H
#define MALLOSCOPE_ANALYZE_OPTIONS_H

#include "analyze/log/log.h"

#include <getopt.h>

/* getopt_long (short_options begin with ':') that complains in our words, names the help, and knows -h.
 * Returns the option, -1 at the end, or exits with 0 (help) or 2 (usage). */
int next_option(int argc, char **argv, const char *short_options, const struct option *long_options, const char *help);

/* "malloscope: MESSAGE", to stderr. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, with a pointer to COMMAND's help; returns EXIT_USAGE, or what usage_exits_with() said. */
int usage_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For a command whose exit codes mean something else. */
void usage_exits_with(int code);

/* A whole number of at least `least` with an optional suffix K, M or G (1024s).
 * False: it is none. */
bool parse_number(const char *text, uint64_t least, uint64_t *ret_number);

/* The threshold between small and large, in bytes: MALLOSCOPE_THRESHOLD or 100. */
uint64_t default_threshold(void);

/* The one log that a command names; NULL after a message where it is not one. */
const char *only_log(int argc, char **argv, const char *command);

/* Both are there, and one and the same: an output must not be the log. */
bool is_same_file(const char *one, const char *other);

/* Opens a log for a reading command; "-" is stdin, and what comes through a pipe is read to
 * its end. Of a file, first makes it complete in itself where
 * processes have left live files. Prints what is damaged. NULL after a message. */
struct log *open_log(const char *path);

/* Prints what was found wrong while reading, and gives the exit code: 0, or 1
 * where anything is damaged or missing. */
int log_verdict(const struct log *log, uint64_t bad_chunks, uint64_t bad_offset);

/* That Ctrl-C has ended reading before all of the log was read. */
void complain_of_interrupt(const struct log *log);

/* True when fewer than all bytes went to stdout (disk full, pipe closed):
 * complains, unless nobody listens any more. */
bool output_failed(void);

#endif
