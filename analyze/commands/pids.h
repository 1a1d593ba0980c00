/* --pid, as all reading commands have it. */
#ifndef MALLOSCOPE_COMMANDS_PIDS_H
#define MALLOSCOPE_COMMANDS_PIDS_H

#include "analyze/log/log.h"

#define PIDS_HELP                                                                        \
    "  --pid PID[,PID...]   only these processes, with all programs that each has\n"           \
    "                       executed, in whatever pid namespace; may be given more\n"          \
    "                       than once\n"

struct pids {
    uint32_t *list;
    size_t count, capacity;
};

void pids_release(struct pids *pids);
#define _cleanup_pids_ __attribute__((cleanup(pids_release)))

/* 0, or EXIT_USAGE after a message, which names the option. */
int pids_add(struct pids *pids, const char *option, const char *text, const char *command);

/* Opens the log. 0, or the exit code after a message: it is none, or does not have one of these processes. */
int pids_open(const struct pids *pids, const char *path, const char *command, struct log **ret_log);
/* From now on the log has these processes only; all where none were named. What is looked for in all of it
 * (a mark that another process set) comes before. */
void pids_select(const struct pids *pids, struct log *log);

#endif
