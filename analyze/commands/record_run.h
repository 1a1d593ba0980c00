/* What `malloscope record` does once its arguments are read. */
#ifndef MALLOSCOPE_COMMANDS_RECORD_RUN_H
#define MALLOSCOPE_COMMANDS_RECORD_RUN_H

#include <stdbool.h>
#include <stdint.h>

struct record_options {
    const char *output;
    const char *shim_link; /* the program gets the library's path by this name, which is made; NULL: by its own */
    const char *elsewhere; /* for messages, what names another place for the log; NULL: -o */
    bool force, quiet, compress, embed_symbols;
    uint64_t threshold, max_log; /* bytes; max_log 0: no limit */
};

/* Runs the command and records it. The exit status, after messages. */
int record_run(const struct record_options *options, char **command);

#endif
