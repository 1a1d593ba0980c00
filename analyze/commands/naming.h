/* Joins the session's code locations with the names of their files, and the options that
 * all commands with names have. */
#ifndef MALLOSCOPE_COMMANDS_NAMING_H
#define MALLOSCOPE_COMMANDS_NAMING_H

#include "analyze/log/log.h"
#include "analyze/model/code.h"
#include "analyze/render/namer.h"

#define NAMING_HELP                                                                       \
    "  --sysroot DIR        look for programs and libraries under DIR, as in the\n"            \
    "                       image of another machine\n"                                               \
    "  --debug-paths A:B    where debug files are (default /usr/lib/debug)\n"               \
    "  --debuginfod         ask the servers of DEBUGINFOD_URLS for debug files\n"           \
    "  --no-cache           neither use nor keep names in ~/.cache/malloscope\n"

/* For a command's `struct option` table and its loop over them. */
enum { NAMING_SYSROOT = 0x1000, NAMING_DEBUG_PATHS, NAMING_DEBUGINFOD, NAMING_NO_CACHE };
#define NAMING_OPTIONS                                           \
    { "sysroot", required_argument, NULL, NAMING_SYSROOT },         \
    { "debug-paths", required_argument, NULL, NAMING_DEBUG_PATHS }, \
    { "debuginfod", no_argument, NULL, NAMING_DEBUGINFOD },         \
    { "no-cache", no_argument, NULL, NAMING_NO_CACHE }

/* Takes one of them; any other is left alone. */
void naming_option(struct symbols_options *options, int option, const char *value);

struct naming;

/* log: for the names that are in it, which come before what this machine has, and for its
 * processes' pids; NULL: code that is in no file has no names. All that is given must live
 * as long, and code must have all its records. *ret_namer answers at once for what
 * naming_resolve() was told; asked for anything else, it resolves first whatever the session has. */
struct naming *naming_open(const struct log *log, struct code *code, const struct symbols_options *options,
                           struct namer *ret_namer);
void naming_close(struct naming *naming);

/* Resolves these locations in one go: worth it where they are few among many. */
void naming_resolve(struct naming *naming, const uint32_t *locations, size_t count);

/* From here on names that are in the log do not count. */
void naming_ignore_log(struct naming *naming);

/* What it asks. */
const struct symbols *naming_symbols(const struct naming *naming);
/* The same, with all modules that were loaded, also those of which no name is wanted. */
const struct symbols *naming_symbols_of_all(struct naming *naming);

/* Ctrl-C has ended looking for names: not all are there. So says code's names_interrupted, for what is shown. */
bool naming_was_interrupted(const struct naming *naming);

/* Complains, a line for each module whose names are fewer than they might be; one for all that were stripped. */
void naming_complain(const struct naming *naming);
void naming_complain_of_stripped(const struct naming *naming);

#endif
