/* What the commands share that answer from a whole log: the options that say which part
 * of it, one pass over it, names, and the exit code.
 *
 *     struct reading_options wanted = { 0 };
 *     ... reading_option(&wanted, option, optarg, "report") in the loop over options ...
 *     struct reading r;
 *     int refused = reading_open(&wanted, log_name, "report", &r);
 *     if (refused)
 *         return refused;
 *     ... r.facts, r.namer ...
 *     return reading_close(&r);
 */
#ifndef MALLOSCOPE_COMMANDS_READING_H
#define MALLOSCOPE_COMMANDS_READING_H

#include "analyze/commands/naming.h"
#include "analyze/commands/pids.h"
#include "analyze/model/facts.h"

/* READING_PART_*: which part of the log; READING_*: all. */
#define READING_PART_HELP                                                                  \
    PIDS_HELP                                                                              \
    "  --thread TID[,TID..] only what these threads allocated; may be given more than\n"     \
    "                       once\n"                                                          \
    "  --from WHEN          only allocations from then on, and what became of them\n"        \
    "  --to WHEN            nothing later. WHEN: seconds since the session began\n"            \
    "                       (1.5), or with a unit (us, ms, s, min), or the name of a\n"        \
    "                       mark that the program set: its first, or for --to its\n"           \
    "                       first after --from; mark:10 where the name looks like a\n"         \
    "                       time. With --pid a mark of any process will do\n"

#define READING_HELP                                                                       \
    READING_PART_HELP                                                                      \
    "  --temporary-within N|TIME\n"                                                            \
    "                       temporary is what was freed before N allocations more, or\n"      \
    "                       at most so much later (10us), by any thread. Default: by\n"       \
    "                       its own, before that allocated again\n"                            \
    "  --jobs N             threads and processes at one time (default: as many as\n"        \
    "                       CPUs); what is shown is the same\n"                              \
    NAMING_HELP

enum { READING_PID = 0x2000, READING_THREAD, READING_FROM, READING_TO, READING_JOBS, READING_TEMPORARY };
#define READING_PART_OPTIONS                                                               \
    { "pid", required_argument, NULL, READING_PID }, { "thread", required_argument, NULL, READING_THREAD }, \
    { "from", required_argument, NULL, READING_FROM }, { "to", required_argument, NULL, READING_TO }
#define READING_OPTIONS                                                                    \
    READING_PART_OPTIONS, \
    { "jobs", required_argument, NULL, READING_JOBS }, \
    { "temporary-within", required_argument, NULL, READING_TEMPORARY }, \
    NAMING_OPTIONS

/* All zero: the whole log. */
struct reading_options {
    struct pids pids, tids;
    const char *from, *to;
    struct facts_threshold temporary_within;
    const char *temporary_option; /* which asks for temporary allocations, that not every log tells of; NULL: none does */
    struct symbols_options symbols;
    size_t timeline_buckets; /* an even number; 0: as many as are shown */
};

void reading_options_release(struct reading_options *o);
#define _cleanup_reading_options_ __attribute__((cleanup(reading_options_release)))

/* Takes an option of READING_OPTIONS, and leaves any other alone. 0, or EXIT_USAGE after a message. */
int reading_option(struct reading_options *o, int option, const char *value, const char *command);

/* --from and --to, as times since the session's start, before processes are selected; what is not given stays as it is. 0, or
 * the exit code after a message. */
int reading_times(const struct reading_options *o, const struct log *log, const char *command, uint64_t *ret_from_ns,
                  uint64_t *ret_to_ns);

/* Says that nothing comes after --from; EXIT_USAGE. */
int reading_refuse_from(const struct log *log, const char *command, const char *from, uint64_t end_ns);

struct reading {
    struct log *log;
    struct facts *facts;
    struct naming *naming; /* NULL after reading_open_unnamed(), and then there is no namer */
    struct namer namer;
    uint64_t from_ns, to_ns; /* since the session's start; to_ns 0: the end */
};

/* 0, or the exit code after a message. options must live as long as *ret_reading. */
int reading_open(const struct reading_options *options, const char *path, const char *command, struct reading *ret_reading);

/* The exit code, after what is wrong with the log has been said; but EXIT_DAMAGED also
 * where stdout did not take all. Releases everything. */
int reading_close(struct reading *r);

/* The same for whoever needs no names, says himself what is wrong, and ends with reading_release(). */
int reading_open_unnamed(const struct reading_options *options, const char *path, const char *command, struct reading *ret_reading);
void reading_release(struct reading *r);

#endif
